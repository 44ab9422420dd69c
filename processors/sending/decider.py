"""Sending, as core decides it: when each target is tried, tried again, given up or completed.

The sender tells what it did; this room alone decides what follows. A target's current attempt is
the last one scheduled; what is told of an older one can complete the target, never retry it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Final, assert_never

from processors.sending.retries import wait_us
from schemas.events import (
    BounceReceived,
    ComplaintReceived,
    DeliveryConfirmed,
    DeliveryDelayed,
    Event,
    MailCompleted,
    RecordQuarantined,
    RouteResolved,
    SendAccepted,
    SendCancelled,
    SendCancelRequested,
    SendDeferred,
    SendExpired,
    SendFailed,
    SendParked,
    SendRejected,
    SendScheduled,
    SendStarted,
    SendUnknown,
    TimerFired,
)
from schemas.ids import attempt_id
from schemas.values import ENDED, DeferReason, Status, TimerKind, UnknownPolicy

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

    ``unknown_round``: the round of the current attempt whose outcome is unknown, or -1.
    ``doubted``: an older attempt may have been accepted, so that each new one may be a duplicate.
    """

    address: str
    tenant: str
    status: Status = Status.RECEIVED
    number: int = 0
    attempt_id: str = ""
    outstanding: bool = False
    deferrals: int = 0
    expires_at: int = 0
    unknown_round: int = -1
    doubted: bool = False
    answered: tuple[Answered, ...] = ()

    @property
    def provider_message_id(self) -> str:
        """The provider's id of the mail that this target's status is about."""
        return _best(self.answered).provider_message_id if self.answered else ""

    @property
    def has_ended(self) -> bool:
        """Whether it counts among the ended ones."""
        return self.status in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """The state: every target of the mail, in the order of the route."""

    targets: tuple[TargetState, ...] = ()
    on_unknown: UnknownPolicy = UnknownPolicy.RESEND
    completed: bool = False


INITIAL: Final = Sending()


def evolve(sending: Sending, event: Event) -> Sending:
    """Fold one event; those of other rooms change nothing here."""
    match event:
        case RouteResolved(targets=targets, tenant=tenant, on_unknown=on_unknown):
            states = tuple(TargetState(address=each.address, tenant=tenant) for each in targets)
            return replace(sending, targets=states, on_unknown=on_unknown)
        case MailCompleted():
            return replace(sending, completed=True)
        case _:
            index = getattr(event, "target", None)
            if index is None or not 0 <= index < len(sending.targets):
                return sending
            before = sending.targets[index]
            after = _evolve_target(before, event)
            if after is before:
                return sending
            others = sending.targets
            return replace(sending, targets=(*others[:index], after, *others[index + 1 :]))


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
                expires_at=event.expires_at,
                unknown_round=-1,
                doubted=target.doubted or event.possible_duplicate,
            )
        case SendParked():
            return target if target.has_ended else replace(target, status=Status.PARKED)
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
    match event:
        case BounceReceived():
            status = Status.BOUNCED
        case SendRejected():
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
    return replace(target, status=_best(answered).status, answered=answered)


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
        case SendStarted() if target.status is Status.SCHEDULED:
            return replace(target, status=Status.SENDING)
        case SendDeferred(reason=DeferReason.NOT_CALLED):
            back = target.status is Status.SENDING
            return replace(target, status=Status.SCHEDULED) if back else target
        case SendDeferred():
            waits = not target.has_ended
            return replace(
                target,
                status=Status.DEFERRED if waits else target.status,
                outstanding=False,
                deferrals=target.deferrals + 1,
            )
        case SendFailed():
            return _end(target, Status.REJECTED)
        case SendExpired():
            return _end(target, Status.EXPIRED)
        case SendCancelled():
            return _end(target, Status.PARKED)
        case SendUnknown(round=number):
            status = target.status if target.has_ended else Status.UNKNOWN
            return replace(target, status=status, unknown_round=number)
        case _:
            return target


def _end(target: TargetState, status: Status) -> TargetState:
    target = replace(target, outstanding=False)
    return target if target.has_ended else replace(target, status=status)


def decide(
    sending: Sending, event: Event, *, decision_id: str, now: int, expires_at: int
) -> tuple[Event, ...]:
    """React to a resolved route, a sender's report, feedback, a timer or a quarantined record.

    ``expires_at``: when a target's time is over, for targets that are scheduled for the first time.
    """
    match event:
        case RouteResolved():
            return tuple(
                _first(index, target, decision_id, now, expires_at)
                for index, target in enumerate(sending.targets)
            )
        case RecordQuarantined(reason=reason):
            return _park_open(sending, reason)
        case TimerFired(kind=TimerKind.UNKNOWN, attempt_id=attempt):
            for index, target in enumerate(sending.targets):
                if target.attempt_id == attempt and target.status is Status.UNKNOWN:
                    return (_after_unknown(sending, index, decision_id, now),)
            return ()
        case SendDeferred():
            return _after_deferral(sending, event, decision_id, now)
        case (
            SendAccepted()
            | DeliveryConfirmed()
            | DeliveryDelayed()
            | ComplaintReceived()
            | BounceReceived()
            | SendRejected()
        ):
            return _call_off(sending, event)
        case _:
            return ()


def completion(sending: Sending) -> tuple[Event, ...]:
    """``MailCompleted``, once, when every target has ended."""
    if sending.completed or not sending.targets:
        return ()
    if not all(target.has_ended for target in sending.targets):
        return ()
    counts = Counter(str(target.status) for target in sending.targets)
    return (MailCompleted(ended=dict(counts)),)


def _first(
    index: int, target: TargetState, decision_id: str, now: int, expires_at: int
) -> SendScheduled:
    return SendScheduled(
        target=index,
        address=target.address,
        number=1,
        attempt_id=attempt_id(decision_id, index, 1),
        due_at=now,
        expires_at=expires_at,
        tenant=target.tenant,
    )


def _next(
    sending: Sending, index: int, decision_id: str, due_at: int, *, possible_duplicate: bool = False
) -> SendScheduled:
    target = sending.targets[index]
    number = target.number + 1
    return SendScheduled(
        target=index,
        address=target.address,
        number=number,
        attempt_id=attempt_id(decision_id, index, number),
        due_at=due_at,
        expires_at=target.expires_at,
        tenant=target.tenant,
        possible_duplicate=possible_duplicate or target.doubted,
    )


def _after_deferral(
    sending: Sending, event: SendDeferred, decision_id: str, now: int
) -> tuple[Event, ...]:
    target = _target(sending, event.target)
    if target is None or target.attempt_id != event.attempt_id or target.has_ended:
        return ()
    if event.reason is DeferReason.NOT_CALLED:
        # The sender itself queues the next round, unless it had given this one up as unknown. (Of
        # another round this says nothing: that a zombie did not call, its successor perhaps did.)
        if target.status is not Status.UNKNOWN or event.round != target.unknown_round:
            return ()
        return (_next(sending, event.target, decision_id, now),)
    due_at = now + wait_us(event.reason, target.deferrals, target.attempt_id)
    if due_at > target.expires_at:
        return (SendExpired(target=event.target, attempt_id=target.attempt_id),)
    return (_next(sending, event.target, decision_id, due_at),)


def _after_unknown(sending: Sending, index: int, decision_id: str, now: int) -> Event:
    target = sending.targets[index]
    if sending.on_unknown is UnknownPolicy.PARK:
        return SendParked(target=index, reason="nobody knows whether SES has the mail")
    if now > target.expires_at:
        return SendParked(target=index, reason="outcome unknown, and its time is over")
    return _next(sending, index, decision_id, now, possible_duplicate=True)


def _call_off(sending: Sending, event: Outcome) -> tuple[Event, ...]:
    """An older attempt has turned out to be accepted: the newer one is not wanted any more."""
    target = _target(sending, event.target)
    if target is None or target.attempt_id == event.attempt_id or not target.outstanding:
        return ()
    reason = "an earlier attempt was accepted after all"
    request = SendCancelRequested(target=event.target, attempt_id=target.attempt_id, reason=reason)
    return (request,)


def _park_open(sending: Sending, reason: str) -> tuple[Event, ...]:
    events: list[Event] = []
    for index, target in enumerate(sending.targets):
        if target.has_ended:
            continue
        if target.outstanding:
            events.append(
                SendCancelRequested(target=index, attempt_id=target.attempt_id, reason=reason)
            )
        events.append(SendParked(target=index, reason=f"a record of this mail: {reason}"))
    return tuple(events)


def _target(sending: Sending, index: int) -> TargetState | None:
    """The target, or None where there is no such: that must not end the worker.

    Feedback may be about another set-up's mail, and a record that named the targets may lie in
    this application's quarantine while the sender has read it.
    """
    return sending.targets[index] if 0 <= index < len(sending.targets) else None
