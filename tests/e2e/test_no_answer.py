"""SES answers nothing that tells: the fleet stops after a few calls, and goes on by itself."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.e2e.conftest import Stack
from tests.e2e.mails import accepted, add_aliases, mail, wanted

pytestmark = pytest.mark.servers

MAILS = 200
RATE = 40
IN_THE_AIR = 100
"""Calls of the moment in which it is noticed; without a stop all mails would be called for."""


def test_few_outcomes_become_unknown_where_ses_fails(start_stack: Callable[..., Stack]) -> None:
    """HTTP 500 for every call: perhaps each was sent. Nothing is lost, and none waits for good."""
    environment = {"MAILTUMBLE_UNKNOWN_WAIT_S": "3"}
    stack = start_stack("--rate", str(RATE), environment=environment)
    add_aliases(stack)
    stack.change_ses(error_rate=1)
    stack.deliver([mail(number) for number in range(MAILS)])
    deadline = time.monotonic() + 60
    while not stack.json("queue", "status")["stopped"]:
        assert time.monotonic() < deadline, stack.stats()
        time.sleep(0.5)
    assert "did not answer" in stack.run("queue", "status")
    time.sleep(3)
    failed = stack.stats()["failed"]
    assert failed <= IN_THE_AIR
    time.sleep(6)
    assert stack.stats()["failed"] - failed <= 2
    stack.change_ses(error_rate=0)
    mails = stack.await_ended(MAILS, 120)
    assert {each["status"] for each in mails} == {"completed"}
    assert set(accepted(stack.sent())) == wanted(mails)
    assert stack.json("queue", "status")["stopped"] == {}
