"""Every message goes to every target once, with the body that came in."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Stack
from tests.e2e.mails import HOUSE, accepted, add_aliases, body, by_smtp, mail, wanted

pytestmark = pytest.mark.servers

MAILS = 120
"""All kinds of bodies, and a few larger than what is sent on a thread of its own."""
DOMAIN = "house.example"
RATE = 100
"""Of the shared stack."""


def test_every_target_gets_every_message_once_and_unchanged(shared_stack: Stack) -> None:
    """Messages to five aliases: all completed, once a target, bodies as in S3, none throttled."""
    stack = shared_stack
    add_aliases(stack)
    throttled = stack.stats()["throttled"]
    stack.deliver([mail(number) for number in range(MAILS)])
    mails = stack.await_ended(MAILS, DOMAIN)
    assert {each["status"] for each in mails} == {"completed"}
    counts = accepted(stack.sent(DOMAIN))
    assert set(counts) == wanted(mails)
    assert set(counts.values()) == {1}
    assert stack.stats()["throttled"] == throttled
    assert sum(counts.values()) == sum(map(len, HOUSE.values())) * MAILS // len(HOUSE)
    _assert_bodies(stack, {each["mail_id"]: each["subject"] for each in mails})
    assert stack.json("queue", "status")["quota"]["max_send_rate"] == RATE


def _assert_bodies(stack: Stack, subjects: dict[str, str]) -> None:
    """Each mail that went out has the body of the S3 object, and that is what came by SMTP."""
    stored = stack.stored(list(HOUSE))
    numbers = set()
    for each in stack.sent(DOMAIN):
        mail_id = each["tags"]["mailtumble-mail"]
        number = int(subjects[mail_id].removeprefix("mail "))
        numbers.add(number)
        went_out = stack.ses(f"/_local/sent/{each['message_id']}/raw")
        assert body(went_out) == body(stored[mail_id]), number
        assert stored[mail_id] == by_smtp(mail(number)[1]), number
    assert numbers == set(range(MAILS))
