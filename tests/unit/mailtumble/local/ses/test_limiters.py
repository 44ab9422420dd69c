"""The limiters: tables of calls, and properties over any calls."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtumble.local.ses.limiters import (
    LIMITERS,
    DailyLedger,
    DebtLimiter,
    FixedWindowLimiter,
    PeakMeter,
    SlidingWindowLimiter,
)


def us(seconds: float) -> int:
    """Seconds as microseconds."""
    return round(seconds * 1_000_000)


Calls = list[tuple[float, int, bool]]

# Each call: when (in seconds), for how many recipients, and whether it passes.
TABLE: list[tuple[str, float, Calls]] = [
    ("fixed", 2, [(0.9, 2, True), (0.95, 1, False), (1.0, 2, True), (1.9, 1, False)]),
    ("fixed", 0.5, [(0.0, 1, True), (1.9, 1, False), (2.0, 1, True)]),
    ("fixed", 1, [(0.0, 5, True), (0.5, 1, False), (1.0, 1, True)]),
    ("sliding", 2, [(0.9, 2, True), (1.0, 1, False), (1.89, 1, False), (1.9, 2, True)]),
    ("sliding", 0.5, [(0.0, 1, True), (1.9, 1, False), (2.0, 1, True)]),
    ("sliding", 1.9, [(0.0, 1, True), (0.53, 1, True), (1.0, 1, False), (1.06, 1, True)]),
    ("sliding", 1, [(0.0, 5, True), (0.5, 1, False), (1.0, 1, True)]),
    ("debt", 1, [(0.0, 1, True)] * 5 + [(0.0, 1, False)]),
    (
        "debt",
        1,
        [(0.0, 5, True), (0.5, 1, False), (1.0, 1, False), (4.9, 1, False), (5.0, 1, True)],
    ),
    ("debt", 1, [(0.0, 4, True), (1.0, 1, True), (2.0, 1, True), (3.0, 1, True)]),
    ("debt", 1, [(0.0, 4, True), (0.0, 2, False), (3.9, 1, False), (4.0, 1, True)]),
    ("debt", 1, [(0.0, 50, True), (49.0, 1, False), (50.0, 1, True)]),
    ("debt", 0.5, [(0.0, 1, True), (2.0, 1, True), (4.0, 1, True)]),
]


@pytest.mark.parametrize(("name", "rate", "calls"), TABLE)
def test_each_call_passes_or_is_refused_as_the_table_says(
    name: str, rate: float, calls: Calls
) -> None:
    """A limiter decides each call of the table as written there."""
    limiter = LIMITERS[name](rate)
    decided = [(now, count, limiter.admit(us(now), count)) for now, count, _ in calls]
    assert decided == calls


def test_fixed_window_lets_twice_the_rate_across_an_edge() -> None:
    """A fixed window passes two full windows within less than a second: its known weakness."""
    limiter = FixedWindowLimiter(14)
    assert all(limiter.admit(us(0.99), 1) for _ in range(14))
    assert all(limiter.admit(us(1.0), 1) for _ in range(14))


# Whole milliseconds as integers: the property compares exact instants.
_GAPS = st.lists(st.tuples(st.integers(0, 1500), st.integers(1, 3)), min_size=1, max_size=80)


@given(_GAPS, st.integers(1, 20))
def test_sliding_window_never_passes_more_than_the_rate_in_any_second(
    gaps: list[tuple[int, int]], rate: int
) -> None:
    """Whatever is asked, no half-open second has more than the rate, save for one big call."""
    limiter = SlidingWindowLimiter(rate)
    now_ms, passed = 0, []
    for gap_ms, recipients in gaps:
        now_ms += gap_ms
        if limiter.admit(now_ms * 1000, recipients):
            passed.append((now_ms, recipients))
    for end_ms, largest in passed:
        within = [count for at, count in passed if end_ms - 1000 < at <= end_ms]
        assert sum(within) <= max(rate, largest)


@given(_GAPS, st.sampled_from([0.5, 1, 1.9, 14]))
def test_fixed_window_never_passes_more_than_its_capacity_in_one_window(
    gaps: list[tuple[int, int]], rate: float
) -> None:
    """No window has more than its capacity, save for one big call alone in it."""
    limiter = FixedWindowLimiter(rate)
    now, by_window = 0.0, {}
    window_s = math.ceil(rate) / rate
    for gap_ms, recipients in gaps:
        now += gap_ms / 1000
        if limiter.admit(us(now), recipients):
            by_window.setdefault(us(now) // math.ceil(window_s * 1e6), []).append(recipients)
    for counts in by_window.values():
        assert sum(counts) <= math.ceil(rate) or len(counts) == 1


@given(_GAPS, st.floats(0.2, 20))
def test_debt_never_passes_more_than_time_pays_for(
    gaps: list[tuple[int, int]], rate: float
) -> None:
    """From the start to any call: at most rate times time, the burst, and one big call."""
    limiter = DebtLimiter(rate)
    now, total = 0.0, 0
    for gap_ms, recipients in gaps:
        now += gap_ms / 1000
        if limiter.admit(us(now), recipients):
            total += recipients
        assert total <= rate * now + rate + DebtLimiter.BURST_RECIPIENTS + 3 + 1e-3


@given(
    st.floats(0.3, 300),
    st.lists(st.floats(-0.4, 0.4), min_size=1, max_size=300),
    st.floats(0, 2e9),
)
def test_debt_passes_a_steady_stream_at_exactly_the_rate_with_jitter(
    rate: float, jitter: list[float], start: float
) -> None:
    """One recipient each 1/rate seconds, early or late by up to 0.4 of that, always passes."""
    limiter = DebtLimiter(rate)
    for number, shift in enumerate(jitter):
        assert limiter.admit(us(start + (number + shift + 1) / rate), 1)


def test_debt_passes_a_steady_stream_for_an_hour() -> None:
    """Rounding doesn't add up: 50,400 sends at exactly 14/s pass."""
    limiter = DebtLimiter(14)
    assert all(limiter.admit(us(1_700_000_000 + number / 14), 1) for number in range(14 * 3600))


@pytest.mark.parametrize("name", LIMITERS)
def test_another_rate_keeps_what_was_sent(name: str) -> None:
    """Raising the rate doesn't forgive what was sent a moment ago; later the new rate counts."""
    limiter = LIMITERS[name](1)
    limiter.admit(0, 5)
    limiter.change_rate(us(0.1), 2)
    assert not limiter.admit(us(0.2), 1)
    limiter.change_rate(us(10), 3)
    assert all(limiter.admit(us(10.5), 1) for _ in range(3))


def test_daily_ledger_forgets_a_minute_when_all_of_it_is_a_day_old() -> None:
    """A recipient counts for 24 hours at least and a minute more at most."""
    ledger = DailyLedger()
    ledger.add(us(30.0), 7)
    ledger.add(us(59.9), 1)
    ledger.add(us(60.0), 2)
    assert ledger.total(us(86_400.0 + 59.9)) == 10
    assert ledger.total(us(86_400.0 + 60.0)) == 2
    assert ledger.total(us(86_400.0 + 120.0)) == 0


@given(st.lists(st.tuples(st.floats(0, 7200), st.integers(1, 50)), max_size=200))
def test_daily_ledger_is_never_below_the_exact_sum(gaps: list[tuple[float, int]]) -> None:
    """The ledger's total is the sum of the last 24 hours, or of up to a minute more."""
    ledger, sent, now = DailyLedger(), [], 0.0
    for gap_s, recipients in gaps:
        now += gap_s
        ledger.add(us(now), recipients)
        sent.append((now, recipients))
        total = ledger.total(us(now))
        assert sum(count for at, count in sent if at > now - 86_400) <= total
        assert total <= sum(count for at, count in sent if at > now - 86_460)


def test_peak_is_the_largest_sum_of_any_second() -> None:
    """Within any 1,000 ms, and beside it by the seconds of the clock, as others count."""
    meter = PeakMeter()
    for now in (0.9, 1.0, 1.1, 1.85, 5.0):
        meter.add(us(now), 2)
    assert meter.peak == 8
    whole = meter.since(0)
    assert whole.clock_second is not None
    assert (whole.clock_second.begins_us, whole.clock_second.recipients) == (us(1), 6)
    assert whole.within_any == 8
    late = meter.since(us(2))
    assert late.clock_second is not None
    assert (late.clock_second.begins_us, late.clock_second.recipients) == (us(5), 2)
    assert late.within_any == 2
    assert meter.since(us(6)).clock_second is None


def test_seconds_are_kept_for_little_more_than_a_day() -> None:
    """A day back can be asked for; what is kept stays bounded."""
    meter = PeakMeter()
    meter.add(us(0), 9)
    for hour in range(1, 60):
        meter.add(us(hour * 3_600), 1)
    assert len(meter._seconds) == 26
    assert meter.since(0).within_any == 1
