"""Where each target of a mail stands: the state that deciders and projections share.

The sender tells what it did. A target's current attempt is the last one scheduled; what is told
of an older one can complete the target, never retry it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, assert_never

from schemas.events import (
    BounceReceived,
    ComplaintReceived,
    DeliveryConfirmed,
    DeliveryDelayed,
    Event,
    MailApproved,
    MailCompleted,
    MailExpired,
    MailHeld,
    MailRejected,
    RecordQuarantined,
    RouteResolved,
    SendAccepted,
    SendCancelled,
    SendCancelRequested,
    SendDeferred,
    SendExpired,
    SendFailed,
    SendHeldBack,
    SendParked,
    SendRejected,
    SendRescheduled,
    SendScheduled,
    SendStarted,
    SendSuppressed,
    SendTimeSet,
    SendUnknown,
    TargetReopened,
    TimerFired,
)
from schemas.values import ALWAYS, ENDED, DeferReason, Schedule, Status, TimerKind, UnknownPolicy

AcceptedSign = SendAccepted | DeliveryConfirmed | DeliveryDelayed | ComplaintReceived
"""SES has the mail: by its reply, or because it could not tell this otherwise."""

Outcome = AcceptedSign | BounceReceived | SendRejected
"""All that settles an attempt for good, in whatever order it comes."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What the provider has said of one attempt: completed, or bounced or rejected after all."""

    attempt_id: str
    status: Status
    provider_message_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetState:
    """One target. ``outstanding``: its current attempt may still be queued or in the air.

    ``round``: the claim of it that counts, as the sender sees it; what is told of an earlier one
    (by a sender that was paused, and is none any more) changes nothing. ``unknown_round``: the
    round of the current attempt whose outcome is unknown, or -1.
    ``doubted``: an older attempt may have been accepted, so that each new one may be a duplicate;
    also one of which a record that can't be read may tell.
    ``past``: attempts that had come back when the target was reopened: told of late, they change
    nothing any more. ``ends_as``: how it ends if an attempt that is called off is out in time.
    ``watched``: bounces of the address are on record. ``reason``: why it ended so, in words.
    ``route``: the way out that mail to it leaves by; empty for the default one.
    """

    address: str
    tenant: str
    status: Status = Status.RECEIVED
    number: int = 0
    attempt_id: str = ""
    outstanding: bool = False
    round: int = 0
    deferrals: int = 0
    expires_at: int = 0
    unknown_round: int = -1
    doubted: bool = False
    answered: tuple[Answered, ...] = ()
    past: tuple[str, ...] = ()
    ends_as: Status = Status.PARKED
    watched: bool = False
    reason: str = ""
    route: str = ""

    @property
    def provider_message_id(self) -> str:
        """The provider's id of the mail that this target's status is about."""
        return _best(self.answered).provider_message_id if self.answered else ""

    @property
    def is_called_off(self) -> bool:
        """Whether a person wants it ended: another attempt is not wanted."""
        return self.ends_as is not Status.PARKED

    @property
    def has_ended(self) -> bool:
        """Whether it counts among the ended ones."""
        return self.status in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """The state: every target of the mail, in the order of the route.

    ``send_at``: when a person wants it sent, whatever the alias's schedule says; 0: nobody did.
    ``doubted``: a decision that can't be read may have named targets, and had them sent to.
    """

    targets: tuple[TargetState, ...] = ()
    on_unknown: UnknownPolicy = UnknownPolicy.RESEND
    schedule: Schedule = ALWAYS
    send_at: int = 0
    completed: bool = False
    doubted: bool = False

    def holds(self, event: SendHeldBack) -> bool:
        """Whether a target waits for a moderator because this was told of it."""
        if not 0 <= event.target < len(self.targets):
            return False
        target = self.targets[event.target]
        return target.attempt_id == event.attempt_id and target.status is Status.HELD


INITIAL: Final = Sending()


def evolve(sending: Sending, event: Event) -> Sending:
    """Fold one event; those of other rooms change nothing here."""
    match event:
        case RouteResolved(tenant=tenant):
            states = tuple(
                TargetState(
                    address=each.address,
                    tenant=tenant,
                    doubted=sending.doubted,
                    route=each.route,
                )
                for each in event.targets
            )
            return replace(
                sending,
                targets=states,
                on_unknown=event.on_unknown,
                schedule=event.schedule,
                completed=False,
            )
        case MailHeld() | MailApproved() | MailRejected() | MailExpired():
            return _moderate(sending, event)
        case SendTimeSet(at=at):
            return replace(sending, send_at=at)
        case MailCompleted():
            return replace(sending, completed=True)
        case RecordQuarantined():
            return replace(sending, targets=tuple(map(_doubt, sending.targets)))
        case TargetReopened():
            return _evolve_one(replace(sending, completed=False), event)
        case TimerFired(kind=TimerKind.CLAIM):
            return replace(sending, targets=tuple(_lapse(each, event) for each in sending.targets))
        case _:
            return _evolve_one(sending, event)


def doubt_unrouted(sending: Sending) -> Sending:
    """A record of a mail that has no targets can't be read: perhaps it is the one that routed it.

    The sender may have read it all the same.
    """
    return replace(sending, doubted=True)


def _evolve_one(sending: Sending, event: Event) -> Sending:
    index = getattr(event, "target", None)
    if index is None or not 0 <= index < len(sending.targets):
        return sending
    before = sending.targets[index]
    after = _evolve_target(before, event)
    if after is before:
        return sending
    others = sending.targets
    return replace(sending, targets=(*others[:index], after, *others[index + 1 :]))


def _lapse(target: TargetState, fired: TimerFired) -> TargetState:
    """A claim has run out without having been announced: the sender goes on to its next round."""
    mine = target.attempt_id == fired.attempt_id and target.round == fired.number
    waits = mine and target.status is Status.SCHEDULED
    return replace(target, round=target.round + 1) if waits else target


def _doubt(target: TargetState) -> TargetState:
    """A record of the mail can't be read: it may say that SES has taken what was not told of."""
    is_known = target.has_ended and not target.outstanding
    return target if is_known else replace(target, doubted=True)


def _moderate(
    sending: Sending, event: MailHeld | MailApproved | MailRejected | MailExpired
) -> Sending:
    """What a moderator (or the rules) say holds for every target that was not scheduled yet."""
    match event:
        case MailHeld(reason=reason):
            status = Status.HELD
        case MailApproved():
            status, reason = Status.RECEIVED, ""
        case MailRejected(why=reason):
            status = Status.REJECTED
        case MailExpired(why=reason):
            status = Status.EXPIRED
        case _:
            assert_never(event)
    waiting = (Status.RECEIVED, Status.HELD)
    targets = tuple(
        replace(each, status=status, reason=reason) if each.status in waiting else each
        for each in sending.targets
    )
    return replace(sending, targets=targets)


def _evolve_target(target: TargetState, event: Event) -> TargetState:
    match event:
        case SendScheduled():
            # An answer about an older attempt stands, though the decision overtook it.
            return replace(
                target,
                status=_best(target.answered).status if target.answered else Status.SCHEDULED,
                number=event.number,
                attempt_id=event.attempt_id,
                outstanding=True,
                round=0,
                expires_at=event.expires_at,
                unknown_round=-1,
                doubted=target.doubted or event.possible_duplicate,
            )
        case SendParked(reason=reason):
            ended = target.has_ended
            return target if ended else replace(target, status=Status.PARKED, reason=reason)
        case TargetReopened():
            return replace(
                target,
                status=Status.RECEIVED,
                answered=(),
                past=(*target.past, *(each.attempt_id for each in target.answered)),
                deferrals=0,
                doubted=target.doubted or target.outstanding or target.unknown_round >= 0,
                ends_as=Status.PARKED,
                reason="",
            )
        case (
            SendAccepted()
            | DeliveryConfirmed()
            | DeliveryDelayed()
            | ComplaintReceived()
            | BounceReceived()
            | SendRejected()
        ):
            return _settle(target, event)
        case _:
            current = getattr(event, "attempt_id", None) == target.attempt_id
            return _evolve_current(target, event) if current else target


def _settle(target: TargetState, event: Outcome) -> TargetState:
    """Order does not count: within an attempt what came back stands, of several the best one."""
    if event.attempt_id in target.past:
        return target
    reason = ""
    match event:
        case BounceReceived(bounce_type=kind, diagnostic=diagnostic):
            status, reason = Status.BOUNCED, f"{kind} bounce: {diagnostic}"
        case SendRejected(reason=reason):
            status = Status.REJECTED
        case SendAccepted() | DeliveryConfirmed() | DeliveryDelayed() | ComplaintReceived():
            status = Status.COMPLETED
        case _:
            assert_never(event)
    new = Answered(event.attempt_id, status, event.provider_message_id)
    before = next((each for each in target.answered if each.attempt_id == new.attempt_id), None)
    answered = target.answered
    if before is None:
        answered = (*answered, new)
    elif before.status is Status.COMPLETED:
        answered = tuple(new if each is before else each for each in answered)
    target = _quiet(target, event.attempt_id)
    status = _best(answered).status
    reason = "" if status is Status.COMPLETED else reason or target.reason
    return replace(target, status=status, answered=answered, reason=reason)


def _best(answered: tuple[Answered, ...]) -> Answered:
    """The attempt that counts: the first that was completed, else the first at all."""
    return next((each for each in answered if each.status is Status.COMPLETED), answered[0])


def _quiet(target: TargetState, attempt: str) -> TargetState:
    if target.outstanding and target.attempt_id == attempt:
        return replace(target, outstanding=False)
    return target


def _evolve_current(target: TargetState, event: Event) -> TargetState:
    """What is told of the current attempt, save acceptance and feedback."""
    match event:
        case SendStarted():
            return _start(target, event)
        case SendRescheduled():
            return replace(target, expires_at=max(target.expires_at, event.expires_at))
        case SendCancelRequested(ends_as=ends_as, reason=reason):
            return replace(
                target, ends_as=ends_as, reason=target.reason if target.has_ended else reason
            )
        case SendDeferred():
            return _defer(target, event)
        case SendHeldBack(reason=reason):
            return _hold_back(target, event.round, reason)
        case SendUnknown(round=number):
            status = target.status if target.has_ended else Status.UNKNOWN
            return replace(target, status=status, unknown_round=number)
        case _:
            return _end_current(target, event)


def _start(target: TargetState, event: SendStarted) -> TargetState:
    """A call is announced, in the round that counts, or in one after it."""
    match target.status:
        case Status.SCHEDULED:
            begins = event.round >= target.round
        case Status.HELD:
            # The round that was held back was not the last one.
            begins = event.round > target.round
        case _:
            begins = False
    return replace(
        target,
        status=Status.SENDING if begins else target.status,
        outstanding=target.outstanding or begins,
        round=max(target.round, event.round),
        watched=event.watched,
    )


def _defer(target: TargetState, event: SendDeferred) -> TargetState:
    """SES was not called, and the attempt goes into its next round; or it is over, and core's."""
    if event.round < target.round:
        return target
    if event.reason is DeferReason.NOT_CALLED:
        back = target.status is Status.SENDING
        status = Status.SCHEDULED if back else target.status
        return replace(target, status=status, round=event.round + 1)
    return replace(
        target,
        status=target.status if target.has_ended else Status.DEFERRED,
        outstanding=False,
        deferrals=target.deferrals + 1,
    )


def _hold_back(target: TargetState, number: int, reason: str) -> TargetState:
    """It waits for a moderator; one that is called off has ended by it."""
    if number < target.round or target.status in (Status.SENDING, Status.UNKNOWN):
        return target  # told too late, of a round that another one has followed
    target = replace(target, outstanding=False, round=number)
    if target.status is not Status.SCHEDULED:
        return target
    if target.is_called_off:
        return replace(target, status=target.ends_as)
    return replace(target, status=Status.HELD, reason=reason)


def _end_current(target: TargetState, event: Event) -> TargetState:
    """What ends the current attempt, and with it the target."""
    match event:
        case SendFailed():
            status, reason = Status.REJECTED, f"{event.code}: {event.detail}"
        case SendSuppressed(reason=reason):
            status = Status.REJECTED
        case SendExpired():
            status, reason = Status.EXPIRED, "its time was over"
        case SendCancelled():
            status, reason = target.ends_as, target.reason or "it was called off"
        case _:
            return target
    target = replace(target, outstanding=False)
    return target if target.has_ended else replace(target, status=status, reason=reason)
