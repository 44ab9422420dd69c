"""Instants lie on an even grid: no rate is rounded away, whatever it is."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import ceil

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from processors.sending.pacing import (
    FRONT_MOST_US,
    IN_HAND_US,
    RATE_UNIT,
    Appetite,
    Slice,
    slice_number,
    target_rate_milli,
)
from schemas.values import SECOND_US

RATES = st.integers(1, 500_000)
"""Thousandths per second: from one mail in 17 minutes to 500 a second."""

NUMBERS = st.integers(0, 4_000_000_000)
NOW = 1_760_000_000


def _instants(first: int, seconds: int, rate: int) -> list[int]:
    slices = [Slice(number, rate) for number in range(first, first + seconds)]
    return [part.instant_at(index) for part in slices for index in range(part.size)]


@given(NUMBERS, st.integers(1, 10_000), RATES)
@example(NOW, 1000, 13_300)
@example(NOW, 1000, 300)
@example(NOW, 1, 1)
def test_slices_sum_up_to_the_rate(first: int, seconds: int, rate: int) -> None:
    """Over n whole seconds: what the grid holds, ceil(b*r) - ceil(a*r), so r*n to within 1."""
    total = sum(Slice(first + index, rate).size for index in range(min(seconds, 200)))
    end = first + min(seconds, 200)
    exact = Fraction(rate, RATE_UNIT)
    assert total == ceil(end * exact) - ceil(first * exact)
    assert abs(total - (end - first) * exact) < 1


@given(NUMBERS, RATES)
@example(NOW, 13_300)
@example(NOW, 300)
def test_no_instant_is_lost_or_doubled_between_slices(first: int, rate: int) -> None:
    """Each slice goes on with the number of the grid at which the one before ended."""
    part = Slice(first, rate)
    assert part.first + part.size == Slice(first + 1, rate).first
    assert part.size >= 0


@given(NUMBERS, RATES)
@example(NOW, 13_300)
@example(NOW, 300)
def test_instants_are_evenly_spaced(first: int, rate: int) -> None:
    """Also across slices: neighbours are 1/r apart, to the microsecond."""
    instants = _instants(first, 10, rate)
    exact = Fraction(RATE_UNIT * SECOND_US, rate)
    gaps = [after - before for before, after in pairwise(instants)]
    assert all(abs(gap - exact) < 1 for gap in gaps)


@given(NUMBERS, RATES)
def test_instants_lie_within_their_slice(number: int, rate: int) -> None:
    """So a slice's instants can be given away without knowing of any other slice."""
    part = Slice(number, rate)
    instants = [part.instant_at(index) for index in range(part.size)]
    assert all(slice_number(at) == number for at in instants)
    assert instants == sorted(instants)


@given(NUMBERS, RATES, st.integers(-1_500_000, 1_500_000))
def test_what_has_passed_is_counted_exactly(number: int, rate: int, offset: int) -> None:
    """The instants before now, by number: those that nobody can use any more."""
    part = Slice(number, rate)
    now = number * SECOND_US + offset
    instants = [part.instant_at(index) for index in range(part.size)]
    assert part.passed(now) == sum(1 for at in instants if at < now)


@pytest.mark.parametrize(
    ("rate", "sizes"), [(14_000, {14}), (13_300, {13, 14}), (300, {0, 1}), (500, {0, 1})]
)
def test_known_rates(rate: int, sizes: set[int]) -> None:
    """14/s, 13.3/s, and one mail every 3.3 or 2 seconds."""
    found = [Slice(NOW + index, rate).size for index in range(1000)]
    assert set(found) == sizes
    assert abs(sum(found) - rate) <= 1


@given(st.integers(1, 500_000), st.integers(1, 500_000), st.integers(0, 10**6))
def test_of_a_slice_so_many_instants_are_kept_as_another_rate_has(
    rate: int, other: int, number: int
) -> None:
    """Evenly spread: any two that are kept next to each other lie as far apart as at that rate."""
    part = Slice(number, rate)
    kept = [at for at in map(part.instant_at, range(part.size)) if part.keeps(at, other)]
    if other >= rate:
        assert len(kept) == part.size
    else:
        assert abs(len(kept) - Slice(number, other).size) <= 1
        gaps = [after - before for before, after in pairwise(kept)]
        nearest = 1_000_000_000 // other - 1_000_000_000 // rate - 1
        assert all(gap >= nearest for gap in gaps)


@given(st.integers(0, 10**6), st.integers(1, 300_000), st.integers(1, 300_000))
def test_where_the_rate_changes_instants_keep_their_distance(
    number: int, before: int, after: int
) -> None:
    """That of the faster rate; at one and the same rate none is left out."""
    old, new = Slice(number, before), Slice(number + 1, after)
    first = new.first_after(old)
    assert first in (0, 1)
    assert before != after or first == 0
    if old.size and first < new.size:
        apart_us = new.instant_at(first) - old.instant_at(old.size - 1)
        assert apart_us >= SECOND_US * RATE_UNIT // max(before, after)


@pytest.mark.parametrize(
    ("max_send_rate", "fraction", "rate"),
    [(14.0, 0.9, 12_600), (1.0, 0.9, 900), (14.777, 1.0, 14_777), (0.0, 0.9, 0)],
)
def test_the_target_is_a_share_of_the_quota(
    max_send_rate: float, fraction: float, rate: int
) -> None:
    """In thousandths, never above what is allowed."""
    assert target_rate_milli(max_send_rate, fraction) == rate


@given(st.floats(1, 64), st.integers(0, 64), st.integers(0, 3_000_000))
def test_an_appetite_stays_within_what_a_sender_can_hold(
    size: float, count: int, front_us: int
) -> None:
    """At least one, or it would never learn."""
    wanted = Appetite(size).wanted(NOW)
    taken = [NOW + front_us] * min(count, wanted)
    assert 1 <= Appetite(size).after(wanted, taken, NOW, 64).wanted(NOW + 4_000_000) <= 64


def test_an_appetite_follows_the_front() -> None:
    """It grows where instants pass unused, shrinks where too many are in hand."""

    def after(size: int, count: int, front_us: int, wanted: int = 8) -> float:
        return Appetite(size).after(wanted, [front_us] * count, 0, 64).size

    assert after(8, 8, 0) == 16  # doubled at the most
    assert after(8, 8, FRONT_MOST_US // 2) > 8
    assert after(8, 8, FRONT_MOST_US) < 8
    assert after(8, 5, 0) < 8
    assert after(8, 0, 0) < 8
    assert after(9, 8, 0) == 9


@given(st.floats(1, 64), st.floats(1, 64))
def test_unequal_appetites_come_together(one: float, other: float) -> None:
    """By what they see alone, which is the same front."""
    fronts = [FRONT_MOST_US // 2] * 60
    ends = []
    for appetite in (Appetite(one), Appetite(other)):
        for front_us in fronts:
            wanted = round(appetite.size)
            appetite = appetite.after(wanted, [front_us] * wanted, 0, 64)  # noqa: PLW2901
        ends.append(appetite.size)
    assert abs(ends[0] - ends[1]) < 0.5


def test_what_is_in_hand_is_worked_off_first() -> None:
    """A take for a few instants costs as much as one for many."""
    appetite = Appetite(8).after(8, [NOW] * 7 + [NOW + 2 * IN_HAND_US], NOW, 64)
    assert appetite.wanted(NOW) == 0
    assert appetite.wanted(NOW + IN_HAND_US) == round(appetite.size)
    assert appetite.after(8, [], NOW, 64).wanted(NOW) == 0


def test_a_front_that_a_wrong_clock_has_taken_keeps_nobody_from_taking() -> None:
    """It lies ten minutes ahead: nothing that is taken does."""
    ahead = Appetite(5.0, NOW + 600 * SECOND_US)
    assert ahead.wanted(NOW) == 5
    assert Appetite(5.0, NOW + SECOND_US).wanted(NOW) == 0
