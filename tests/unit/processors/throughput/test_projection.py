"""Outcomes of calls are counted in the minute, second and hour of the call, each once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.throughput.projection import Count, Grain, count
from schemas.events import Event
from schemas.values import HOUR_US, MINUTE_US, NO_CALL, SECOND_US, DeferReason, Observer
from tests.event_strategies import events
from tests.samples import accepted, bounced, deferred, delivered, failed, started, unknown

MINUTE = 1_760_000_040 * SECOND_US
CALLED_AT = MINUTE + 7 * SECOND_US + 999_999
HOUR = MINUTE - MINUTE % HOUR_US
PLACE = f"{(MINUTE - HOUR) // MINUTE_US:02d}"


def test_an_accepted_call_counts_with_its_recipient_and_bytes() -> None:
    """In the minute's 8th second and the hour's minute, whatever time its record has."""
    event = accepted(called_at=CALLED_AT, size_bytes=2100)
    totals = {"accepted": 1, "recipients": 1, "bytes": 2100}
    assert count(event, CALLED_AT + HOUR_US) == (
        Count(Grain.MINUTE, MINUTE, {**totals, "accepted_07": 1}),
        Count(
            Grain.HOUR,
            HOUR,
            {
                **totals,
                f"accepted_{PLACE}": 1,
                f"recipients_{PLACE}": 1,
                f"bytes_{PLACE}": 2100,
            },
        ),
    )


def test_acceptance_that_only_the_provider_saw_is_no_call_of_ours() -> None:
    """SES's "Send" event comes for every mail: counted too, each would count twice."""
    assert count(accepted(observed_by=Observer.PROVIDER), CALLED_AT) == ()


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
    for counted in count(deferred(reason), 0):
        assert counted.amounts[kind] == 1
        assert len(counted.amounts) == 2


def test_failed_and_unknown_calls_are_counted() -> None:
    """An unknown outcome has no time of its call: its record's is taken."""
    assert [counted.amounts["failed"] for counted in count(failed(), 0)] == [1, 1]
    minute, hour = count(unknown(), CALLED_AT)
    assert minute == Count(Grain.MINUTE, MINUTE, {"unknown": 1, "unknown_07": 1})
    assert hour == Count(Grain.HOUR, HOUR, {"unknown": 1, f"unknown_{PLACE}": 1})


@pytest.mark.parametrize(
    "event", [deferred(DeferReason.NOT_CALLED), started(), delivered(), bounced()]
)
def test_what_is_no_outcome_of_a_call_is_not_counted(event: Event) -> None:
    """No call, the announcement of one, and what happens to a mail afterwards."""
    assert count(event, CALLED_AT) == ()


@given(events(), st.integers(0, 2**53))
def test_what_is_inside_sums_up_to_the_totals(event: Event, recorded_at: int) -> None:
    """Whatever is counted, is counted once for the counter and once for one of its sixtieths."""
    for counted in count(event, recorded_at):
        assert counted.begins_at % counted.grain.value == 0
        inside = {name for name in counted.amounts if "_" in name}
        for name in inside:
            kind, place = name.split("_")
            assert counted.amounts[name] == counted.amounts[kind]
            assert 0 <= int(place) < 60
        uncounted = counted.amounts.keys() - inside - {name.split("_")[0] for name in inside}
        assert uncounted <= ({"recipients", "bytes"} if counted.grain is Grain.MINUTE else set())


@pytest.mark.parametrize(
    "event",
    [
        replace(deferred(DeferReason.TRANSIENT), called_at=NO_CALL),
        replace(failed(), called_at=NO_CALL),
    ],
)
def test_what_ses_was_not_called_for_is_no_call(event: Event) -> None:
    """The mail could not be read, or not be forwarded: no second of ours was busier for it."""
    assert count(event, CALLED_AT) == ()


def test_a_call_without_an_answer_counts_when_it_was_made() -> None:
    """SES counts it too, very likely."""
    for counted in count(replace(unknown(), called_at=CALLED_AT), CALLED_AT + HOUR_US):
        assert counted.begins_at in (MINUTE, HOUR)
        assert counted.amounts["unanswered"] == 1
