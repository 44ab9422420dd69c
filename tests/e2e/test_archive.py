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
WITHIN_S = 600
"""For whatever is waited for: other tests may keep the machine busy."""
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
    deadline = time.monotonic() + WITHIN_S
    while (found := archived(stack)) < count:
        assert time.monotonic() < deadline, (found, count)
        time.sleep(0.5)


def shard_of_a_segment(stack: Stack) -> str:
    """Return a shard of which something is archived."""
    return str(stack.json("archive", "list")[0]["shard"])


def lose(stack: Stack, shard: str, *, segments: bool) -> None:
    """Take a shard's head and cursor away, as a table restored from an older copy lacks them."""
    prefix = stack.state["resources"]["bucket"].removesuffix("-mail")
    database, s3 = stack.client("dynamodb"), stack.client("s3")
    for name in (f"archive-head#{shard}", f"archive#0#{shard}"):
        database.delete_item(TableName=f"{prefix}-cursors", Key={"cursor": {"S": name}})
    if segments:
        bucket = f"{prefix}-archive"
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"segments/{shard}/")
        for each in listed["Contents"]:
            s3.delete_object(Bucket=bucket, Key=each["Key"])


def verified(stack: Stack, shard: str) -> tuple[int, list[str]]:
    """Verify the archive: the exit code, and the kinds of the shard's problems."""
    done = stack.call("archive", "verify", "--json")
    shards = {each["shard"]: each for each in json.loads(done.stdout)["shards"]}
    assert all(not each["problems"] for name, each in shards.items() if name != shard)
    return done.returncode, [each["kind"] for each in shards[shard]["problems"]]


def test_a_lost_head_fails_until_somebody_acknowledges_it(
    start_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    """While the worker is stopped and after it has begun a new chain; then its segments go too."""
    stack = start_stack("--rate", "100", "--daily-quota", "-1")
    add_aliases(stack)
    name = next(iter(HOUSE))

    def run_worker(log: str, mails_so_far: int) -> None:
        worker = start(stack, tmp_path / log)
        try:
            stack.deliver([(name, RAW)])
            stack.await_ended(mails_so_far)
            until_archived(stack, stack.json("verify")["records"])
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(WITHIN_S) == 0
        finally:
            worker.kill()
            worker.wait()

    run_worker("first.log", 1)
    shard = shard_of_a_segment(stack)
    assert verified(stack, shard) == (0, [])
    for log, mails_so_far, segments in (("second.log", 2, False), ("third.log", 3, True)):
        lose(stack, shard, segments=segments)
        code, kinds = verified(stack, shard)
        assert (code, kinds[:1]) == (1, ["no-head"])
        run_worker(log, mails_so_far)
        code, kinds = verified(stack, shard)
        assert (code, kinds[:1]) == (1, ["restarted"])
        assert shard in stack.call("archive", "verify").stderr
        stack.json("archive", "acknowledge", shard, "--reason", "restored from an older copy")
        assert verified(stack, shard) == (0, kinds)


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
        stack.await_ended(MAILS)
        told = stack.json("verify")
        until_archived(stack, told["records"])
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(WITHIN_S) == 0
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
