"""Outcomes of calls are counted in the minute and second of the call, each once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.throughput.projection import Count, count
from schemas.events import Event
from schemas.values import MINUTE_US, SECOND_US, DeferReason, Observer
from tests.event_strategies import events
from tests.samples import accepted, bounced, deferred, delivered, failed, started, unknown

MINUTE = 1_760_000_040 * SECOND_US
CALLED_AT = MINUTE + 7 * SECOND_US + 999_999


def test_an_accepted_call_counts_with_its_recipient_and_bytes() -> None:
    """In the minute's 8th second, whatever time its record has."""
    event = accepted(called_at=CALLED_AT, size_bytes=2100)
    assert count(event, CALLED_AT + MINUTE_US) == Count(
        MINUTE, {"accepted": 1, "accepted_07": 1, "recipients": 1, "bytes": 2100}
    )


def test_acceptance_that_only_the_provider_saw_is_no_call_of_ours() -> None:
    """SES's "Send" event comes for every mail: counted too, each would count twice."""
    assert count(accepted(observed_by=Observer.PROVIDER), CALLED_AT) is None


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        (DeferReason.THROTTLED, "refused"),
        (DeferReason.DAILY_QUOTA, "refused"),
        (DeferReason.STOPPED, "deferred"),
        (DeferReason.TRANSIENT, "deferred"),
    ],
)
def test_refusals_for_the_quota_stand_apart(reason: DeferReason, kind: str) -> None:
    """What says "too fast" steers the pace; other deferrals don't."""
    counted = count(deferred(reason), 0)
    assert counted is not None
    assert counted.amounts.keys() >= {kind}
    assert len(counted.amounts) == 2


def test_failed_and_unknown_calls_are_counted() -> None:
    """An unknown outcome has no time of its call: its record's is taken."""
    assert count(failed(), 0) is not None
    assert count(unknown(), CALLED_AT) == Count(MINUTE, {"unknown": 1, "unknown_07": 1})


@pytest.mark.parametrize(
    "event", [deferred(DeferReason.NOT_CALLED), started(), delivered(), bounced()]
)
def test_what_is_no_outcome_of_a_call_is_not_counted(event: Event) -> None:
    """No call, the announcement of one, and what happens to a mail afterwards."""
    assert count(event, CALLED_AT) is None


@given(events(), st.integers(0, 2**53))
def test_the_seconds_of_a_minute_sum_up_to_it(event: Event, recorded_at: int) -> None:
    """Whatever is counted, is counted once for the minute and once for one of its seconds."""
    counted = count(event, recorded_at)
    if counted is not None:
        kinds = set(counted.amounts) - {"recipients", "bytes"}
        minute, second = sorted(kinds)
        assert counted.minute_at % MINUTE_US == 0
        assert second[:-3] == minute
        assert 0 <= int(second[-2:]) < 60
