"""The local stack does what the README says: mail in by SMTP, out at SES's API, nothing lost."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.e2e.conftest import Stack

pytestmark = pytest.mark.servers

HOUSE = [f"alias{number}@house.example" for number in range(5)]


def _mail(number: int) -> bytes:
    body = f"hello {number}\r\nlast line\r\n"
    return f"From: Jane <jane@example.com>\r\nSubject: mail {number}\r\n\r\n{body}".encode()


def _aliases(stack: Stack) -> int:
    """Five aliases, the first with two targets."""
    for index, alias in enumerate(HOUSE):
        targets = [f"t{index}.{each}@far.example" for each in range(2 if index == 0 else 1)]
        stack.run("aliases", "add", alias, *targets)
    return len(HOUSE)


def _accepted_once(stack: Stack) -> Counter[tuple[str, str]]:
    sent = json.loads(stack.ses("/_local/sent"))
    return Counter((each["tags"]["mailtumble-mail"], each["to"][0]) for each in sent)


@pytest.mark.parametrize("limiter", ["fixed", "sliding", "debt"])
def test_every_target_gets_every_mail_once_without_a_throttle(
    start_stack: Callable[..., Stack], limiter: str
) -> None:
    """Under each limiter: all completed, once per target, bodies untouched, no 429."""
    stack = start_stack("--rate", "50", "--limiter", limiter)
    _aliases(stack)
    stack.deliver([(HOUSE[number % 5], _mail(number)) for number in range(100)])
    mails = stack.await_ended(100, 90)
    assert {mail["status"] for mail in mails} == {"completed"}
    counts = _accepted_once(stack)
    wanted = {(m["mail_id"], t["address"]) for m in mails for t in m["targets"]}
    assert set(counts) == wanted
    assert set(counts.values()) == {1}
    assert json.loads(stack.ses("/_local/stats"))["throttled"] == 0
    subjects = {mail["mail_id"]: mail["subject"] for mail in mails}
    for each in json.loads(stack.ses("/_local/sent"))[:10]:
        number = subjects[each["tags"]["mailtumble-mail"]].removeprefix("mail ")
        raw = stack.ses(f"/_local/sent/{each['message_id']}/raw")
        assert raw.partition(b"\r\n\r\n")[2] == _mail(int(number)).partition(b"\r\n\r\n")[2]
    queue = stack.json("queue", "status")
    assert (queue["waiting"], queue["due"]) == (0, 0)
    assert queue["quota"]["max_send_rate"] == 50


@pytest.mark.parametrize("worker", ["core", "sender", "intake"])
def test_a_killed_worker_loses_nothing(start_stack: Callable[..., Stack], worker: str) -> None:
    """A kill -9 in the middle: it is started again, takes its own place, and every mail ends."""
    stack = start_stack("--rate", "50")
    _aliases(stack)
    stack.deliver([(HOUSE[number % 5], _mail(number)) for number in range(100)])
    deadline = time.monotonic() + 30
    while not json.loads(stack.ses("/_local/stats"))["accepted"]:
        assert time.monotonic() < deadline
    pids = {row["name"]: row["pid"] for row in stack.json("local", "status")}
    os.kill(pids[worker], signal.SIGKILL)
    mails = stack.await_ended(100, 150)
    assert {mail["status"] for mail in mails} == {"completed"}
    again = {row["name"]: row["pid"] for row in stack.json("local", "status")}
    assert again[worker] != pids[worker]
    # Only an attempt whose outcome nobody knew may have been repeated.
    twice = {key for key, count in _accepted_once(stack).items() if count > 1}
    retried = {
        (mail["mail_id"], target["address"])
        for mail in mails
        for target in mail["targets"]
        if target["attempts"] > 1
    }
    assert twice <= retried


def test_sigterm_ends_everything_in_order(start_stack: Callable[..., Stack]) -> None:
    """Within 10 s, exit code 0, and no process is left."""
    stack = start_stack()
    pids = [row["pid"] for row in stack.json("local", "status")]
    stack.process.send_signal(signal.SIGTERM)
    assert stack.process.wait(10) == 0
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
