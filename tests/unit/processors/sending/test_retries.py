"""Waits double up to a limit, by the reason, with a jitter that is drawn from the attempt's id."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.sending.retries import JITTER_SHARE, SCHEDULE, wait_us
from schemas.values import DeferReason

REASONS = st.sampled_from([each for each in DeferReason if each is not DeferReason.NOT_CALLED])


@given(REASONS, st.integers(1, 10_000), st.text(max_size=20))
def test_a_wait_is_never_shorter_than_planned_nor_much_longer(
    reason: DeferReason, deferrals: int, attempt: str
) -> None:
    """Between the doubled wait (or the longest) and a quarter more."""
    backoff = SCHEDULE[reason]
    plain = min(backoff.first_us * 2 ** (deferrals - 1), backoff.longest_us)
    assert plain <= wait_us(reason, deferrals, attempt) <= plain + plain // JITTER_SHARE


@given(REASONS, st.integers(1, 50), st.text(max_size=20))
def test_a_wait_follows_from_the_attempt(reason: DeferReason, deferrals: int, attempt: str) -> None:
    """Decided twice, it is the same: nothing is drawn."""
    assert wait_us(reason, deferrals, attempt) == wait_us(reason, deferrals, attempt)


def test_a_burst_that_failed_together_does_not_come_back_together() -> None:
    """100 attempts are spread over most of the jitter's range."""
    waits = {wait_us(DeferReason.TRANSIENT, 1, f"attempt-{number}") for number in range(100)}
    plain = SCHEDULE[DeferReason.TRANSIENT].first_us
    assert len(waits) > 90
    assert max(waits) - min(waits) > plain // JITTER_SHARE // 2


@pytest.mark.parametrize("reason", list(DeferReason))
def test_every_reason_has_a_schedule(reason: DeferReason) -> None:
    """A new reason needs a wait; the one that means "not called" has none."""
    backoff = SCHEDULE[reason]
    assert (backoff.first_us > 0) is (reason is not DeferReason.NOT_CALLED)
    assert backoff.first_us <= backoff.longest_us
