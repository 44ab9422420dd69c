"""kill -9 of every worker in the middle of its work: nothing is lost, nothing sent twice unsaid."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.e2e.conftest import PATIENCE_S, Stack
from tests.e2e.mails import accepted, add_aliases, attempts, mail, wanted

pytestmark = pytest.mark.servers

MAILS = 500
SENDS = 600
LEFT = 200
"""So many that the sender is killed with mail left."""
RATE = 10
"""So slow that there is mail left for every kill, however long a restart takes."""
LATENCY_MS = 800
OPEN_MIN = 5


def test_a_killed_worker_loses_nothing(start_stack: Callable[..., Stack]) -> None:
    """intake, core and sender are killed in turn in the middle of 500 messages, claims being open.

    Each is started again and takes its dead predecessor's place by itself; every message is
    completed, and a target has a message twice only where the log says that an outcome was
    unknown.
    """
    stack = start_stack("--rate", str(RATE))
    # So that calls are in the air whenever a worker dies: SES has the mail, nobody knows it.
    stack.change_ses(latency_ms=LATENCY_MS)
    add_aliases(stack)
    mails = [mail(number) for number in range(MAILS)]
    with ThreadPoolExecutor(2) as threads:
        coming = [threads.submit(stack.deliver, mails[half::2]) for half in range(2)]
        # Intake first, while mail comes in; core while there is much to route and to fold.
        for worker in ("intake", "core", "sender"):
            _kill_in_the_middle(stack, worker)
        for each in coming:
            each.result()
    stack.change_ses(rate=200, latency_ms=0)  # the rest shows nothing new
    ended = stack.await_ended(MAILS)
    assert {each["status"] for each in ended} == {"completed"}
    counts = accepted(stack.sent())
    assert set(counts) == wanted(ended)
    assert stack.stats()["throttled"] == 0
    _assert_doubles_are_told(stack, {key for key, count in counts.items() if count > 1})


def test_a_target_gets_a_mail_twice_only_where_its_fate_was_unknown(
    start_stack: Callable[..., Stack],
) -> None:
    """The sender dies with calls in the air, and SES's own events never come to tell of them.

    Then nobody can know, and the mails go again: those that SES had are doubles, and the log says
    of each that its outcome was unknown.
    """
    stack = start_stack("--rate", str(RATE))
    stack.change_ses(latency_ms=LATENCY_MS)
    sns, topic = stack.client("sns"), stack.state["resources"]["feedback_topic_arn"]
    for each in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]:
        sns.unsubscribe(SubscriptionArn=each["SubscriptionArn"])
    add_aliases(stack)
    stack.deliver([mail(number) for number in range(LEFT)])
    sender = stack.pids()["sender"]
    _await_open_claims(stack)
    os.kill(sender, signal.SIGKILL)
    stack.change_ses(rate=200, latency_ms=0)  # the rest shows nothing new
    ended = stack.await_ended(LEFT)
    assert {each["status"] for each in ended} == {"completed"}
    counts = accepted(stack.sent())
    assert set(counts) == wanted(ended)
    assert stack.stats()["throttled"] == 0
    twice = {key for key, count in counts.items() if count > 1}
    assert twice
    _assert_doubles_are_told(stack, twice)


def _kill_in_the_middle(stack: Stack, worker: str) -> None:
    """Kill the worker while a claim is open, and see another one take its place."""
    before = stack.pids()[worker]
    claims = _await_open_claims(stack)
    os.kill(before, signal.SIGKILL)
    killed, killed_at = time.monotonic(), time.time_ns() // 1000
    sent = stack.sent()
    # Made before the kill, still to be used then, and SES has not seen it yet: it was open.
    outcomes = {each["tags"]["mailtumble-attempt"] for each in sent}
    was_open = [
        claim["attempt_id"]
        for claim in claims
        if claim["send_before"] > killed_at and claim["attempt_id"] not in outcomes
    ]
    assert was_open, f"no claim was open when {worker} was killed"
    assert 0 < len(sent) < SENDS
    while (pid := stack.pids().get(worker, before)) == before:
        assert time.monotonic() < killed + PATIENCE_S
    while _at_work(stack, worker) != pid:
        assert time.monotonic() < killed + PATIENCE_S, f"{worker} did not take its place"
        time.sleep(0.1)


def _await_open_claims(stack: Stack) -> list[dict[str, Any]]:
    """Claims that stood in the table before SES's list was read, and whose mails it lacks.

    A few, since some of them are used before the kill.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        claims: list[dict[str, Any]] = [dict(item) for item in stack.items.scan("claims")]
        outcomes = {each["tags"]["mailtumble-attempt"] for each in stack.sent()}
        now = time.time_ns() // 1000
        found = [
            claim
            for claim in claims
            if claim["attempt_id"] not in outcomes and claim["send_before"] > now
        ]
        # Something must have been sent before: the middle is neither the beginning nor the end.
        if len(found) >= OPEN_MIN and outcomes:
            return found
        assert time.monotonic() < deadline, "hardly a claim is ever open"


def _at_work(stack: Stack, worker: str) -> int | None:
    """The pid that a worker writes down once it has the place and is at work."""
    path = stack.folder / ".mailtumble" / f"worker-{worker}.json"
    try:
        pid: int = json.loads(path.read_text(encoding="utf-8"))["pid"]
    except FileNotFoundError:
        return None
    return pid


def _assert_doubles_are_told(stack: Stack, twice: set[tuple[str, str]]) -> None:
    """No attempt was accepted twice; of a target's attempts all but the last were unknown."""
    tried = attempts(stack.sent())
    everything = [each for some in tried.values() for each in some]
    assert len(set(everything)) == len(everything)
    for mail_id, address in twice:
        events = stack.json("mail", "show", mail_id)["events"]
        unknown = {
            event["payload"]["attempt_id"] for event in events if event["type"] == "SendUnknown"
        }
        *earlier, _ = tried[mail_id, address]
        assert unknown.issuperset(earlier), (mail_id, address)
