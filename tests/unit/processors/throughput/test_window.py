"""Sums over counters: whatever the calls, a window holds those of its seconds or minutes."""

from __future__ import annotations

from collections import Counter as Tally
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from processors.throughput.projection import Grain, count
from processors.throughput.window import Counter, Sums, between, by_part
from schemas.events import Event
from schemas.values import DAY_US, HOUR_US, MINUTE_US, SECOND_US, DeferReason
from tests.samples import accepted, deferred, failed

START = 1_760_000_000 * SECOND_US
START -= START % HOUR_US

CALLS = st.lists(
    st.one_of(
        st.builds(
            lambda at, size: accepted(called_at=at, size_bytes=size),
            st.integers(START, START + 2 * HOUR_US),
            st.integers(0, 9_000),
        ),
        st.builds(
            lambda at, reason: replace(deferred(reason), called_at=at),
            st.integers(START, START + 2 * HOUR_US),
            st.sampled_from([DeferReason.THROTTLED, DeferReason.TRANSIENT]),
        ),
        st.builds(
            lambda at: replace(failed(), called_at=at), st.integers(START, START + 2 * HOUR_US)
        ),
    ),
    max_size=30,
)


def counters(events: list[Event], grain: Grain) -> list[Counter]:
    """As the table has them: one for each minute or hour with a call."""
    added: dict[int, Tally[str]] = {}
    for event in events:
        for each in count(event, 0):
            if each.grain is grain:
                added.setdefault(each.begins_at, Tally()).update(each.amounts)
    return [
        Counter(grain, at, {"shard": "g1#s", "minute": "x", "expires_at": 7, **amounts})
        for at, amounts in added.items()
    ]


@given(CALLS, st.integers(0, 130), st.integers(0, 130))
def test_a_window_holds_the_calls_of_its_minutes(
    events: list[Event], first: int, length: int
) -> None:
    """From the first on, before the last; with recipients and bytes."""
    from_at = START + first * MINUTE_US
    until_at = from_at + length * MINUTE_US
    inside = [each for each in events if from_at <= each.called_at < until_at]  # type: ignore[union-attr]
    hours = counters(events, Grain.HOUR)
    found = between(hours, from_at, until_at)
    assert found.calls == len(inside)
    assert found == between(counters(inside, Grain.HOUR), START, START + DAY_US)
    assert found.recipients == found.accepted
    by_minute = by_part(hours, from_at, until_at)
    assert sum(each.bytes for each in by_minute.values()) == found.bytes
    assert list(by_minute) == sorted(by_minute)


@given(CALLS)
def test_minutes_and_hours_count_the_same_calls(events: list[Event]) -> None:
    """By the second and by the minute."""
    window = (START, START + DAY_US)
    seconds = between(counters(events, Grain.MINUTE), *window)
    minutes = between(counters(events, Grain.HOUR), *window)
    assert (seconds.accepted, seconds.refused) == (minutes.accepted, minutes.refused)
    assert seconds.calls == minutes.calls == len(events)


def test_seconds_are_told_apart() -> None:
    """Two calls in one, whatever the microsecond; a refusal is a call too."""
    at = START + 5 * SECOND_US
    events: list[Event] = [
        accepted(called_at=at),
        replace(deferred(DeferReason.THROTTLED), called_at=at + 999_999),
        accepted(called_at=at + SECOND_US),
    ]
    found = by_part(counters(events, Grain.MINUTE), START, START + MINUTE_US)
    assert found == {at: Sums(accepted=1, refused=1), at + SECOND_US: Sums(accepted=1)}


def test_what_is_no_number_of_a_kind_is_passed_over() -> None:
    """A newer version may keep more in the item."""
    strange: dict[str, object] = {"accepted_ab": 1, "opened_07": 1, "accepted_08": "x", "_09": 1}
    assert between([Counter(Grain.MINUTE, START, strange)], START, START + DAY_US) == Sums()
