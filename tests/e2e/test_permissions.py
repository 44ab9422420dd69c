"""Each worker's role has the calls that the worker makes: the real ones, written down by it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.conftest import PREFIX, STOPS_WITHIN_S, Stack, clean_environment
from tests.permissions import read_permissions
from tools.aws_calls.recorder import made, read_calls, recording

pytestmark = pytest.mark.servers

WORKERS = ("core", "sender", "intake", "archive")
ALIASES = (
    ("info@house.example", "t@far.example"),
    ("bounce@house.example", "bounce@simulator.amazonses.com"),
    ("held@house.example", "t@far.example", "--moderated"),
    ("late@house.example", "t@far.example", "--delay", "5"),
)
RULE = """
[[rule]]
name = "lists"
action = "hold"
header = { Subject = "hello, list" }
expires_after_h = 0.001
"""
"""Core reads the mail's header for it; after 3.6 s a timer decides."""
MAIL = b"From: Jane <jane@example.com>\r\nSubject: hello\r\n\r\nhello\r\n"


def test_every_call_is_granted_and_every_grant_is_used(
    start_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    """Mails, bounces, moderation, quarantine, timers, the archive: nothing denied or left over."""
    folder = tmp_path / "calls"
    folder.mkdir()
    rules = tmp_path / "rules.toml"
    rules.write_text(RULE, encoding="utf-8")
    environment = {**recording(folder), "MAILTUMBLE_MODERATION_RULES": str(rules)}
    stack = start_stack("--rate", "2", environment=environment)
    with archiving(stack, recording(folder)):
        _live(stack, tmp_path)
    # The good-bye takes calls too.
    stack.process.send_signal(signal.SIGTERM)
    stack.process.wait(STOPS_WITHIN_S)
    permissions, found = read_permissions(), made(read_calls(folder))
    denied = {name: found[name] - permissions[name].granted() for name in WORKERS}
    assert not any(denied.values()), denied
    unused = {name: permissions[name].calls - found[name] for name in WORKERS}
    assert not any(unused.values()), unused


@contextmanager
def archiving(stack: Stack, environment: Mapping[str, str]) -> Iterator[None]:
    """The archive beside the stack, which has none of its own."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "mailtumble.cli", "worker", "archive"],
        cwd=stack.folder,
        env=clean_environment({"MAILTUMBLE_ARCHIVE_EVERY_S": "1", **environment}),
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(STOPS_WITHIN_S) == 0
    finally:
        worker.kill()
        worker.wait()


def _live(stack: Stack, folder: Path) -> None:
    """Everything that a worker makes calls for, once."""
    usual, listed = folder / "usual.eml", folder / "listed.eml"
    usual.write_bytes(MAIL)
    listed.write_bytes(MAIL.replace(b"hello", b"hello, list", 1))
    _spoil(stack)
    with ThreadPoolExecutor(4) as shells:
        list(shells.map(lambda options: stack.run("aliases", "add", *options), ALIASES))
        names = ("bounce", "held", "late", "nobody")
        mails = dict(
            zip(
                names,
                shells.map(lambda name: stack.inject(usual, f"{name}@house.example"), names),
                strict=True,
            )
        )
    forgotten = stack.inject(listed, "info@house.example")
    stack.deliver([("info@house.example", MAIL)] * 12)
    stack.await_status(mails["held"], "held")
    stack.run("moderation", "approve", mails["held"])
    stack.await_status(mails["bounce"], "bounced")
    stack.run("queue", "pause", "--why", "a test")
    stack.run("queue", "resume", "--why", "the test goes on")
    stack.run("suppression", "remove", "bounce@simulator.amazonses.com", "--why", "a mistake")
    stack.await_status(mails["late"], "completed")
    # Nobody decides about it, so its timer does.
    stack.await_status(forgotten, "expired")


def _spoil(stack: Stack) -> None:
    """What can't be read: on the stream, on the queue, and among the dead letters."""
    kinesis, sqs = stack.client("kinesis"), stack.client("sqs")
    kinesis.put_record(StreamName=f"{PREFIX}-events", PartitionKey="garbage", Data=b"\xc1 garbage")
    for name in ("intake", "intake-dead-letters"):
        url = sqs.get_queue_url(QueueName=f"{PREFIX}-{name}")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"hello": name}))
