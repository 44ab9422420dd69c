"""A send whose outcome nobody knows, told as stories: wait, send again or park, never forget."""

from __future__ import annotations

import pytest

from schemas.events import (
    Event,
    MailCompleted,
    SendCancelled,
    SendCancelRequested,
    SendParked,
    SendScheduled,
)
from schemas.values import DAY_US, Command, DeferReason, Status, TimerKind, UnknownPolicy
from tests.samples import (
    QUARANTINED,
    RECEIVED_AT,
    accepted,
    after,
    bounced,
    complained,
    deferred,
    delayed,
    delivered,
    failed,
    fired,
    ordered,
    started,
    unknown,
)
from tests.story import FIRST, again, attempt, sending


def test_a_call_that_was_not_made_after_all_ends_the_doubt() -> None:
    """Told after SendUnknown, when the sender has given the attempt up: a new attempt is safe."""
    (
        sending()
        .given(started(), unknown())
        .when(deferred(DeferReason.NOT_CALLED), at=after(9))
        .then(again(1, due_at=after(9)))
        .now(Status.SCHEDULED)
    )


def test_an_unknown_outcome_waits_for_the_providers_event() -> None:
    """Nothing is sent again while SES's own event may still come; it settles the matter."""
    (
        sending()
        .when(unknown())
        .then_nothing()
        .now(Status.UNKNOWN)
        .when(delivered())
        .then(MailCompleted(ended={"completed": 1}))
        .now(Status.COMPLETED)
        .when(fired(TimerKind.UNKNOWN, FIRST), at=after(60))
        .then_nothing()
    )


def test_an_unknown_outcome_is_sent_again_by_default() -> None:
    """Policy ``resend``: a mail twice is better than none, and the attempt says so."""
    (
        sending()
        .given(unknown())
        .when(fired(TimerKind.UNKNOWN, FIRST), at=after(60))
        .then(again(1, due_at=after(60), duplicate=True))
        .now(Status.SCHEDULED)
    )


def test_an_unknown_outcome_is_parked_where_the_policy_says_so() -> None:
    """Policy ``park``: a person decides."""
    (
        sending(on_unknown=UnknownPolicy.PARK)
        .given(unknown())
        .when(fired(TimerKind.UNKNOWN, FIRST), at=after(60))
        .then(
            SendParked(target=0, reason="nobody knows whether SES has the mail"),
            MailCompleted(ended={"parked": 1}),
        )
        .now(Status.PARKED)
    )


def test_an_unknown_outcome_behind_the_expiry_is_parked() -> None:
    """Too late to send again, too uncertain to call it expired."""
    (
        sending()
        .given(unknown())
        .when(fired(TimerKind.UNKNOWN, FIRST), at=RECEIVED_AT + 3 * DAY_US + 1)
        .then(
            SendParked(target=0, reason="outcome unknown, and its time is over"),
            MailCompleted(ended={"parked": 1}),
        )
    )


def test_the_timer_of_an_older_attempt_decides_nothing() -> None:
    """Only the current attempt's doubt counts."""
    story = sending().given(unknown()).when(fired(TimerKind.UNKNOWN, FIRST), at=after(60))
    second = attempt(1, 2)
    (
        story.then(again(1, due_at=after(60), duplicate=True))
        .given(unknown(second))
        .when(fired(TimerKind.UNKNOWN, FIRST, 1), at=after(90))
        .then_nothing()
        .now(Status.UNKNOWN)
    )


def test_late_acceptance_calls_off_the_newer_attempt() -> None:
    """The first attempt had gone out after all: the second is not wanted any more."""
    story = sending().given(unknown()).when(fired(TimerKind.UNKNOWN, FIRST), at=after(60))
    second = attempt(1, 2)
    (
        story.then(again(1, due_at=after(60), duplicate=True))
        .when(delivered(FIRST))
        .then(
            SendCancelRequested(
                target=0, attempt_id=second, reason="an earlier attempt was accepted after all"
            ),
            MailCompleted(ended={"completed": 1}),
        )
        .now(Status.COMPLETED)
        .when(SendCancelled(target=0, attempt_id=second))
        .then_nothing()
        .now(Status.COMPLETED)
    )


def test_a_newer_attempt_that_went_out_too_leaves_the_target_completed() -> None:
    """The request came too late: the mail went twice, which changes nothing in the sum."""
    story = sending().given(unknown()).when(fired(TimerKind.UNKNOWN, FIRST), at=after(60))
    second = attempt(1, 2)
    (
        story.then(again(1, due_at=after(60), duplicate=True))
        .given(started(second))
        .when(accepted(FIRST))
        .then_kinds(SendCancelRequested, MailCompleted)
        .when(accepted(second))
        .then_nothing()
        .now(Status.COMPLETED)
    )


def test_an_attempt_that_has_its_outcome_is_not_called_off() -> None:
    """Feedback of the first attempt after the second one is over asks for nothing."""
    story = sending().given(unknown()).when(fired(TimerKind.UNKNOWN, FIRST), at=after(60))
    second = attempt(1, 2)
    (
        story.then(again(1, due_at=after(60), duplicate=True))
        .when(accepted(second))
        .then(MailCompleted(ended={"completed": 1}))
        .when(delivered(FIRST))
        .then_nothing()
    )


def test_a_deferral_of_an_older_attempt_is_not_followed_up() -> None:
    """What is told of an older attempt can complete the target, never retry it."""
    story = sending().given(unknown()).when(fired(TimerKind.UNKNOWN, FIRST), at=after(60))
    (
        story.then(again(1, due_at=after(60), duplicate=True))
        .when(deferred(DeferReason.TRANSIENT, FIRST))
        .then_nothing()
        .now(Status.SCHEDULED)
    )


@pytest.mark.parametrize("late", [accepted(), delivered(), delayed(), complained()])
def test_late_acceptance_completes_a_parked_target(late: Event) -> None:
    """The truth comes out after a person was asked: the target is completed, told once."""
    (
        sending(on_unknown=UnknownPolicy.PARK)
        .given(unknown())
        .when(fired(TimerKind.UNKNOWN, FIRST), at=after(60))
        .then_kinds(SendParked, MailCompleted)
        .when(late)
        .then_nothing()
        .now(Status.COMPLETED)
    )


def test_a_bounce_of_another_attempt_does_not_unmake_completion() -> None:
    """Two attempts went out and one came back: the mail has arrived all the same."""
    story = sending().given(unknown()).when(fired(TimerKind.UNKNOWN, FIRST), at=after(60))
    second = attempt(1, 2)
    (
        story.then(again(1, due_at=after(60), duplicate=True))
        .when(accepted(second))
        .then(MailCompleted(ended={"completed": 1}))
        .when(bounced(FIRST))
        .then_nothing()
        .now(Status.COMPLETED)
    )


def test_that_a_zombie_did_not_call_says_nothing_of_its_successor() -> None:
    """Round 1 is the one in doubt: that round 0 was not called doesn't settle it."""
    (
        sending()
        .given(unknown(round_=1))
        .when(deferred(DeferReason.NOT_CALLED, round_=0))
        .then_nothing()
        .now(Status.UNKNOWN)
    )


def test_doubt_about_one_attempt_stays_with_all_later_ones() -> None:
    """The first may have been accepted: the third may be a duplicate as well as the second."""
    story = sending().given(unknown()).when(fired(TimerKind.UNKNOWN, FIRST), at=after(60))
    story.then(again(1, due_at=after(60), duplicate=True))
    story.when(deferred(DeferReason.TRANSIENT, attempt(1, 2)), at=after(61))
    (event,) = story.decided
    assert isinstance(event, SendScheduled)
    assert (event.number, event.possible_duplicate) == (3, True)


def test_an_answer_that_the_next_attempt_overtakes_is_not_forgotten() -> None:
    """Core decided to send again before it read that the first attempt was accepted."""
    sending().given(unknown(), delivered(), again(1, after(60), duplicate=True)).now(
        Status.COMPLETED
    )


CANCELLED = SendCancelled(target=0, attempt_id=FIRST)


def _retried(*told: Event) -> SendScheduled:
    """What a person's retry schedules, after all this."""
    story = sending()
    for event in told:
        story.when(event)
        story.given(*story.decided)
    story.when(ordered(Command.RETRY))
    (again_,) = (event for event in story.decided if isinstance(event, SendScheduled))
    return again_


@pytest.mark.parametrize(
    "told",
    [
        (started(), QUARANTINED),
        (QUARANTINED,),
        (started(), unknown(), QUARANTINED),
        (QUARANTINED, CANCELLED),
        (started(), QUARANTINED, deferred(DeferReason.TRANSIENT)),
    ],
    ids=["in the air", "waiting", "unknown", "called off after all", "deferred after all"],
)
def test_a_mail_that_was_parked_by_a_quarantine_may_have_been_sent(told: tuple[Event, ...]) -> None:
    """The record that can't be read may be the very one of its acceptance: a retry says so."""
    assert _retried(*told).possible_duplicate


def test_what_had_ended_before_a_quarantine_is_not_in_doubt() -> None:
    """SES has refused it: whatever the record says, it was not sent."""
    assert not _retried(failed(), QUARANTINED).possible_duplicate


def test_a_retry_beside_an_attempt_that_is_still_out_may_be_a_duplicate() -> None:
    """The first came back after it had been deferred; the second may be in the air by now."""
    assert _retried(deferred(DeferReason.TRANSIENT), bounced()).possible_duplicate
    assert not _retried(bounced()).possible_duplicate


def test_a_mail_that_is_in_doubt_stays_so() -> None:
    """Also the attempt after the next says that it may become a duplicate."""
    story = sending().when(QUARANTINED)
    story.given(*story.decided).when(ordered(Command.RETRY))
    story.given(*story.decided).when(deferred(DeferReason.TRANSIENT, attempt(2, 2)))
    (event,) = story.decided
    assert isinstance(event, SendScheduled)
    assert event.possible_duplicate
