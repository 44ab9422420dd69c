"""The archive under the KCL: what it gathers is checkpointed only once it is in S3."""

from __future__ import annotations

import json
import os
import signal

import pytest

from mailtumble.archive import heads
from tests.e2e.kcl.fleet import Fleet

pytestmark = pytest.mark.external

ARCHIVED_WITHIN_S = 300
"""Five Python processes and a JVM start meanwhile, on a machine that may be busy."""


def test_the_archive_has_the_stream_after_a_kill(fleet: Fleet) -> None:
    """Killed with records in hand: they come again, and each is archived once."""
    fleet.environment["MAILTUMBLE_ARCHIVE_EVERY_S"] = "3600"
    fleet.tell(100)
    worker = fleet.start("a", "archive")
    fleet.until(
        lambda: worker.status.exists() and "records_total" in worker.ask("/metrics")[1],
        ARCHIVED_WITHIN_S,
    )
    fleet.tell(100)
    os.kill(worker.everybody()[-1], signal.SIGKILL)
    assert worker.process.wait(30) == 1
    fleet.environment["MAILTUMBLE_ARCHIVE_EVERY_S"] = "1"
    worker = fleet.start("a", "archive")
    records = len(fleet.records())

    def archived() -> int:
        return sum(head.records for head in heads.every(fleet.items))

    fleet.until(lambda: archived() == records, ARCHIVED_WITHIN_S)
    fleet.tell(10)
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(30) == 0
    done = fleet.call("archive", "verify", "--json")
    assert done.returncode == 0, done.stdout
    assert all(each["on_stream"] for each in json.loads(done.stdout)["shards"])
