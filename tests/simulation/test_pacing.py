"""No throttle, and the quota is used: in virtual time, whatever the limiter and the clocks."""

from __future__ import annotations

import pytest

from mailtumble.local.ses.limiters import LIMITERS
from tests.simulation.pacing import MS, Scene, run

USED_LEAST = 0.95
"""Of what the quota would have let through."""


@pytest.mark.parametrize("limiter", LIMITERS)
@pytest.mark.parametrize("senders", [1, 4, 16])
@pytest.mark.parametrize("rate", [14.0, 80.0, 200.0])
def test_the_quota_is_used_and_never_overdrawn(limiter: str, senders: int, rate: float) -> None:
    """Clocks that are off by half a second, found by the Date headers, included."""
    result = run(Scene(limiter=limiter, senders=senders, rate=rate, seconds=30))
    assert result.throttled == 0
    assert result.used >= USED_LEAST


def test_without_the_estimate_clocks_are_felt() -> None:
    """So that the test above is about something."""
    scene = Scene(limiter="sliding", senders=4, rate=80.0, seconds=30, estimates=False)
    assert run(scene).throttled > 0


def test_a_debt_bucket_takes_more() -> None:
    """98 % of it, by setting."""
    scene = Scene(limiter="debt", senders=4, rate=80.0, seconds=30, fraction=0.982, skew_us=50 * MS)
    result = run(scene)
    assert result.throttled == 0
    assert result.used >= 0.98
