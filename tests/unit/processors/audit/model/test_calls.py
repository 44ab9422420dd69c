"""The model counts each call once, in the minute in which it was made."""

from __future__ import annotations

from dataclasses import replace

import pytest

from processors.audit.model import Calls
from schemas.events import Event
from schemas.values import MINUTE_US, DeferReason, Observer
from tests.samples import accepted, deferred, fact, failed, unknown

AT = 20 * MINUTE_US + 7
ACCEPTED = accepted(called_at=AT, size_bytes=300)


def counted(
    event: Event, recorded_at: int = 30 * MINUTE_US
) -> dict[tuple[str, int], dict[str, int]]:
    """What one event adds."""
    calls = Calls()
    calls.take("s1", replace(fact(event), recorded_at=recorded_at))
    return {place: dict(amounts) for place, amounts in calls.by_minute.items()}


@pytest.mark.parametrize(
    ("event", "amounts"),
    [
        (ACCEPTED, {"accepted": 1, "recipients": 1, "bytes": 300}),
        (replace(failed(), called_at=AT), {"failed": 1}),
        (replace(unknown(), called_at=AT), {"unanswered": 1}),
        (replace(deferred(DeferReason.THROTTLED), called_at=AT), {"refused": 1}),
        (replace(deferred(DeferReason.DAILY_QUOTA), called_at=AT), {"refused": 1}),
        (replace(deferred(DeferReason.TRANSIENT), called_at=AT), {"deferred": 1}),
    ],
)
def test_an_outcome_counts_in_the_minute_of_its_call(event: Event, amounts: dict[str, int]) -> None:
    """Not in the minute of the record."""
    assert counted(event) == {("s1", 20 * MINUTE_US): amounts}


def test_a_call_of_which_the_time_is_not_known_counts_when_it_is_recorded() -> None:
    """Its sender died."""
    event = replace(unknown(), called_at=0)
    assert counted(event) == {("s1", 30 * MINUTE_US): {"unknown": 1}}


def test_what_was_not_called_and_what_was_counted_already_adds_nothing() -> None:
    """SES's event about an accepted call is no second call."""
    assert counted(replace(failed(), called_at=0)) == {}
    assert counted(replace(deferred(DeferReason.NOT_CALLED), called_at=AT)) == {}
    assert counted(replace(deferred(DeferReason.TRANSIENT), called_at=0)) == {}
    assert counted(replace(ACCEPTED, observed_by=Observer.PROVIDER)) == {}
