"""Real sender processes share one quota: a short form of benchmarks/pacing.py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.servers

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "pacing.py"
USED_LEAST = 0.6
"""With nothing else on the machine it is 0.95; beside two other test suites 0.7 was measured."""


def test_a_fleet_of_processes_is_never_refused() -> None:
    """Four senders, 80/s: not one call too fast, and the quota is used.

    Under a debt, as SES is seen to measure. A strict sliding window feels each stall of the
    machine, of the local SES's process too: it is played in virtual time (tests/simulation).
    """
    ended = subprocess.run(
        [sys.executable, str(SCRIPT), "--only", "short", "--json"],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    (table,) = json.loads(ended.stdout)
    rows = {row["sender"]: row for row in table["rows"]}
    assert set(rows) == {"whole sender", "its pacing and transport"}
    for row in rows.values():
        assert (row["limiter"], row["senders"], row["per s"]) == ("debt", 4, "80")
        assert row["throttled"] == 0
        assert row["used %"] >= 100 * USED_LEAST
        assert row["remark"] == ""  # nothing was sent twice
