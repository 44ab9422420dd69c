"""SES answers nothing that tells: the fleet stops after a few calls, and goes on by itself."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.e2e.conftest import PATIENCE_S, Stack
from tests.e2e.mails import accepted, add_aliases, mail, wanted

pytestmark = pytest.mark.servers

MAILS = 200
RATE = 40
IN_THE_AIR = 100
"""Calls of the moment in which it is noticed; without a stop all mails would be called for."""


def test_few_outcomes_become_unknown_where_ses_fails(start_stack: Callable[..., Stack]) -> None:
    """HTTP 500 for every call: perhaps each was sent. Nothing is lost, and none waits for good."""
    environment = {"MAILTUMBLE_UNKNOWN_WAIT_S": "3", "MAILTUMBLE_OUTAGE_PROBE_S": "1"}
    stack = start_stack("--rate", str(RATE), environment=environment)
    add_aliases(stack)
    stack.change_ses(error_rate=1)
    stack.deliver([mail(number) for number in range(MAILS)])
    deadline = time.monotonic() + PATIENCE_S
    while not stack.json("queue", "status")["stopped"]:
        assert time.monotonic() < deadline, stack.stats()
        time.sleep(0.5)
    assert "did not answer" in stack.run("queue", "status")
    # Two more messages are tried, a few seconds apart; all others wait.
    failed = stack.stats()["failed"]
    while stack.stats()["failed"] < failed + 2:
        assert time.monotonic() < deadline, stack.stats()
        time.sleep(0.2)
    assert stack.stats()["failed"] <= IN_THE_AIR
    stack.change_ses(error_rate=0)
    mails = stack.await_ended(MAILS)
    assert {each["status"] for each in mails} == {"completed"}
    assert set(accepted(stack.sent())) == wanted(mails)
    assert stack.json("queue", "status")["stopped"] == {}
