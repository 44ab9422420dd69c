"""No throttle, and the quota is used: in virtual time, whatever the limiter and the clocks."""

from __future__ import annotations

import pytest

from mailtumble.local.ses.limiters import LIMITERS
from processors.sending.control import EPOCH_US
from tests.simulation.pacing import MS, Scene, run

USED_LEAST = 0.95
"""Of what the quota would have let through."""
SPARSE = 14.0
LOST_WITH_THE_DEAD = 0.02
"""Of the quota of 40 s: what a third has in hand, two seconds ahead at the most."""
LOST_WHILE_AWAY = 0.01
"""The same of one of four, for a moment: then the others have taken its share."""
LOST_UNTIL_HEARD = 5 * 40 / (40 * 60)
"""Five seconds of the difference between the rates, of 40 s at both rates' mean."""


@pytest.mark.parametrize("limiter", LIMITERS)
@pytest.mark.parametrize("senders", [1, 4, 16])
@pytest.mark.parametrize("rate", [1.0, 14.0, 80.0, 200.0])
def test_the_quota_is_used_and_never_overdrawn(limiter: str, senders: int, rate: float) -> None:
    """Clocks that are off by half a second, found by the Date headers, included.

    One a second is what SES's sandbox allows.
    """
    result = run(Scene(limiter=limiter, senders=senders, rate=rate, seconds=30))
    assert result.throttled == 0
    assert result.used >= USED_LEAST


def test_without_the_estimate_clocks_are_felt() -> None:
    """So that the test above is about something."""
    scene = Scene(limiter="sliding", senders=4, rate=80.0, seconds=30, estimates=False)
    assert run(scene).throttled > 0


@pytest.mark.parametrize("limiter", LIMITERS)
def test_a_third_of_the_senders_may_die(limiter: str) -> None:
    """What they had in hand is lost; nothing is sent the faster for it."""
    scene = Scene(limiter=limiter, senders=6, rate=80.0, seconds=40, killed=2)
    result = run(scene)
    assert result.throttled == 0
    assert result.used >= USED_LEAST - LOST_WITH_THE_DEAD


@pytest.mark.parametrize("limiter", LIMITERS)
@pytest.mark.parametrize("seed", range(3))
def test_a_sender_may_be_restarted(limiter: str, seed: int) -> None:
    """At first it knows neither the time nor the quota; then it takes its part of the instants."""
    scene = Scene(limiter=limiter, senders=4, rate=80.0, seconds=40, restarted=1, seed=seed)
    result = run(scene)
    assert result.throttled == 0
    assert result.used >= USED_LEAST - LOST_WHILE_AWAY


@pytest.mark.parametrize("limiter", LIMITERS)
def test_late_calls_take_other_instants(limiter: str) -> None:
    """A tenth of the calls is late: they get others, and the quota is not overdrawn.

    Some find all dealt out that can be taken so far ahead, and end without a call.
    """
    scene = Scene(limiter=limiter, senders=4, rate=80.0, seconds=30, late=0.1)
    result = run(scene)
    assert result.missed > 30 * 80.0 * 0.08
    assert result.given_up < result.missed * 0.05
    assert result.throttled == 0
    assert result.used >= USED_LEAST - 0.12


@pytest.mark.parametrize("limiter", LIMITERS)
def test_a_higher_rate_is_followed(limiter: str) -> None:
    """Within the five seconds between two questions."""
    scene = Scene(limiter=limiter, senders=4, rate=40.0, changed_to=80.0, seconds=40)
    result = run(scene)
    assert result.throttled == 0
    assert result.used >= USED_LEAST - LOST_UNTIL_HEARD


@pytest.mark.parametrize("limiter", LIMITERS)
@pytest.mark.parametrize("rate", [2.0, 14.0, 80.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_lower_rate_costs_no_more_than_it_takes_to_hear_of_it(
    limiter: str, rate: float, seed: int
) -> None:
    """The first refusal slows the fleet down at once; then the quota is known, and none follows.

    None while the rate comes back either, though each second then has a grid of its own. A debt
    bucket may have lent enough until it is known, and at two a second chance may.
    """
    scene = Scene(
        limiter=limiter, senders=4, rate=rate, changed_to=rate / 2, seconds=120, seed=seed
    )
    refused_at = run(scene).refused_at
    assert refused_at or limiter == "debt" or rate < SPARSE
    assert not refused_at or refused_at[-1] - refused_at[0] <= EPOCH_US


def test_a_debt_bucket_takes_more() -> None:
    """98 % of it, by setting."""
    scene = Scene(limiter="debt", senders=4, rate=80.0, seconds=30, fraction=0.982, skew_us=50 * MS)
    result = run(scene)
    assert result.throttled == 0
    assert result.used >= 0.98
