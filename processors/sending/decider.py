"""Sending, as core decides it: when each target is tried, tried again, given up or completed.

The sender tells what it did; this room alone decides what follows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from processors.sending import schedule
from processors.sending.retries import wait_us
from processors.sending.targets import INITIAL, Outcome, Sending, TargetState, evolve
from schemas.events import (
    BounceReceived,
    ComplaintReceived,
    DeliveryConfirmed,
    DeliveryDelayed,
    Event,
    MailApproved,
    MailCompleted,
    MailExpired,
    MailRejected,
    RecordQuarantined,
    RouteResolved,
    SendAccepted,
    SendCancelled,
    SendCancelRequested,
    SendDeferred,
    SendExpired,
    SendHeldBack,
    SendParked,
    SendRejected,
    SendScheduled,
    TargetReopened,
    TimerFired,
)
from schemas.ids import attempt_id
from schemas.values import DeferReason, Status, TimerKind, UnknownPolicy

__all__ = ["INITIAL", "Moment", "Sending", "TargetState", "completion", "decide", "evolve"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When and as what something is decided.

    ``decision_id`` is that of the record to be; times are microseconds UTC; ``lifetime_us`` is
    how long a mail's targets are tried, from ``since`` on: its receipt, or its reopening.
    """

    decision_id: str
    now: int
    received_at: int
    since: int
    lifetime_us: int


def decide(sending: Sending, event: Event, moment: Moment) -> tuple[Event, ...]:
    """React to a route, an approval, a sender's report, feedback, a timer or a quarantine."""
    match event:
        case TargetReopened(target=index) if _target(sending, index) is None:
            return ()
        case RouteResolved() | MailApproved() | TargetReopened():
            return _begin(sending, event, moment)
        case MailRejected() | MailExpired() | RecordQuarantined():
            return _end(sending, event)
        case TimerFired(kind=TimerKind.UNKNOWN, attempt_id=attempt):
            return tuple(
                _after_unknown(sending, index, moment)
                for index, target in enumerate(sending.targets)
                if target.attempt_id == attempt and target.status is Status.UNKNOWN
            )
        case SendDeferred() | SendHeldBack():
            return _again(sending, event, moment)
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


def _due(sending: Sending, at: int, moment: Moment) -> int:
    """When an attempt may be made at the earliest: what a person wants, or the alias's schedule."""
    if sending.send_at:
        return max(at, sending.send_at)
    plan = sending.schedule
    return schedule.due_at(
        at,
        received_at=moment.received_at,
        not_before=plan.not_before,
        delay_us=plan.delay_us,
        window=plan.window,
    )


def _begin(
    sending: Sending, event: RouteResolved | MailApproved | TargetReopened, moment: Moment
) -> tuple[Event, ...]:
    match event:
        case RouteResolved():
            return _schedule_waiting(sending, moment, moment.since)
        case MailApproved():
            return _schedule_waiting(sending, moment, moment.now)
        case TargetReopened(target=index):
            due_at = _due(sending, moment.now, moment)
            return (_attempt(sending, index, moment, due_at, due_at + moment.lifetime_us),)


def _schedule_waiting(sending: Sending, moment: Moment, since: int) -> tuple[Event, ...]:
    """Every target that waits for nothing else; its time counts from ``since``, or if later due."""
    due_at = _due(sending, moment.now, moment)
    expires_at = (due_at if due_at > moment.now else since) + moment.lifetime_us
    return tuple(
        _attempt(sending, index, moment, due_at, expires_at)
        for index, target in enumerate(sending.targets)
        if target.status is Status.RECEIVED
    )


def _attempt(
    sending: Sending,
    index: int,
    moment: Moment,
    due_at: int,
    expires_at: int,
    *,
    possible_duplicate: bool = False,
) -> SendScheduled:
    target = sending.targets[index]
    number = target.number + 1
    return SendScheduled(
        target=index,
        address=target.address,
        number=number,
        attempt_id=attempt_id(moment.decision_id, index, number),
        due_at=due_at,
        expires_at=expires_at,
        tenant=target.tenant,
        possible_duplicate=possible_duplicate or target.doubted,
        route=target.route,
    )


def _end(
    sending: Sending, event: MailRejected | MailExpired | RecordQuarantined
) -> tuple[Event, ...]:
    """What is queued ends with the mail: of one that is held, other targets may wait there."""
    match event:
        case MailRejected(why=why):
            return call_off_all(sending, Status.REJECTED, why)
        case MailExpired(why=why):
            return call_off_all(sending, Status.EXPIRED, why)
        case RecordQuarantined(reason=reason):
            return _park_open(sending, reason)


def _again(
    sending: Sending, event: SendDeferred | SendHeldBack, moment: Moment
) -> tuple[Event, ...]:
    if isinstance(event, SendHeldBack):
        return _after_holding_back(sending, event, moment)
    return _after_deferral(sending, event, moment)


def _after_deferral(sending: Sending, event: SendDeferred, moment: Moment) -> tuple[Event, ...]:
    target = _target(sending, event.target)
    if target is None or target.attempt_id != event.attempt_id or target.has_ended:
        return ()
    wait = 0
    if event.reason is DeferReason.NOT_CALLED:
        # The sender itself queues the next round, unless it had given this one up as unknown. (Of
        # another round this says nothing: that a zombie did not call, its successor perhaps did.)
        if target.status is not Status.UNKNOWN or event.round != target.unknown_round:
            return ()
    elif event.round < target.round:
        return ()
    else:
        wait = wait_us(event.reason, target.deferrals, target.attempt_id)
    if target.is_called_off:
        return (SendCancelled(target=event.target, attempt_id=target.attempt_id),)
    due_at = _due(sending, moment.now + wait, moment)
    if due_at > target.expires_at:
        return (SendExpired(target=event.target, attempt_id=target.attempt_id),)
    return (_attempt(sending, event.target, moment, due_at, target.expires_at),)


def _after_holding_back(sending: Sending, event: SendHeldBack, moment: Moment) -> tuple[Event, ...]:
    """The mail was let go before it was heard that this attempt had been held back."""
    if not sending.holds(event):
        return ()
    due_at = _due(sending, moment.now, moment)
    return (_attempt(sending, event.target, moment, due_at, due_at + moment.lifetime_us),)


def _after_unknown(sending: Sending, index: int, moment: Moment) -> Event:
    target = sending.targets[index]
    if sending.on_unknown is UnknownPolicy.PARK or target.is_called_off:
        return SendParked(target=index, reason="nobody knows whether SES has the mail")
    due_at = _due(sending, moment.now, moment)
    if due_at > target.expires_at:
        return SendParked(target=index, reason="outcome unknown, and its time is over")
    return _attempt(sending, index, moment, due_at, target.expires_at, possible_duplicate=True)


def call_off_all(sending: Sending, status: Status, reason: str) -> tuple[Event, ...]:
    """End what has not ended: what is queued when the sender has answered, all else at once."""
    events: list[Event] = []
    for index, target in enumerate(sending.targets):
        if target.has_ended or target.is_called_off:
            continue
        events.append(
            SendCancelRequested(
                target=index, attempt_id=target.attempt_id, reason=reason, ends_as=status
            )
        )
        # The sender answers whether that came in time. What is perhaps at SES it can't take back.
        if not target.outstanding or target.status is Status.UNKNOWN:
            events.append(SendParked(target=index, reason=reason))
    return tuple(events)


def _call_off(sending: Sending, event: Outcome) -> tuple[Event, ...]:
    """An older attempt has turned out to be accepted: the newer one is not wanted any more."""
    target = _target(sending, event.target)
    if target is None or target.attempt_id == event.attempt_id or not target.outstanding:
        return ()
    if event.attempt_id in target.past:
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
