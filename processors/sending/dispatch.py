"""Sending, as the sender keeps it: its attempts, their rounds, and what is still to be sent.

A round is one claim. The fold below depends on the stream alone, so that whoever owns the shard
agrees on which round counts; the claims in DynamoDB only make sure that a round has one owner.
An attempt goes: waiting -> (started) -> done or unknown, and back to waiting in its next round
when it is certain that SES was not called.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import Final

from processors.sending.lanes import NOWHERE, URGENT_TAG, Lane, domain_of
from schemas.events import (
    BounceReceived,
    ComplaintReceived,
    DeliveryConfirmed,
    DeliveryDelayed,
    Event,
    MailApproved,
    MailHeld,
    MailReceived,
    ModerationDecided,
    RouteReopened,
    RouteResolved,
    SendAccepted,
    SendCancelled,
    SendCancelRequested,
    SendDeferred,
    SendExpired,
    SendFailed,
    SendHeldBack,
    SendRejected,
    SendRescheduled,
    SendScheduled,
    SendStarted,
    SendSuppressed,
    SendUnknown,
    TargetReopened,
    TimerFired,
)
from schemas.values import BY_RULE, DeferReason, TimerKind


class Phase(enum.StrEnum):
    """Where an attempt stands for the sender."""

    WAITING = "waiting"
    """In the queue, or claimed in the round that counts."""
    UNKNOWN = "unknown"
    """Perhaps sent: never to be claimed again."""
    DONE = "done"
    """Settled: never to be claimed again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One scheduled attempt.

    ``lane`` is the part of the queue it waits in, for good. ``started`` is the highest round whose
    SendStarted is on the log, and ``send_before`` that round's; a ``cancelled`` one is queued at
    once, for the sender to take out of the queue by a claim as it would to send it. One that has
    ``moved`` was queued anew in the same round, perhaps after its claim.
    """

    scheduled: SendScheduled
    lane: Lane = field(default=NOWHERE)
    round: int = 0
    started: int = -1
    send_before: int = 0
    phase: Phase = Phase.WAITING
    cancelled: bool = False
    moved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """The sender's state for one mail: where its bytes lie, who it is from, its attempts.

    ``wanted``: a person wants it sent, as :class:`processors.moderation.decider.Moderation` says.
    """

    mail: MailReceived | None = None
    alias: str = ""
    tags: tuple[str, ...] = ()
    wanted: bool = False
    attempts: tuple[Attempt, ...] = ()

    def attempt(self, attempt_id: str) -> Attempt | None:
        """The attempt with this id, if it was scheduled."""
        for attempt in self.attempts:
            if attempt.scheduled.attempt_id == attempt_id:
                return attempt
        return None


INITIAL: Final = Dispatch()


def evolve(dispatch: Dispatch, event: Event) -> Dispatch:
    """Fold one accepted event."""
    match event:
        case MailReceived():
            return replace(dispatch, mail=event)
        case RouteResolved(alias=alias):
            return replace(dispatch, alias=alias)
        case ModerationDecided(tags=tags):
            return replace(dispatch, tags=tags)
        case MailApproved() | TargetReopened() | MailHeld() | RouteReopened():
            return replace(dispatch, wanted=_is_wanted(event))
        case SendScheduled():
            attempt = Attempt(scheduled=event, lane=_lane(dispatch, event))
            return replace(dispatch, attempts=(*dispatch.attempts, attempt))
        case _:
            before = dispatch.attempt(getattr(event, "attempt_id", ""))
            if before is None:
                return dispatch
            after = _evolve_attempt(before, event)
            if after is before:
                return dispatch
            attempts = tuple(after if each is before else each for each in dispatch.attempts)
            return replace(dispatch, attempts=attempts)


def _is_wanted(event: MailApproved | TargetReopened | MailHeld | RouteReopened) -> bool:
    """Whether a person has let the mail go; the clock of a rule is no person."""
    match event:
        case MailApproved(by=by):
            return not by.startswith(BY_RULE)
        case TargetReopened():
            return True
        case MailHeld() | RouteReopened():
            return False


def own_address(dispatch: Dispatch) -> str:
    """What the mail goes out from: the alias; where that is a whole domain, its recipient."""
    is_domain = dispatch.alias.startswith("@")
    return dispatch.mail.recipient if is_domain and dispatch.mail else dispatch.alias


def _lane(dispatch: Dispatch, scheduled: SendScheduled) -> Lane:
    return Lane(
        scheduled.tenant,
        domain_of(own_address(dispatch)),
        domain_of(scheduled.address),
        urgent=URGENT_TAG in dispatch.tags,
    )


def _evolve_attempt(attempt: Attempt, event: Event) -> Attempt:  # noqa: C901, PLR0911 - a table
    match event:
        case SendStarted(round=number, send_before=send_before) if number > attempt.started:
            return replace(attempt, started=number, send_before=send_before)
        case SendDeferred(reason=DeferReason.NOT_CALLED, round=number):
            counts = attempt.phase is Phase.WAITING and number == attempt.round
            return replace(attempt, round=attempt.round + 1) if counts else attempt
        case SendHeldBack(round=number):
            counts = attempt.phase is Phase.WAITING and number == attempt.round
            return replace(attempt, phase=Phase.DONE) if counts else attempt
        case SendDeferred(round=number) if number < attempt.round:
            return attempt  # told of late, by a sender that was paused: another round is begun
        case TimerFired(kind=TimerKind.CLAIM, number=number):
            if attempt.phase is not Phase.WAITING or number != attempt.round:
                return attempt
            if attempt.started == number:
                return replace(attempt, phase=Phase.UNKNOWN)
            # SES is called only after SendStarted is acknowledged and before the deadline: so it
            # was not called in this round, and the next one may begin.
            return replace(attempt, round=attempt.round + 1)
        case SendCancelRequested():
            return replace(attempt, cancelled=True, moved=True)
        case SendRescheduled(due_at=due_at, expires_at=expires_at):
            scheduled = replace(attempt.scheduled, due_at=due_at, expires_at=expires_at)
            return replace(attempt, scheduled=scheduled, moved=True)
        case SendUnknown():
            waits = attempt.phase is Phase.WAITING
            return replace(attempt, phase=Phase.UNKNOWN) if waits else attempt
        case (
            SendAccepted()
            | SendDeferred()
            | SendFailed()
            | SendExpired()
            | SendCancelled()
            | SendSuppressed()
            | DeliveryConfirmed()
            | DeliveryDelayed()
            | BounceReceived()
            | ComplaintReceived()
            | SendRejected()
        ):
            return replace(attempt, phase=Phase.DONE)
        case _:
            return attempt


def doubt(dispatch: Dispatch) -> Dispatch:
    """Take every attempt that waits for one that was perhaps sent.

    A record of this mail can't be read; it may be the one that says so.
    """
    if not any(attempt.phase is Phase.WAITING for attempt in dispatch.attempts):
        return dispatch
    attempts = tuple(
        replace(attempt, phase=Phase.UNKNOWN) if attempt.phase is Phase.WAITING else attempt
        for attempt in dispatch.attempts
    )
    return replace(dispatch, attempts=attempts)


@dataclass(frozen=True, slots=True)
class Changes:
    """What an event means for the queue, as data: attempts to queue, to take out, lost, settled.

    What is taken out is named as it was when it was put in; taking out comes first.
    """

    queue: tuple[Attempt, ...] = ()
    withdraw: tuple[Attempt, ...] = ()
    lost: tuple[Attempt, ...] = ()
    settled: tuple[Attempt, ...] = ()


def changes(before: Dispatch, after: Dispatch) -> Changes:
    """Compare two states: what has begun to wait, has ceased to, or became unknown."""
    queue: list[Attempt] = []
    withdraw: list[Attempt] = []
    lost: list[Attempt] = []
    settled: list[Attempt] = []
    for index, new in enumerate(after.attempts):
        old = before.attempts[index] if index < len(before.attempts) else None
        if old is new:
            continue
        if new.phase is Phase.WAITING:
            if old is None or new.round != old.round:
                queue.append(new)
            elif (new.cancelled, new.scheduled) != (old.cancelled, old.scheduled):
                withdraw.append(old)
                queue.append(new)
        elif old is not None and old.phase is Phase.WAITING:
            if old.moved or old.started != old.round:
                # Else its claim has taken it out: SendStarted follows the claim.
                withdraw.append(old)
            (lost if new.phase is Phase.UNKNOWN else settled).append(new)
    return Changes(tuple(queue), tuple(withdraw), tuple(lost), tuple(settled))
