"""The breaker holds what was scheduled before it tripped, told as stories."""

from __future__ import annotations

import pytest

from processors.mail import Rules
from processors.moderation.breaker import RULE, Breaker
from schemas.events import (
    CommandAnswered,
    Event,
    MailApproved,
    MailCompleted,
    MailExpired,
    MailHeld,
    MailRejected,
    SendCancelled,
    SendCancelRequested,
    SendHeldBack,
    SendParked,
    SendScheduled,
    TargetReopened,
)
from schemas.values import DAY_US, HOUR_US, Command, DeferReason, OnExpiry, Status, TimerKind
from tests.samples import (
    QUARANTINED,
    accepted,
    after,
    bounced,
    deferred,
    failed,
    fired,
    obeyed,
    ordered,
    received,
    refused,
    resolved,
    scheduled,
    started,
    unknown,
)
from tests.story import FIRST, Story, attempt, sending

TOO_MUCH = "9 of 20 mails to this alias came back"
NOW = after(60)
HELD = MailHeld(rule=RULE, reason=TOO_MUCH, expires_at=NOW + 3 * DAY_US, on_expiry=OnExpiry.EXPIRE)
TWO = ("b@example.org", "c@example.org")
APPROVED = MailApproved(by="ann", why="")


def held_back(name: str = FIRST, target: int = 0, round_: int = 0) -> SendHeldBack:
    """The sender has claimed the attempt, and does not make it."""
    return SendHeldBack(target=target, attempt_id=name, round=round_, rule=RULE, reason=TOO_MUCH)


def _held(*addresses: str) -> Story:
    """A mail of which the first attempt was held back, and so stands before the moderators."""
    return sending(*addresses).when(held_back(), at=NOW).then(HELD)


def _new(decision: int, target: int = 0, *, duplicate: bool = False, **more: str) -> SendScheduled:
    return scheduled(
        attempt(decision, 2, target),
        target=target,
        number=2,
        due_at=NOW,
        expires_at=NOW + 3 * DAY_US,
        possible_duplicate=duplicate,
        **more,
    )


def test_an_attempt_that_is_held_back_holds_its_mail() -> None:
    """By the breaker's clock; it stands before the moderators like any other."""
    _held().now(Status.HELD).now_mail(Status.HELD)


def test_approved_it_is_scheduled_anew_and_leaves() -> None:
    """Its time counts from the approval; no attempt of it may become a duplicate."""
    (
        _held()
        .when(ordered(Command.APPROVE), at=NOW)
        .then(APPROVED, _new(2), obeyed("the mail is approved"))
        .now(Status.SCHEDULED)
        .when(accepted(attempt(2, 2)))
        .then(MailCompleted(ended={"completed": 1}))
    )


def test_rejected_it_ends() -> None:
    """As any held mail."""
    (
        _held()
        .when(ordered(Command.REJECT, why="a dead list"), at=NOW)
        .then(
            MailRejected(by="ann", why="a dead list"),
            MailCompleted(ended={"rejected": 1}),
            obeyed("the mail is rejected"),
        )
    )


def test_where_nobody_decides_it_expires() -> None:
    """After the breaker's time, and not before."""
    story = _held()
    story.when(fired(TimerKind.MODERATION, due_at=HELD.expires_at - 1)).then_nothing()
    (
        story.when(fired(TimerKind.MODERATION, due_at=HELD.expires_at), at=HELD.expires_at)
        .then(
            MailExpired(by="the rule breaker", why="nobody decided in time"),
            MailCompleted(ended={"expired": 1}),
        )
        .now(Status.EXPIRED)
    )


@pytest.mark.parametrize("breaker", [Breaker(expires_after_us=HOUR_US), None])
def test_how_long_a_moderator_has_is_cores_to_say(breaker: Breaker | None) -> None:
    """Where core's breaker is off (the settings are just being changed), as long as by default."""
    story = Story(Rules(breaker=breaker)).given(received(), resolved(), scheduled())
    story.when(held_back(), at=NOW)
    (held,) = story.decided
    assert isinstance(held, MailHeld)
    assert held.expires_at == NOW + (HOUR_US if breaker else 3 * DAY_US)


def test_other_targets_join_it_and_the_clock_runs_on() -> None:
    """One hold for the whole mail, however many of its attempts the sender comes to."""
    (
        _held(*TWO)
        .now(Status.HELD, Status.SCHEDULED)
        .when(held_back("attempt-2", 1), at=NOW + HOUR_US)
        .then_nothing()
        .now(Status.HELD, Status.HELD)
        .when(ordered(Command.APPROVE), at=NOW)
        .then(
            APPROVED,
            _new(3, address=TWO[0]),
            _new(3, 1, address=TWO[1]),
            obeyed("the mail is approved"),
        )
    )


def test_what_was_sent_before_stays_sent() -> None:
    """The alias has two targets: one has the mail, the other is let go by a moderator."""
    (
        sending(*TWO)
        .given(started(), accepted())
        .when(held_back("attempt-2", 1), at=NOW)
        .then(HELD)
        .now(Status.COMPLETED, Status.HELD)
        .now_mail(Status.HELD)
        .when(ordered(Command.APPROVE), at=NOW)
        .then(APPROVED, _new(2, 1, address=TWO[1]), obeyed("the mail is approved"))
        .when(accepted(attempt(2, 2, 1), 1))
        .then(MailCompleted(ended={"completed": 2}))
    )


@pytest.mark.parametrize(
    ("command", "ends_as"),
    [
        (Command.REJECT, Status.REJECTED),
        (Command.CANCEL, Status.REJECTED),
        (Command.EXPIRE, Status.EXPIRED),
    ],
)
@pytest.mark.parametrize("answer", ["held back", "cancelled"])
def test_what_is_queued_of_a_rejected_mail_is_called_off(
    command: Command, ends_as: Status, answer: str
) -> None:
    """The sender answers that it was in time; or had held it back before it was asked."""
    story = _held(*TWO).when(ordered(command, why="no"), at=NOW)
    request = SendCancelRequested(target=1, attempt_id="attempt-2", reason="no", ends_as=ends_as)
    assert request in story.decided
    story.given(*story.decided).now(ends_as, Status.SCHEDULED)
    in_time: Event = SendCancelled(target=1, attempt_id="attempt-2")
    (
        story.when(held_back("attempt-2", 1) if answer == "held back" else in_time, at=NOW)
        .then(MailCompleted(ended={str(ends_as): 2}))
        .now(ends_as, ends_as)
    )


def test_what_is_queued_of_an_expired_mail_is_called_off() -> None:
    """Also where the clock decides."""
    story = _held(*TWO).when(fired(TimerKind.MODERATION, due_at=HELD.expires_at))
    story.then_kinds(MailExpired, SendCancelRequested).now(Status.EXPIRED, Status.SCHEDULED)


def test_a_doubted_target_of_a_rejected_mail_is_parked() -> None:
    """It may have been sent: nobody can call that off."""
    story = sending(*TWO).given(started(), unknown()).when(held_back("attempt-2", 1), at=NOW)
    story.given(*story.decided).when(ordered(Command.REJECT), at=NOW)
    assert any(isinstance(event, SendParked) for event in story.decided)
    story.given(*story.decided).now(Status.PARKED, Status.REJECTED)


def test_an_approval_that_the_sender_had_not_heard_of_holds() -> None:
    """The second target was held back while a moderator let the mail go: it is scheduled anew."""
    (
        _held(*TWO)
        .when(ordered(Command.APPROVE), at=NOW)
        .then_kinds(MailApproved, SendScheduled, type(obeyed("")))
        .when(held_back("attempt-2", 1), at=NOW)
        .then(_new(3, 1, address=TWO[1]))
        .now(Status.SCHEDULED, Status.SCHEDULED)
    )


def test_an_approval_by_a_rules_clock_is_nobodys_word() -> None:
    """A rule that lets mail go when nobody looked at it in time says nothing of its targets."""
    spam = MailHeld(rule="spam", reason="", expires_at=after(9), on_expiry=OnExpiry.APPROVE)
    story = Story().given(received(), resolved(), spam)
    story.when(fired(TimerKind.MODERATION, due_at=after(9)), at=NOW)
    story.then_kinds(MailApproved, SendScheduled)
    story.when(held_back(attempt(1)), at=NOW).then(HELD)


def test_what_a_person_has_tried_again_is_not_held_back() -> None:
    """No rule is asked again: it is what retrying means."""
    story = sending().given(accepted(), bounced()).when(ordered(Command.RETRY), at=NOW)
    story.then_kinds(TargetReopened, SendScheduled, type(obeyed("")))
    story.when(held_back(attempt(1, 2)), at=NOW).then_kinds(SendScheduled)


def test_a_held_back_mail_that_was_parked_goes_back_to_the_moderators() -> None:
    """And what can't be read may be an approval, so that it is in doubt from then on."""
    story = _held().when(QUARANTINED, at=NOW)
    story.then_kinds(SendParked, MailCompleted).when(ordered(Command.RETRY), at=NOW)
    (
        story.then(TargetReopened(target=0, by="ann"), HELD, obeyed("1 targets are tried again"))
        .now(Status.HELD)
        .when(ordered(Command.APPROVE, "command-2"), at=NOW)
        .then(APPROVED, _new(4, duplicate=True), obeyed("the mail is approved", "command-2"))
    )


def test_a_target_that_failed_beside_a_held_one_is_retried_by_the_moderators() -> None:
    """The mail is held as one."""
    story = sending(*TWO).given(failed()).when(held_back("attempt-2", 1), at=NOW).then(HELD)
    story.when(ordered(Command.RETRY), at=NOW)
    story.then(TargetReopened(target=0, by="ann"), HELD, obeyed("1 targets are tried again"))
    story.now(Status.HELD, Status.HELD)


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ((started(round_=1),), Status.SENDING),
        ((started(), unknown()), Status.UNKNOWN),
        ((started(), accepted(), MailCompleted(ended={"completed": 1})), Status.COMPLETED),
        ((failed(), MailCompleted(ended={"rejected": 1})), Status.REJECTED),
    ],
)
def test_told_too_late_it_changes_nothing(told: tuple[Event, ...], status: Status) -> None:
    """Its claim had run out, and another sender came to the next round."""
    sending().given(*told).when(held_back(), at=NOW).then_nothing().now(status)


LAPSED = fired(TimerKind.CLAIM, FIRST, 0)
"""The claim of the first round has run out: another sender makes the next one."""
NOT_CALLED = deferred(DeferReason.NOT_CALLED)


def test_a_paused_sender_that_announces_an_older_round_takes_no_hold_back() -> None:
    """Neither by SendStarted nor by the word that it did not call: moderators have the mail."""
    story = sending().given(LAPSED).when(held_back(round_=1), at=NOW).then(HELD)
    story.when(started()).then_nothing().now(Status.HELD)
    story.when(NOT_CALLED).then_nothing().now(Status.HELD)
    story.when(ordered(Command.APPROVE), at=NOW).then_kinds(
        MailApproved, SendScheduled, CommandAnswered
    )


def test_a_round_is_held_back_though_an_older_one_is_announced_late() -> None:
    """What a paused sender announces then it does not call for."""
    story = sending().given(LAPSED, started()).now(Status.SCHEDULED)
    story.when(held_back(round_=1), at=NOW).then(HELD).now(Status.HELD)


def test_what_a_paused_sender_held_back_of_an_older_round_waits_on() -> None:
    """The sender has it in its queue, in the next round: it must not be scheduled beside that."""
    sending().given(LAPSED).when(held_back(), at=NOW).then_nothing().now(Status.SCHEDULED)


def test_a_round_that_is_announced_after_it_takes_the_hold_back() -> None:
    """The zombie's word came first: the mail is in the air, and no moderator sends it again."""
    (
        _held()
        .when(started(round_=1))
        .then_nothing()
        .now(Status.SENDING)
        .when(ordered(Command.APPROVE), at=NOW)
        .then(refused("the mail is not held: it is sending"))
        .when(accepted())
        .then(MailCompleted(ended={"completed": 1}))
    )


def test_held_back_again_after_its_clock_has_rung_unheard_it_is_held_anew() -> None:
    """Else it would wait for ever: the clock rang while it was in the air."""
    story = _held().given(started(round_=1))
    story.when(fired(TimerKind.MODERATION, due_at=HELD.expires_at)).then_nothing()
    story.when(deferred(DeferReason.TRANSIENT, round_=1), at=after(99)).then_kinds(SendScheduled)
    again = next(each.attempt_id for each in story.decided if isinstance(each, SendScheduled))
    late = HELD.expires_at + HOUR_US
    story.when(held_back(again), at=late)
    (held,) = story.decided
    assert isinstance(held, MailHeld)
    assert held.expires_at == late + 3 * DAY_US


def test_of_targets_that_are_not_there_nothing_follows() -> None:
    """A record that named them may lie in quarantine."""
    Story().given(received()).when(held_back(), at=NOW).then_nothing()
    sending().when(held_back(target=7), at=NOW).then_nothing().now(Status.SCHEDULED)
