"""The offset between two clocks, by nothing but whole seconds in replies."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from processors.sending.clocks import DRIFT_PPM, ClockOffset, heard
from schemas.values import SECOND_US

NOW = 1_790_000_000 * SECOND_US
OFFSETS = st.integers(-3_600 * SECOND_US, 3_600 * SECOND_US)
MS = 1000


def reply(true: int, up: int, down: int, offset: int) -> tuple[int, int, int]:
    """Date, sent and received of a call that is sent at ``true`` by AWS's clock."""
    date = (true + up) // SECOND_US * SECOND_US
    return date, true - offset, true + up + down - offset


@given(
    OFFSETS,
    st.lists(
        st.tuples(
            st.integers(0, 20 * SECOND_US),
            st.integers(0, 300 * MS),
            st.integers(0, 300 * MS),
        ),
        min_size=1,
        max_size=60,
    ),
)
def test_the_truth_lies_within_the_bounds(offset: int, calls: list[tuple[int, int, int]]) -> None:
    """Whatever the replies took, and in whatever order they came."""
    known = None
    for after, up, down in calls:
        known = heard(known, *reply(NOW + after, up, down, offset))
        assert known.low <= offset < known.high
        assert abs(known.estimate - offset) <= known.doubt + 1


def test_some_dozens_of_replies_leave_milliseconds() -> None:
    """As many as a sender gets in its first seconds."""
    draw = random.Random(3)  # noqa: S311 - to repeat
    for offset in (-500 * MS, 0, 500 * MS):
        known = None
        for _ in range(150):
            call = (NOW + draw.randrange(5 * SECOND_US), draw.randrange(9 * MS), 2 * MS)
            known = heard(known, *reply(*call, offset))
        assert known is not None
        assert known.doubt < 25 * MS
        assert abs(known.estimate - offset) < 15 * MS


@given(st.integers(60 * MS, SECOND_US // 2))
def test_a_clock_that_is_set_is_believed(step: int) -> None:
    """As soon as two replies in a row contradict what was known, and agree."""
    before = ClockOffset(-MS, MS, NOW)
    contradicts = reply(NOW + SECOND_US + step, 0, 0, SECOND_US + step)
    once = heard(before, *contradicts)
    assert (once.low, once.high) == (before.low, before.high)
    after = heard(once, *contradicts)
    assert after.low <= SECOND_US + step < after.high


def test_a_single_reply_that_is_wrong_changes_nothing() -> None:
    """Some proxy's clock, say: the next one agrees with those before, and it is forgotten."""
    before = ClockOffset(-MS, MS, NOW)
    wrong, right = reply(NOW + SECOND_US, 0, 0, 600 * SECOND_US), reply(NOW + SECOND_US, 0, 0, 0)
    known = before
    for each in (wrong, right, wrong):
        known = heard(known, *each)
    assert abs(known.estimate) <= MS


def test_doubt_grows_with_time() -> None:
    """Clocks drift; what a minute ago was exact, is so no more."""
    before = ClockOffset(-MS, MS, NOW)
    later = NOW + 60 * SECOND_US
    # A reply in the middle of a second tells nothing that was not known.
    after = heard(before, later, later + SECOND_US // 2, later + SECOND_US // 2)
    grown = 60 * SECOND_US * DRIFT_PPM // 1_000_000
    assert (after.low, after.high) == (-MS - grown - 50, MS + grown + 50)


def test_machines_that_differ_a_little_are_averaged() -> None:
    """AWS's are kept together by NTP, to milliseconds."""
    before = ClockOffset(0, 2 * MS, NOW)
    after = heard(before, NOW + SECOND_US, NOW + 990 * MS, NOW + 991 * MS)
    assert after.low == after.high
    assert 2 * MS < after.estimate < 10 * MS
