"""The rolling day: never more than is left, the reserve for urgent mail, and when it frees."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from processors.sending.day import Share, frees_at, reserve, share_of
from schemas.values import DAY_US, MINUTE_US

counts = st.integers(0, 10**6)


@given(counts, st.floats(0, 0.9))
def test_the_reserve_never_is_the_whole_day(most: int, share: float) -> None:
    """In a sandbox of a single mail a day it may still go."""
    kept = reserve(most, share)
    assert 0 <= kept <= most * share
    assert kept < most or most == 0


@given(st.integers(-100, 10**6), counts, st.integers(0, 1000))
def test_a_second_never_gets_more_than_is_left(left: int, kept: int, size: int) -> None:
    """And other mail never any of the reserve."""
    share = share_of(left, kept, size)
    assert 0 <= share.size <= max(0, min(size, left))
    assert share.urgent_only or share.size <= left - kept


def test_a_day_ends_with_the_reserve() -> None:
    """Whole seconds, a part of one, then urgent mail alone, then nothing."""
    assert [share_of(left, 10, 50) for left in (100, 60, 25, 10, 4, 0)] == [
        Share(50),
        Share(50),
        Share(15),
        Share(10, urgent_only=True),
        Share(4, urgent_only=True),
        Share(0, urgent_only=True),
    ]


def test_it_frees_with_its_oldest_minutes() -> None:
    """A minute leaves the window as a whole, a day after it has ended."""
    sent = [(MINUTE_US, 5), (3 * MINUTE_US, 0), (2 * MINUTE_US, 7)]
    now = DAY_US
    assert frees_at(sent, 1, now) == DAY_US + 2 * MINUTE_US
    assert frees_at(sent, 6, now) == DAY_US + 3 * MINUTE_US
    assert frees_at(sent, 13, now) is None
    assert frees_at(sent, 6, now + 2 * MINUTE_US) == DAY_US + 3 * MINUTE_US
