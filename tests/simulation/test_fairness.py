"""A campaign of 40,000 mails drains, and a single mail of somebody else does not feel it."""

from __future__ import annotations

from schemas.values import SECOND_US
from tests.simulation.fairness import OTHERS, beside_a_campaign, estimates

SOON_US = 5 * SECOND_US


def test_others_leave_within_seconds_during_a_campaign() -> None:
    """99 of 100 within 5 s of their arrival; and the campaign has all the rest of the quota."""
    others = beside_a_campaign(seed=5)
    assert len(others.waits) == OTHERS
    assert others.waits[OTHERS * 99 // 100 - 1] <= SOON_US
    assert others.used >= 0.95


def test_the_estimate_of_a_draining_queue_is_right() -> None:
    """The median error over mails all along the first minute is below 10 %."""
    errors = estimates(seed=7)
    assert len(errors) > 1000
    assert errors[len(errors) // 2] < 0.1
