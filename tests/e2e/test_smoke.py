"""The smoke test of the real stack, which ``make test`` runs: one message from SMTP to SES."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from tests.e2e.conftest import STOPS_WITHIN_S, Stack
from tests.e2e.mails import add_aliases, body, by_smtp, mail

pytestmark = [pytest.mark.servers, pytest.mark.smoke]


def test_a_message_goes_from_smtp_to_ses(start_stack: Callable[..., Stack]) -> None:
    """SES accepts it once with its body unchanged, the views are right, and the stack stops."""
    stack = start_stack()
    recipient, raw = mail(1)
    add_aliases(stack, {recipient: ["jane@far.example"]})
    stack.deliver([(recipient, raw)])
    (ended,) = stack.await_ended(1)
    assert ended["status"] == "completed"
    (sent,) = stack.sent()
    assert sent["to"] == ["jane@far.example"]
    assert sent["tags"]["mailtumble-mail"] == ended["mail_id"]
    assert body(stack.ses(f"/_local/sent/{sent['message_id']}/raw")) == body(by_smtp(raw))
    assert stack.json("verify")["ok"]
    core = stack.pids()["core"]
    assert os.getpriority(os.PRIO_PROCESS, core) == os.getpriority(os.PRIO_PROCESS, 0)
    stack.process.send_signal(signal.SIGTERM)
    assert stack.process.wait(STOPS_WITHIN_S) == 0
