"""Under each way of measuring a rate: every mail goes to every target once, as it came."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.e2e.conftest import Stack
from tests.e2e.mails import HOUSE, accepted, add_aliases, body, by_smtp, mail, wanted

pytestmark = pytest.mark.servers

MAILS = 500
RATE = 50


@pytest.mark.parametrize("limiter", ["fixed", "sliding", "debt"])
def test_every_target_gets_every_mail_once_without_a_throttle(
    start_stack: Callable[..., Stack], limiter: str
) -> None:
    """500 mails to 5 aliases: all completed, once a target, bodies as in S3, nothing throttled."""
    stack = start_stack("--rate", str(RATE), "--limiter", limiter)
    in_force = json.loads(stack.ses("/_local/settings"))
    assert (in_force["limiter"], in_force["rate"]) == (limiter, RATE)
    add_aliases(stack)
    stack.deliver([mail(number) for number in range(MAILS)])
    mails = stack.await_ended(MAILS, 180)
    assert {each["status"] for each in mails} == {"completed"}
    sent = stack.sent()
    counts = accepted(sent)
    assert set(counts) == wanted(mails)
    assert set(counts.values()) == {1}
    stats = stack.stats()
    assert (stats["accepted"], stats["throttled"]) == (sum(map(len, HOUSE.values())) * 100, 0)
    _assert_bodies(stack, {each["mail_id"]: each["subject"] for each in mails})
    queue = stack.json("queue", "status")
    assert (queue["waiting"], queue["due"]) == (0, 0)
    assert queue["quota"]["max_send_rate"] == RATE


def _assert_bodies(stack: Stack, subjects: dict[str, str]) -> None:
    """Each mail that went out has the body of the S3 object, and that is what came by SMTP."""
    stored = stack.stored(list(HOUSE))
    numbers = set()
    for each in stack.sent():
        mail_id = each["tags"]["mailtumble-mail"]
        number = int(subjects[mail_id].removeprefix("mail "))
        numbers.add(number)
        went_out = stack.ses(f"/_local/sent/{each['message_id']}/raw")
        assert body(went_out) == body(stored[mail_id]), number
        assert stored[mail_id] == by_smtp(mail(number)[1]), number
    assert numbers == set(range(MAILS))
