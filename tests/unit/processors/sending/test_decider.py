"""Sending as core decides it, told as stories: tried, tried again, given up, or completed."""

from __future__ import annotations

import pytest

from processors.mail import Rules
from processors.sending.retries import wait_us
from schemas.events import (
    MailCompleted,
    SendCancelled,
    SendCancelRequested,
    SendExpired,
    SendParked,
    SendScheduled,
)
from schemas.values import DAY_US, DeferReason, Status
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
    received,
    rejected,
    scheduled,
    started,
)
from tests.story import FIRST, Story, again, sending


def test_an_accepted_mail_is_completed() -> None:
    """Acceptance by SES is the end of a target; with the last one the mail is complete."""
    (
        sending()
        .when(started())
        .then_nothing()
        .now(Status.SENDING)
        .when(accepted())
        .then(MailCompleted(ended={"completed": 1}))
        .now(Status.COMPLETED)
        .now_mail(Status.COMPLETED)
    )


def test_a_mail_is_complete_when_its_last_target_has_ended() -> None:
    """Several targets: the counts tell how each of them ended."""
    (
        sending("b@example.org", "c@example.org", "d@example.org")
        .when(accepted("attempt-1", 0))
        .then_nothing()
        .now_mail(Status.SCHEDULED)
        .when(failed("attempt-3", 2))
        .then_nothing()
        .when(bounced("attempt-2", 1))
        .then(MailCompleted(ended={"completed": 1, "bounced": 1, "rejected": 1}))
        .now(Status.COMPLETED, Status.BOUNCED, Status.REJECTED)
        .now_mail(Status.REJECTED)
    )


@pytest.mark.parametrize(
    "reason",
    [
        DeferReason.THROTTLED,
        DeferReason.DAILY_QUOTA,
        DeferReason.STOPPED,
        DeferReason.TRANSIENT,
    ],
)
def test_a_deferred_send_gets_another_attempt(reason: DeferReason) -> None:
    """It waits by the reason, and the target may not outlive its first expiry."""
    wait = wait_us(reason, 1, FIRST)
    (
        sending()
        .given(started())
        .when(deferred(reason), at=after(2))
        .then(again(1, due_at=after(2) + wait))
        .now(Status.SCHEDULED)
    )


def test_the_waits_grow_from_attempt_to_attempt() -> None:
    """Twice as long each time (and jitter), by how often the target was deferred."""
    story = sending()
    name, waits = FIRST, []
    for number in range(2, 7):
        story.when(deferred(DeferReason.TRANSIENT, name), at=after(2))
        (event,) = story.decided
        assert isinstance(event, SendScheduled)
        assert event.number == number
        waits.append(event.due_at - after(2))
        name = event.attempt_id
        story.then(event)
    assert waits == sorted(waits)
    assert waits[-1] >= 15_000_000 << 4


def test_a_target_expires_when_the_next_attempt_would_be_too_late() -> None:
    """Its time is over: no attempt is scheduled behind ``expires_at``."""
    late = RECEIVED_AT + 3 * DAY_US - 1
    (
        sending()
        .when(deferred(DeferReason.TRANSIENT), at=late)
        .then(
            SendExpired(target=0, attempt_id=FIRST),
            MailCompleted(ended={"expired": 1}),
        )
        .now(Status.EXPIRED)
    )


def test_the_sender_may_say_that_an_attempt_expired() -> None:
    """An attempt that still waited in the queue when its time was over."""
    (
        sending()
        .when(SendExpired(target=0, attempt_id=FIRST))
        .then(MailCompleted(ended={"expired": 1}))
        .now_mail(Status.EXPIRED)
    )


def test_a_refused_message_is_not_tried_again() -> None:
    """SES refuses it for good: the target is rejected."""
    sending().when(failed()).then(MailCompleted(ended={"rejected": 1})).now(Status.REJECTED)


def test_a_call_that_was_not_made_is_the_senders_own_business() -> None:
    """The next round belongs to the same attempt: core schedules nothing."""
    (
        sending()
        .given(started())
        .when(deferred(DeferReason.NOT_CALLED))
        .then_nothing()
        .now(Status.SCHEDULED)
        .when(started(round_=1))
        .then_nothing()
        .now(Status.SENDING)
    )


def test_a_bounce_after_delivery_moves_the_target() -> None:
    """A server may take a mail and send it back: completed becomes bounced."""
    (
        sending()
        .when(accepted())
        .then(MailCompleted(ended={"completed": 1}))
        .when(delivered())
        .then_nothing()
        .when(bounced())
        .then_nothing()
        .now(Status.BOUNCED)
        .now_mail(Status.BOUNCED)
        .when(delivered())
        .then_nothing()
        .now(Status.BOUNCED)
    )


def test_a_virus_found_after_acceptance_rejects_the_target() -> None:
    """SES's "Reject": it took the call, and sent nothing."""
    sending().when(accepted()).then_kinds(MailCompleted).when(rejected()).then_nothing().now(
        Status.REJECTED
    )


def test_a_quarantined_record_parks_what_is_open() -> None:
    """Nobody knows what the record said: open targets stop, ended ones stay as they are."""
    (
        sending("b@example.org", "c@example.org")
        .given(accepted("attempt-1", 0))
        .when(QUARANTINED)
        .then(
            SendCancelRequested(target=1, attempt_id="attempt-2", reason="not msgpack"),
            SendParked(target=1, reason="a record of this mail: not msgpack"),
            MailCompleted(ended={"completed": 1, "parked": 1}),
        )
        .now(Status.COMPLETED, Status.PARKED)
    )


def test_a_cancelled_attempt_of_a_parked_target_stays_parked() -> None:
    """The sender's answer to the request."""
    (
        sending()
        .when(QUARANTINED)
        .then_kinds(SendCancelRequested, SendParked, MailCompleted)
        .when(SendCancelled(target=0, attempt_id=FIRST))
        .then_nothing()
        .now(Status.PARKED)
    )


@pytest.mark.parametrize("index", [1, 99, -1])
@pytest.mark.parametrize("kind", [accepted, delivered, delayed, bounced, complained, rejected])
def test_feedback_about_a_target_that_is_not_there_is_nothing(kind: type, index: int) -> None:
    """Tags come from outside: another set-up's mail, say. That must not end a worker."""
    sending().when(kind("another", index)).then_nothing().now(Status.SCHEDULED)


def test_a_report_about_a_target_that_core_has_not_read_of_is_nothing() -> None:
    """The record that scheduled it lies in core's quarantine, and the sender has read it."""
    Story().given(received()).when(deferred(DeferReason.THROTTLED)).then_nothing()


def test_the_lifetime_counts_from_the_receipt() -> None:
    """Whatever time the look-up took: the expiry is the mail's, by the settings."""
    story = Story(Rules(lifetime_us=DAY_US)).given(received())
    assert story.mail.received is not None
    assert story.mail.received.received_at == RECEIVED_AT
    assert scheduled().expires_at == RECEIVED_AT + Rules().lifetime_us


@pytest.mark.parametrize("reason", DeferReason)
def test_a_deferral_of_an_earlier_round_starts_no_other_attempt(reason: DeferReason) -> None:
    """A sender that was paused tells of its round, while its successor's call is in the air."""
    (
        sending()
        .given(started(round_=1))
        .when(deferred(reason, round_=0), at=after(60))
        .then_nothing()
        .now(Status.SENDING)
    )
