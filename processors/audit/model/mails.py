"""One message: its route, its moderation, its targets, and what has to happen to it by when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from processors.audit.model.attempts import Attempt, State
from processors.audit.model.conditions import Conditions
from processors.audit.model.targets import Target
from schemas.envelope import EventEnvelope
from schemas.events import (
    CommandAnswered,
    CommandGiven,
    Event,
    MailApproved,
    MailCompleted,
    MailExpired,
    MailHeld,
    MailReceived,
    MailRejected,
    RecordQuarantined,
    RecordRedriven,
    RouteDeferred,
    RouteExpired,
    RouteNotFound,
    RouteReopened,
    RouteResolved,
    SendCancelRequested,
    SendScheduled,
    SendTimeSet,
    TargetReopened,
    TimerFired,
)
from schemas.values import Status, TimerKind

WHOLE: Final = -1
"""Stands for the message as a whole, in place of a target's index."""
AT_ONCE: Final = 0

UNROUTED: Final[dict[type[Event], Status]] = {
    RouteNotFound: Status.UNROUTABLE,
    RouteExpired: Status.EXPIRED,
    MailExpired: Status.EXPIRED,
    MailRejected: Status.REJECTED,
    RouteReopened: Status.RECEIVED,
}
"""The status of a message without targets after these events, whatever it was before."""

CONCLUDED: Final = (Status.UNROUTABLE, Status.EXPIRED, Status.REJECTED)
"""Final statuses of a message without targets, which ``MailCompleted`` announces (not parked)."""

Fired = tuple[TimerKind, str, int, int]
"""Kind, attempt, number and due time of a timer that has fired."""


@dataclass(frozen=True, slots=True)
class Due:
    """Something that is still open, and what has to happen to it.

    Attributes:
        target: the index of the target, or -1 for the message as a whole.
        at: the deadline (microseconds UTC); 0: as soon as core has read all records of the message.
        what: what has to happen, in words.
        command: the id of the command that has to be answered; "" for anything else.
    """

    target: int
    at: int
    what: str
    command: str = ""


@dataclass(slots=True)
class MailModel:
    """The state of one message according to its accepted records.

    Attributes:
        received: how it arrived; None until a ``MailReceived`` is accepted.
        route: the last result of resolving its alias.
        hold: the current hold for moderation; None if it is not held.
        blocked: whether a moderator, a rule or an operator keeps it from being sent.
        targets: one target for each address of the route.
        attempts: all attempts that were scheduled, by id.
        completed: whether ``MailCompleted`` was announced, and the message was not reopened since.
        send_at: the time that a person has set, which overrides the schedule; 0 if nobody has.
    """

    received: MailReceived | None = None
    route: RouteResolved | None = None
    hold: MailHeld | None = None
    blocked: bool = False
    targets: list[Target] = field(default_factory=list)
    attempts: dict[str, Attempt] = field(default_factory=dict)
    completed: bool = False
    send_at: int = 0
    _unrouted: Status = Status.RECEIVED
    _settled: bool = False
    _parked: bool = False
    _doubted: bool = False
    _retry: RouteDeferred | None = None
    _fired: set[Fired] = field(default_factory=set)
    _commands: dict[str, CommandGiven] = field(default_factory=dict)
    _quarantined: set[str] = field(default_factory=set)
    _cancelled_at: dict[str, int] = field(default_factory=dict)

    @property
    def statuses(self) -> tuple[Status, ...]:
        """The statuses that the view must show: one per target, or the message's own."""
        return tuple(target.status for target in self.targets) or (self._unrouted,)

    @property
    def status(self) -> Status:
        """The status of the least finished target."""
        order = list(Status)
        return min(self.statuses, key=order.index)

    def may_leave(self, attempt_id: str, now: int, conditions: Conditions) -> str:
        """Return why an attempt may not be sent now.

        Args:
            attempt_id: the attempt.
            now: microseconds UTC.
            conditions: the pauses and suppressions that hold now.

        Returns:
            "" if it may; otherwise the reason why not, in words.
        """
        attempt = self.attempts.get(attempt_id)
        if attempt is None:
            return "it was never scheduled"
        why = attempt.may_leave(now)
        if why:
            return why
        if conditions.is_suppressed(attempt.address, now):
            return "its address is suppressed"
        arrived_at = self.received.received_at if self.received else 0
        return conditions.pause(attempt.tenant, attempt.address, arrived_at)

    def due(self) -> list[Due]:
        """Return everything that is still open, with what has to happen and by when."""
        found = [
            Due(
                WHOLE,
                AT_ONCE,
                f"the command {each.command} has to be answered",
                each.command_id,
            )
            for each in self._commands.values()
        ]
        if self._quarantined and not all(target.has_ended for target in self.targets):
            found.append(Due(WHOLE, AT_ONCE, "a record is quarantined: it has to be parked"))
        if not self.targets:
            return [*found, *self._due_unrouted()]
        for index, target in enumerate(self.targets):
            found.extend(self._due_target(index, target))
        if not self.completed and all(target.has_ended for target in self.targets):
            found.append(Due(WHOLE, AT_ONCE, "its completion has to be announced"))
        return found

    def take(self, record: EventEnvelope, arrived_at: int) -> None:
        """Fold an accepted record that arrived at a moment (microseconds UTC)."""
        if record.is_decision:
            self._quarantined.discard(record.cause)
        for event in record.events:
            if isinstance(event, RecordQuarantined) and not self._all_ended():
                self._quarantined.add(record.id)
            self._take(event, arrived_at)
        if self._all_ended():
            self._quarantined.clear()

    def doubt_attempts(self) -> None:
        """Note that this reader cannot use a record, so waiting attempts may have been sent."""
        for attempt in self.attempts.values():
            attempt.doubt()

    def _all_ended(self) -> bool:
        return bool(self.targets) and all(target.has_ended for target in self.targets)

    def _take(self, event: Event, arrived_at: int) -> None:
        match event:
            case MailReceived() | MailCompleted() | SendTimeSet():
                self._note(event)
            case CommandGiven():
                self._commands[event.command_id] = event
            case CommandAnswered():
                self._commands.pop(event.command_id, None)
            case RecordQuarantined() | RecordRedriven():
                self._quarantine(event)
            case MailHeld() | MailApproved() | MailRejected() | MailExpired():
                self._moderate(event)
            case RouteResolved() | RouteDeferred() | RouteReopened():
                self._look_up(event)
            case RouteNotFound() | RouteExpired():
                self._end_unrouted(event)
            case _:
                self._send(event, arrived_at)

    def _note(self, event: MailReceived | MailCompleted | SendTimeSet) -> None:
        match event:
            case MailReceived():
                self.received = event
            case MailCompleted():
                self.completed = True
            case SendTimeSet():
                self.send_at = event.at

    def _look_up(self, event: RouteResolved | RouteDeferred | RouteReopened) -> None:
        match event:
            case RouteResolved():
                self.route, self._settled, self._parked = event, True, False
                self.targets = [
                    Target(address=each.address, tenant=event.tenant, doubted=self._doubted)
                    for each in event.targets
                ]
            case RouteDeferred():
                self._retry = event
                if not self._settled:
                    self._unrouted = Status.DEFERRED
            case RouteReopened():
                self._unrouted, self._settled, self._parked = Status.RECEIVED, False, False
                self.completed, self.hold, self.blocked = False, None, False

    def _end_unrouted(self, event: Event) -> None:
        self._unrouted = UNROUTED[type(event)]
        self._settled, self._parked = True, False

    def _quarantine(self, event: RecordQuarantined | RecordRedriven) -> None:
        if isinstance(event, RecordRedriven):
            if self._parked:
                self._unrouted, self._settled, self._parked = Status.RECEIVED, False, False
            return
        if not self.targets and not self._settled:
            if self._unrouted is not Status.PARKED and self.received is not None:
                # The record may be the one that named the targets.
                self._doubted = True
            self._unrouted = Status.PARKED
            if self.received is not None:
                self._settled = self._parked = True
        for target in self.targets:
            target.doubt()

    def _moderate(self, event: MailHeld | MailApproved | MailRejected | MailExpired) -> None:
        self.hold = event if isinstance(event, MailHeld) else None
        if isinstance(event, MailRejected | MailExpired):
            self._end_unrouted(event)
            self.blocked = True
        elif isinstance(event, MailApproved):
            self.blocked = False
        for target in self.targets:
            target.moderate(event)

    def _send(self, event: Event, arrived_at: int) -> None:
        """Fold an event about an attempt or a target."""
        name = getattr(event, "attempt_id", "")
        index = getattr(event, "target", None)
        if isinstance(event, TimerFired):
            self._fired.add((event.kind, name, event.number, event.due_at))
            concerned = [each for each in self.targets if name in each.attempts]
        else:
            known = index is not None and 0 <= index < len(self.targets)
            concerned = [self.targets[index]] if known and index is not None else []
        if isinstance(event, TargetReopened):
            self.completed, self.blocked = False, False
        for target in concerned:
            target.take(event)
        if isinstance(event, SendScheduled):
            own = concerned[0].attempts[name] if concerned else Attempt.of(event)
            own.stranded = self.received is None
            self.attempts[name] = own
        elif name in self.attempts:
            if isinstance(event, SendCancelRequested):
                self._cancelled_at.setdefault(name, arrived_at)
            self.attempts[name].take(event)

    def _due_unrouted(self) -> Iterator[Due]:
        match self._unrouted:
            case Status.RECEIVED if self.received is not None and not self._settled:
                yield Due(WHOLE, AT_ONCE, "its alias has to be looked up")
            case Status.DEFERRED if self._retry is not None:
                again = (TimerKind.LOOKUP, "", self._retry.number, self._retry.retry_at)
                at = AT_ONCE if again in self._fired else self._retry.retry_at
                yield Due(WHOLE, at, "its alias has to be looked up again")
            case status if status in CONCLUDED and not self.completed:
                yield Due(WHOLE, AT_ONCE, "its completion has to be announced")
            case _:
                pass

    def _due_target(self, index: int, target: Target) -> Iterator[Due]:
        current = target.current
        match target.status:
            case Status.RECEIVED:
                yield Due(index, AT_ONCE, "it has to be scheduled")
            case Status.DEFERRED:
                yield Due(index, AT_ONCE, "it has to be scheduled again, or to end")
            case Status.HELD:
                yield self._due_held(index)
            case Status.UNKNOWN if current is not None:
                timer = (TimerKind.UNKNOWN, current.id, target.unknown_round, target.decide_at)
                at = AT_ONCE if timer in self._fired else target.decide_at
                yield Due(index, at, "the policy for unknown outcomes has to decide")
            case Status.SENDING if current is not None:
                yield Due(index, current.send_before, "the outcome of its call has to be reported")
            case Status.SCHEDULED if current is not None and not current.cancelled:
                yield Due(index, current.expires_at, "it has to be sent, or to expire")
            case _:
                pass
        yield from self._due_attempts(index, target)

    def _due_held(self, index: int) -> Due:
        if self.hold is None:
            return Due(index, AT_ONCE, "it is held back: it has to wait for a moderator")
        at = self.hold.expires_at
        over = (TimerKind.MODERATION, "", 0, at) in self._fired
        what = f"a moderator has to decide, or the rule does: {self.hold.on_expiry}"
        return Due(index, AT_ONCE if over else at, what)

    def _due_attempts(self, index: int, target: Target) -> Iterator[Due]:
        current = target.current
        if current is None:
            return
        if current.cancelled and current.state is State.WAITING:
            at = self._cancelled_at.get(current.id, AT_ONCE)
            yield Due(index, max(at, current.send_before), "it has to leave the queue")
        superseded = target.in_flight and target.verdicts.keys() - {current.id}
        if superseded and not current.cancelled:
            yield Due(index, AT_ONCE, "an earlier attempt was accepted: it has to be cancelled")
