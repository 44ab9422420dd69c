"""SES takes mail and its answer is lost: each is cleared up, or ends as its policy says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from schemas.events import SendScheduled, SendUnknown
from tests.e2e.conftest import Stack
from tests.e2e.evidence import told
from tests.e2e.mails import add_aliases, attempts, mail, wanted

pytestmark = pytest.mark.servers

MAILS = 60
LOST = 0.2
"""Far more than in life, so that some dozen are lost."""


@pytest.mark.parametrize("policy", ["resend", "park"])
@pytest.mark.parametrize("events", [True, False])
def test_duplicates_are_among_the_marked_and_park_has_none(
    start_stack: Callable[..., Stack], policy: str, *, events: bool
) -> None:
    """With SES's own events all are reconciled; without them the policy decides."""
    environment = {"MAILTUMBLE_ON_UNKNOWN": policy, "MAILTUMBLE_UNKNOWN_WAIT_S": "600"}
    if not events:
        # No configuration set, no events: nothing is ever heard of what was lost.
        environment |= {"MAILTUMBLE_CONFIGURATION_SET": "", "MAILTUMBLE_UNKNOWN_WAIT_S": "1"}
    stack = start_stack("--rate", "50", "--lost-reply-rate", str(LOST), environment=environment)
    add_aliases(stack)
    stack.deliver([mail(number) for number in range(MAILS)])
    mails = stack.await_ended(MAILS)
    tried = attempts(stack.sent())
    assert set(tried) == wanted(mails)
    doubled = {target for target, some in tried.items() if len(some) > 1}
    statuses = Counter(each["status"] for each in mails)
    if events or policy == "park":
        assert doubled == set()
    else:
        assert doubled
    if events or policy == "resend":
        assert set(statuses) == {"completed"}
    else:
        assert statuses["parked"] > 0
    assert stack.stats()["throttled"] == 0
    assert told(stack, SendUnknown), "no reply was lost"
    scheduled = told(stack, SendScheduled)
    marked = {each.attempt_id for each in scheduled if each.possible_duplicate}
    for key in doubled:
        _, *again = tried[key]
        assert marked.issuperset(again), key
