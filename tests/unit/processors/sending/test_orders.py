"""What people want of a mail whose targets are known, told as stories: another try, or an end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.events import (
    CommandAnswered,
    Event,
    MailCompleted,
    SendAccepted,
    SendCancelled,
    SendCancelRequested,
    SendExpired,
    SendParked,
    SendScheduled,
    SendSuppressed,
    TargetReopened,
)
from schemas.values import DAY_US, Command, DeferReason, Status, TimerKind, UnknownPolicy
from tests.samples import (
    accepted,
    after,
    bounced,
    complained,
    deferred,
    delayed,
    delivered,
    failed,
    fired,
    obeyed,
    ordered,
    refused,
    rejected,
    scheduled,
    started,
    unknown,
)
from tests.story import FIRST, again, attempt, sending

SUPPRESSED = SendSuppressed(target=0, attempt_id=FIRST, reason="the address is suppressed: by hand")
LATER = after(4 * 24 * 3600)
"""The mail's first time is long over."""


def called_off(status: Status, reason: str, name: str = FIRST) -> SendCancelRequested:
    """The sender is asked to take the attempt out of the queue."""
    return SendCancelRequested(target=0, attempt_id=name, reason=reason, ends_as=status)


ENDINGS = [(Command.EXPIRE, Status.EXPIRED), (Command.CANCEL, Status.REJECTED)]

ENDS: list[tuple[tuple[Event, ...], Status]] = [
    ((SendParked(target=0, reason="a record"),), Status.PARKED),
    ((SendExpired(target=0, attempt_id=FIRST),), Status.EXPIRED),
    ((failed(),), Status.REJECTED),
    ((accepted(), rejected()), Status.REJECTED),
    ((SUPPRESSED,), Status.REJECTED),
    ((accepted(), bounced()), Status.BOUNCED),
]


@pytest.mark.parametrize(("told", "status"), ENDS)
def test_what_ended_otherwise_than_well_can_be_tried_again(
    told: tuple[Event, ...], status: Status
) -> None:
    """A new attempt, due now, whose time counts from now; the mail is open again until its end.

    Of one that was parked the first attempt is out still: the new one may be a duplicate.
    """
    new = scheduled(attempt(1, 2), number=2, due_at=LATER, expires_at=LATER + 3 * DAY_US)
    story = sending().given(*told, MailCompleted(ended={str(status): 1})).now(status)
    (
        story.when(ordered(Command.RETRY), at=LATER)
        .then(
            TargetReopened(target=0, by="ann"),
            replace(new, possible_duplicate=status is Status.PARKED),
            obeyed("1 targets are tried again"),
        )
        .now(Status.SCHEDULED)
        .when(accepted(attempt(1, 2)))
        .then(MailCompleted(ended={"completed": 1}))
        .now(Status.COMPLETED)
    )


def test_a_completed_mail_is_not_tried_again() -> None:
    """SES has it: a second one would be a duplicate."""
    story = sending().given(accepted(), MailCompleted(ended={"completed": 1}))
    story.when(ordered(Command.RETRY)).then(refused("nothing of the mail has failed: 1 completed"))


def test_only_the_targets_that_failed_are_tried_again() -> None:
    """The others stay as they are: one arrived, one is still on its way."""
    (
        sending("b@example.org", "c@example.org", "d@example.org")
        .given(accepted("attempt-1", 0), failed("attempt-2", 1))
        .when(ordered(Command.RETRY), at=LATER)
        .then_kinds(TargetReopened, SendScheduled, CommandAnswered)
        .now(Status.COMPLETED, Status.SCHEDULED, Status.SCHEDULED)
    )


def test_in_bulk_only_what_stands_in_the_chosen_status_is_tried_again() -> None:
    """The command carries the status: of parked, bounced and rejected targets one is meant."""
    story = sending("b@example.org", "c@example.org", "d@example.org").given(
        SendParked(target=0, reason="a record"),
        accepted("attempt-2", 1),
        bounced("attempt-2", 1),
        failed("attempt-3", 2),
    )
    (
        story.when(ordered(Command.RETRY, detail="parked"), at=LATER)
        .then_kinds(TargetReopened, SendScheduled, CommandAnswered)
        .now(Status.SCHEDULED, Status.BOUNCED, Status.REJECTED)
        .when(ordered(Command.RETRY, "command-2", detail="expired"), at=LATER)
        .then(
            refused(
                "nothing of the mail is expired: 1 bounced, 1 rejected, 1 scheduled", "command-2"
            )
        )
    )


def test_a_command_of_old_that_names_no_status_reopens_all_that_failed() -> None:
    """As it did when it was recorded."""
    story = sending("b@example.org", "c@example.org")
    story.given(SendParked(target=0, reason="a record"), failed("attempt-2", 1))
    story.when(ordered(Command.RETRY), at=LATER).given(*story.decided)
    story.now(Status.SCHEDULED, Status.SCHEDULED)


@pytest.mark.parametrize(("command", "status"), ENDINGS)
def test_in_bulk_what_somebody_called_off_is_left_out(command: Command, status: Status) -> None:
    """One target was cancelled by a person, SES refused the other: the answer tells of both."""
    story = sending("b@example.org", "c@example.org").given(failed("attempt-2", 1))
    story.when(ordered(command, why="wrong text"))
    story.given(*story.decided, SendCancelled(target=0, attempt_id=FIRST))
    story.now(status, Status.REJECTED)
    story.when(ordered(Command.RETRY, detail=str(Status.REJECTED)), at=LATER)
    told = "1 targets are tried again"
    left_out = "1 left out that somebody called off"
    assert story.decided[-1] == obeyed(f"{told}, {left_out}" if status is Status.REJECTED else told)
    assert [each.target for each in story.decided if isinstance(each, TargetReopened)] == [1]
    story.given(*story.decided).now(status, Status.SCHEDULED)
    story.when(ordered(Command.RETRY, detail=str(status)), at=LATER).then(refused(left_out))
    story.when(ordered(Command.RETRY), at=LATER).then_kinds(
        TargetReopened, SendScheduled, CommandAnswered
    )


@pytest.mark.parametrize("command", [Command.EXPIRE, Command.CANCEL])
def test_in_bulk_what_was_called_off_while_its_outcome_was_unknown_is_left_out(
    command: Command,
) -> None:
    """It is parked, and who parked it did not want it sent again."""
    story = sending().given(started(), unknown()).when(ordered(command))
    story.given(*story.decided).now(Status.PARKED)
    story.when(ordered(Command.RETRY, detail="parked"), at=LATER)
    story.then(refused("1 left out that somebody called off"))


def test_a_second_retry_finds_nothing_to_do() -> None:
    """Two people at once: one new attempt."""
    story = sending().given(failed()).when(ordered(Command.RETRY), at=LATER)
    (
        story.given(*story.decided)
        .when(ordered(Command.RETRY, "command-2"), at=LATER)
        .then(refused("nothing of the mail has failed: 1 scheduled", "command-2"))
    )


@pytest.mark.parametrize("late", [accepted(), delivered(), delayed(), complained(), bounced()])
def test_what_comes_late_of_an_attempt_that_bounced_does_not_undo_its_retry(late: Event) -> None:
    """SES's events come in any order; the new attempt is wanted all the same."""
    story = sending().given(accepted(), bounced(), MailCompleted(ended={"bounced": 1}))
    story.when(ordered(Command.RETRY), at=LATER)
    story.given(*story.decided).when(late, at=LATER).then_nothing().now(Status.SCHEDULED)


@pytest.mark.parametrize("late", [accepted(), delivered(), delayed(), complained()])
def test_acceptance_that_nobody_knew_of_calls_the_retry_off(late: Event) -> None:
    """The outcome was unknown, a person tried again, and then the truth comes out."""
    story = sending(on_unknown=UnknownPolicy.PARK).given(unknown())
    story.when(fired(TimerKind.UNKNOWN, FIRST)).then_kinds(SendParked, MailCompleted)
    story.when(ordered(Command.RETRY), at=LATER)
    (
        story.given(*story.decided)
        .when(late, at=LATER)
        .then_kinds(SendCancelRequested, MailCompleted)
        .now(Status.COMPLETED)
    )


def test_the_retry_of_a_send_of_unknown_outcome_may_be_a_duplicate() -> None:
    """And its attempt says so."""
    story = sending(on_unknown=UnknownPolicy.PARK).given(unknown())
    story.when(fired(TimerKind.UNKNOWN, FIRST)).then_kinds(SendParked, MailCompleted)
    story.when(ordered(Command.RETRY), at=LATER)
    (next_,) = (event for event in story.decided if isinstance(event, SendScheduled))
    assert next_.possible_duplicate


@pytest.mark.parametrize(("command", "status"), ENDINGS)
def test_a_waiting_mail_is_ended_by_the_senders_answer(command: Command, status: Status) -> None:
    """Core asks, the sender takes the attempt out of the queue, and only then it has ended."""
    (
        sending()
        .when(ordered(command, why="too late"))
        .then(
            called_off(status, f"{command} by ann: too late"),
            obeyed("1 open targets are called off"),
        )
        .now(Status.SCHEDULED)
        .when(SendCancelled(target=0, attempt_id=FIRST))
        .then(MailCompleted(ended={str(status): 1}))
        .now(status)
    )


@pytest.mark.parametrize(("command", "status"), ENDINGS)
def test_the_end_that_was_wanted_is_told_with_its_reason(command: Command, status: Status) -> None:
    """Who wanted it, and why, stands at the target."""
    story = sending().when(ordered(command, why="too late"))
    story.given(*story.decided, SendCancelled(target=0, attempt_id=FIRST)).now(status)
    assert story.mail.sending.targets[0].reason == f"{command} by ann: too late"


@pytest.mark.parametrize("late", [accepted(), delivered(), delayed(), complained()])
def test_a_target_that_was_completed_after_all_has_no_reason(late: Event) -> None:
    """Whatever was told of it before: that it was parked, or was to be called off."""
    story = sending().given(SendParked(target=0, reason="a record")).given(late)
    assert story.mail.sending.targets[0].reason == ""
    story = sending().given(started(), called_off(Status.EXPIRED, "expire by ann"), late)
    assert story.mail.sending.targets[0].reason == ""


@pytest.mark.parametrize(("command", "status"), ENDINGS)
def test_a_call_that_was_made_already_completes_the_mail(command: Command, status: Status) -> None:
    """Too late: the sender's outcome counts, and the answer promised no more than a request."""
    (
        sending()
        .given(started())
        .when(ordered(command))
        .then(called_off(status, f"{command} by ann"), obeyed("1 open targets are called off"))
        .now(Status.SENDING)
        .when(accepted())
        .then(MailCompleted(ended={"completed": 1}))
        .now(Status.COMPLETED)
    )


@pytest.mark.parametrize("reason", [each for each in DeferReason if each != DeferReason.NOT_CALLED])
@pytest.mark.parametrize(("command", "status"), ENDINGS)
def test_what_was_called_off_in_the_air_is_not_tried_again(
    command: Command, status: Status, reason: DeferReason
) -> None:
    """SES refused it for now, and a person wants it ended: there is no other attempt."""
    story = sending().given(started()).when(ordered(command))
    story.given(*story.decided).when(deferred(reason), at=after(2))
    assert not [event for event in story.decided if isinstance(event, SendScheduled)]
    story.given(*story.decided).now(status)
    assert story.mail.completed


@pytest.mark.parametrize(("command", "status"), ENDINGS)
def test_a_call_that_was_not_made_leaves_it_called_off(command: Command, status: Status) -> None:
    """The next round of the same attempt takes it out of the queue."""
    story = sending().given(started()).when(ordered(command))
    (
        story.given(*story.decided)
        .when(deferred(DeferReason.NOT_CALLED))
        .then_nothing()
        .when(SendCancelled(target=0, attempt_id=FIRST))
        .then(MailCompleted(ended={str(status): 1}))
        .now(status)
    )


@pytest.mark.parametrize("command", [Command.EXPIRE, Command.CANCEL])
def test_what_was_called_off_and_may_have_gone_out_is_not_sent_again(command: Command) -> None:
    """The reply to the call is lost: a person wanted it ended, so the policy does not resend."""
    story = sending().given(started()).when(ordered(command))
    story.given(*story.decided, unknown()).when(fired(TimerKind.UNKNOWN, FIRST), at=after(60))
    (
        story.then_kinds(SendParked, MailCompleted)
        .now(Status.PARKED)
        .when(
            SendAccepted(
                target=0, attempt_id=FIRST, provider_message_id="ses-1", called_at=after(1)
            )
        )
        .then_nothing()
        .now(Status.COMPLETED)
    )


@pytest.mark.parametrize(("command", "status"), ENDINGS)
def test_a_mail_of_unknown_outcome_is_parked(command: Command, status: Status) -> None:
    """Nobody can take it back; nothing is sent again, and SES's event may still complete it."""
    (
        sending()
        .given(unknown())
        .when(ordered(command))
        .then(
            called_off(status, f"{command} by ann"),
            SendParked(target=0, reason=f"{command} by ann"),
            MailCompleted(ended={"parked": 1}),
            obeyed("1 open targets are called off"),
        )
        .now(Status.PARKED)
        .when(fired(TimerKind.UNKNOWN, FIRST), at=after(60))
        .then_nothing()
        .when(delivered())
        .then_nothing()
        .now(Status.COMPLETED)
    )


@pytest.mark.parametrize("command", [Command.EXPIRE, Command.CANCEL])
def test_what_has_ended_can_not_be_ended(command: Command) -> None:
    """The answer tells how."""
    story = sending("b@example.org", "c@example.org")
    story.given(accepted("attempt-1", 0), failed("attempt-2", 1))
    story.when(ordered(command)).then_kinds(MailCompleted, CommandAnswered)
    assert story.decided[-1] == refused("the mail has ended: 1 completed, 1 rejected")


@pytest.mark.parametrize(
    "command",
    [Command.PAUSE, Command.RESUME, Command.SUPPRESS, Command.RELEASE],
)
def test_a_mail_can_not_be_told_what_is_meant_for_others(command: Command) -> None:
    """Fleets are paused and addresses suppressed, mails are not."""
    sending().when(ordered(command)).then(refused(f"a mail can't {command}"))


def test_a_new_attempt_after_a_call_off_in_vain_is_its_own() -> None:
    """An attempt that was deferred before the call-off was read is not the one called off."""
    story = sending().when(deferred(DeferReason.TRANSIENT), at=after(2))
    (next_,) = story.decided
    assert isinstance(next_, SendScheduled)
    assert next_ == again(1, due_at=next_.due_at)
    story.given(next_).when(ordered(Command.CANCEL))
    story.then(
        called_off(Status.REJECTED, "cancel by ann", attempt(1, 2)),
        obeyed("1 open targets are called off"),
    )
