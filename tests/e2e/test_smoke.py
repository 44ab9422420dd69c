"""The smoke test of the real stack, which ``make test`` runs: one message from SMTP to SES."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.e2e.conftest import Stack
from tests.e2e.mails import add_aliases, body, by_smtp, mail

pytestmark = [pytest.mark.servers, pytest.mark.smoke]

PATIENCE_S = 120


def test_a_message_goes_from_smtp_to_ses(start_stack: Callable[..., Stack]) -> None:
    """SES accepts it once with its body unchanged, the views are right, and the stack stops."""
    stack = start_stack()
    recipient, raw = mail(1)
    add_aliases(stack, {recipient: ["jane@far.example"]})
    stack.deliver([(recipient, raw)])
    (ended,) = stack.await_ended(1, PATIENCE_S)
    assert ended["status"] == "completed"
    (sent,) = stack.sent()
    assert sent["to"] == ["jane@far.example"]
    assert sent["tags"]["mailtumble-mail"] == ended["mail_id"]
    assert body(stack.ses(f"/_local/sent/{sent['message_id']}/raw")) == body(by_smtp(raw))
    assert stack.json("verify")["ok"]
    stack.process.send_signal(signal.SIGTERM)
    assert stack.process.wait(PATIENCE_S) == 0
