"""The archive beside a running system: all of the stream, through a kill, and checked whole."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Stack, clean_environment
from tests.e2e.mails import HOUSE, add_aliases

pytestmark = pytest.mark.servers

MAILS = 60
ARCHIVED_WITHIN_S = 60
RAW = b"From: Jane <jane@example.com>\r\nSubject: hello\r\n\r\nhello\r\n"


def start(stack: Stack, log: Path) -> subprocess.Popen[bytes]:
    """An archive worker in the stack's folder."""
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "mailtumble.cli", "worker", "archive"],
            cwd=stack.folder,
            env={**clean_environment({}), "MAILTUMBLE_ARCHIVE_EVERY_S": "1"},
            stdout=out,
            stderr=out,
        )


def archived(stack: Stack) -> int:
    """How many records."""
    return sum(row["records"] for row in stack.json("archive", "list"))


def until_archived(stack: Stack, count: int) -> None:
    """Wait for so many records."""
    deadline = time.monotonic() + ARCHIVED_WITHIN_S
    while (found := archived(stack)) < count:
        assert time.monotonic() < deadline, (found, count)
        time.sleep(0.5)


def test_the_archive_has_the_stream(start_stack: Callable[..., Stack], tmp_path: Path) -> None:
    """Killed in the middle and started again, then stopped in order: no record is missing."""
    stack = start_stack("--rate", "100", "--daily-quota", "-1")
    add_aliases(stack)
    worker = start(stack, tmp_path / "first.log")
    try:
        names = list(HOUSE)
        stack.deliver([(names[number % len(names)], RAW) for number in range(MAILS // 2)])
        until_archived(stack, MAILS // 2)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        stack.deliver([(names[number % len(names)], RAW) for number in range(MAILS // 2)])
        worker = start(stack, tmp_path / "second.log")
        stack.await_ended(MAILS, 60)
        told = stack.json("verify")
        until_archived(stack, told["records"])
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0
    finally:
        worker.kill()
        worker.wait()
    verdict = stack.json("archive", "verify")
    assert verdict["ok"]
    assert sum(each["records"] for each in verdict["shards"]) >= told["records"]
    bucket = f"{stack.state['resources']['bucket'].removesuffix('-mail')}-archive"
    s3 = stack.client("s3")
    victim = s3.list_objects_v2(Bucket=bucket)["Contents"][0]["Key"]
    s3.delete_object(Bucket=bucket, Key=victim)
    done = stack.call("archive", "verify", "--json")
    assert done.returncode == 1
    assert victim.rpartition(".")[2] in json.dumps(json.loads(done.stdout)["shards"])
