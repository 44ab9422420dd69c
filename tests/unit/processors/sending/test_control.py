"""One cut an epoch, at once; back up slowly, and never to nothing."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from processors.sending.control import (
    EPOCH_US,
    FLEET,
    WHOLE,
    Control,
    fleet_rate_milli,
    steered,
)
from schemas.values import SECOND_US

NOW = 1_790_000_000 * SECOND_US
FREE = Control()


def cut(at: int = NOW) -> Control:
    """After a first refusal."""
    made = FREE.refused(at, at)
    assert made is not None
    return made


def test_a_refusal_cuts_at_once() -> None:
    """By three tenths."""
    assert FREE.now(NOW) == WHOLE
    assert cut().now(NOW) == FLEET.cut
    assert steered(76_000, cut(), NOW) == 53_200


@given(st.integers(0, EPOCH_US - 1))
def test_an_epoch_has_one_cut(after_us: int) -> None:
    """What was reserved before the cut is refused too, as it has to be."""
    assert cut().refused(NOW + after_us, NOW + after_us + SECOND_US) is None


def test_the_next_epoch_cuts_again() -> None:
    """From where the rate stands by then."""
    again = cut().refused(NOW + EPOCH_US, NOW + EPOCH_US)
    assert again is not None
    assert again.factor == FLEET.cut * FLEET.cut // WHOLE


def test_the_whole_rate_comes_back_slowly() -> None:
    """In a minute, and by no more than a hundredth in two seconds."""
    control = cut()
    assert control.now(NOW + EPOCH_US) == FLEET.cut
    steps = range(0, FLEET.recovers_in_us + SECOND_US, 2 * SECOND_US)
    factors = [control.now(NOW + EPOCH_US + step) for step in steps]
    assert factors[-1] == WHOLE
    assert all(0 <= after - before <= 10 for before, after in pairwise(factors))


@given(st.lists(st.integers(0, 10 * SECOND_US), max_size=60))
def test_a_trickle_is_left_whatever_is_refused(waits: list[int]) -> None:
    """Or nobody would notice when SES takes mail again."""
    control, now = FREE, NOW
    for wait in waits:
        now += wait
        control = control.refused(now, now) or control
        assert FLEET.least <= control.now(now) <= WHOLE
        assert steered(1, control, now) == 1
    assert control.now(now + 20 * FLEET.recovers_in_us) == WHOLE


def test_no_rate_stays_none() -> None:
    """Where SES lets nothing out, there is nothing to cut."""
    assert steered(0, FREE, NOW) == 0


def test_the_fleets_rate_is_of_what_others_leave() -> None:
    """A share of it, less what a cut takes; none where SES lets nothing out."""
    assert fleet_rate_milli(80_000, 0, 0.95, FREE, NOW) == 76_000
    assert fleet_rate_milli(80_000, 30_000, 0.95, FREE, NOW) == 47_500
    assert fleet_rate_milli(80_000, 30_000, 0.95, cut(), NOW) == 33_250
    assert fleet_rate_milli(0, 30_000, 0.95, cut(), NOW) == 0
