"""SES lets nothing out, or no more today: the fleet waits as one, and goes on by itself."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable

import pytest

from processors.sending.stops import PROBE_GROWS_MAX, whose_sending
from schemas.events import SendingRestored, SendingStopped
from tests.e2e.conftest import PATIENCE_S, Stack
from tests.e2e.evidence import log_lines, metric, told
from tests.e2e.mails import accepted, add_aliases, mail, wanted

pytestmark = pytest.mark.servers

MAILS = 60
DAY_S = 24 * 60 * 60
RATE = 20
PROBE_S = 0.5
IN_THE_AIR = 4 * RATE
"""Calls may be on their way before all senders have heard; far fewer than there are mails twice."""


def _await(stack: Stack, is_so: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline, (stack.stats(), stack.json("queue", "status"))
        time.sleep(0.5)


def _logged(stack: Stack, begin: str) -> list[str]:
    """The levels of the sender's lines that begin so."""
    lines = log_lines(stack, ["sender"])
    return [line["level"] for line in lines if line["message"].startswith(begin)]


def _all_sent_once(stack: Stack) -> None:
    mails = stack.await_ended(MAILS)
    assert {each["status"] for each in mails} == {"completed"}
    counts = accepted(stack.sent())
    assert set(counts) == wanted(mails)
    assert set(Counter(counts.values())) == {1}
    assert (stack.stats()["throttled"], stack.stats()["daily_refused"]) == (0, 0)


def _tries_within(seconds: float) -> float:
    """Return how many messages may be tried: after a wait that doubles up to twelve times."""
    return math.log2(seconds / PROBE_S + 1) + seconds / (PROBE_GROWS_MAX * PROBE_S)


@pytest.mark.parametrize("refuses", ["suspended", "disabled", "unverified house.example"])
def test_the_fleet_stops_with_one_event_and_goes_on_by_itself(
    start_stack: Callable[..., Stack], refuses: str
) -> None:
    """Nothing is lost and nothing sent twice; while it stands single mails are tried, or none.

    The command line, the sender's metrics and its log say so, and that it goes on.
    """
    stack = start_stack(
        "--rate", str(RATE), environment={"MAILTUMBLE_OUTAGE_PROBE_S": str(PROBE_S)}
    )
    add_aliases(stack)
    stack.change_ses(refuses=refuses)
    delivered_at = time.monotonic()
    stack.deliver([mail(number) for number in range(MAILS)])
    _await(stack, lambda: bool(stack.json("queue", "status")["stopped"]))
    scope = "house.example" if refuses.startswith("unverified") else ""
    assert set(stack.json("queue", "status")["stopped"]) == {scope}
    assert "is stopped" in stack.run("queue", "status")
    _await(stack, lambda: metric(stack, "sender", "mailtumble_sending_stopped") == 1)
    assert _logged(stack, f"{whose_sending(scope)} is stopped: ") == ["error"]
    assert _logged(stack, f"{whose_sending(scope)} goes on") == []
    time.sleep(2)
    before = stack.stats()["stopped"]
    assert before <= IN_THE_AIR
    time.sleep(5)
    # However slow this machine is: so many tries fit between the stop and now.
    tries = _tries_within(time.monotonic() - delivered_at)
    assert stack.stats()["stopped"] - before <= tries
    assert stack.stats()["accepted"] == 0
    stack.change_ses(refuses="")
    _all_sent_once(stack)
    assert stack.json("queue", "status")["stopped"] == {}
    _await(stack, lambda: metric(stack, "sender", "mailtumble_sending_stopped") == 0)
    assert _logged(stack, f"{whose_sending(scope)} is stopped: ") == ["error"]
    assert _logged(stack, f"{whose_sending(scope)} goes on") == ["warning"]
    assert [event.scope for event in told(stack, SendingStopped)] == [scope]
    assert [event.scope for event in told(stack, SendingRestored)] == [scope]


def test_a_day_that_is_used_up_is_never_overdrawn(start_stack: Callable[..., Stack]) -> None:
    """SES has refused nothing, the rest waits, and leaves when there is a new quota."""
    stack = start_stack("--rate", str(RATE))
    add_aliases(stack)
    stack.change_ses(daily_quota=40)
    _await(stack, lambda: stack.json("queue", "status")["quota"]["max_24h"] == 40)
    stack.deliver([mail(number) for number in range(MAILS)])
    _await(stack, lambda: stack.stats()["accepted"] >= 38)
    time.sleep(5)
    assert stack.stats()["accepted"] == 38
    status = stack.json("queue", "status")
    assert status["waiting"] > 0
    # What was sent is free again after a day, to the minute; so long the rest waits.
    assert DAY_S - 60 <= status["eta_seconds"] <= DAY_S + 120
    assert status["quota"]["frees_at"] is not None
    stack.change_ses(daily_quota=-1)
    _all_sent_once(stack)
