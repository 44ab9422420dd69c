"""SES takes mail and its answer is lost: each is cleared up, or ends as its policy says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from tests.e2e.conftest import Stack
from tests.e2e.mails import accepted, add_aliases, mail, wanted

pytestmark = pytest.mark.servers

MAILS = 200
LOST = 0.05
"""More than 1 in 50, so that some dozen are lost."""


@pytest.mark.parametrize("policy", ["resend", "park"])
@pytest.mark.parametrize("events", [True, False])
def test_duplicates_are_among_the_marked_and_park_has_none(
    start_stack: Callable[..., Stack], policy: str, *, events: bool
) -> None:
    """With SES's own events all are reconciled; without them the policy decides."""
    environment = {"MAILTUMBLE_ON_UNKNOWN": policy, "MAILTUMBLE_UNKNOWN_WAIT_S": "20"}
    if not events:
        # No configuration set, no events: nothing is ever heard of what was lost.
        environment |= {"MAILTUMBLE_CONFIGURATION_SET": "", "MAILTUMBLE_UNKNOWN_WAIT_S": "1"}
    stack = start_stack("--rate", "50", "--lost-reply-rate", str(LOST), environment=environment)
    add_aliases(stack)
    stack.deliver([mail(number) for number in range(MAILS)])
    mails = stack.await_ended(MAILS, 240)
    counts = accepted(stack.sent())
    assert set(counts) == wanted(mails)
    doubled = {target for target, count in counts.items() if count > 1}
    statuses = Counter(each["status"] for each in mails)
    if events or policy == "park":
        assert doubled == set()
    if events or policy == "resend":
        assert set(statuses) == {"completed"}
    else:
        assert statuses["parked"] > 0
    assert stack.stats()["throttled"] == 0
    for mail_id, _ in sorted(doubled)[:5]:
        told = stack.json("mail", "show", mail_id)["events"]
        again = [each["payload"] for each in told if each["type"] == "SendScheduled"]
        assert any(each["possible_duplicate"] for each in again)
