"""One target and its status, according to the tables of ``docs/reference/statuses.md``.

The current attempt is the one that was scheduled last. Events about an older attempt can complete a
target or revoke its completion, but they never reopen it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from processors.audit.model.attempts import Attempt
from schemas.events import (
    BounceReceived,
    ComplaintReceived,
    DeliveryConfirmed,
    DeliveryDelayed,
    Event,
    MailApproved,
    MailExpired,
    MailHeld,
    MailRejected,
    SendAccepted,
    SendCancelled,
    SendCancelRequested,
    SendDeferred,
    SendExpired,
    SendFailed,
    SendHeldBack,
    SendParked,
    SendRejected,
    SendScheduled,
    SendStarted,
    SendSuppressed,
    SendUnknown,
    TargetReopened,
    TimerFired,
)
from schemas.values import ENDED, DeferReason, Status, TimerKind

TAKEN: Final = (SendAccepted, DeliveryConfirmed, DeliveryDelayed, ComplaintReceived)
"""Events that say that the provider has the message."""

PROVIDER: Final = (*TAKEN, BounceReceived, SendRejected)
"""All events in which the provider reports about an attempt that it has accepted."""

Moderated = MailHeld | MailApproved | MailRejected | MailExpired

ENDS: Final[dict[type[Event], Status]] = {
    SendFailed: Status.REJECTED,
    SendSuppressed: Status.REJECTED,
    SendExpired: Status.EXPIRED,
}
"""The final status after each report of the sender; ``SendCancelled`` ends it as requested."""

NO_ROUND: Final = -1


@dataclass(slots=True, kw_only=True)
class Target:
    """One target of a message.

    Attributes:
        address: the address that it is sent to.
        tenant: the tenant that it belongs to.
        status: the status that the view must show.
        attempts: all attempts that were scheduled for it, by id, in order.
        verdicts: by attempt, the provider's last report since the target was last reopened.
        forgotten: the attempts that the provider had reported about when it was reopened.
        ends_as: its final status once its cancelled attempt has left the queue; PARKED if nobody
            has cancelled it.
        in_flight: whether its current attempt may still be queued or in progress.
        round: the round of the current attempt; reports about earlier rounds change nothing.
        unknown_round: the round of the current attempt whose outcome is unknown, or -1.
        decide_at: when the policy decides about an unknown outcome (microseconds UTC).
        doubted: whether an attempt before the current one may have been accepted.
    """

    address: str
    tenant: str
    status: Status = Status.RECEIVED
    attempts: dict[str, Attempt] = field(default_factory=dict)
    verdicts: dict[str, Status] = field(default_factory=dict)
    forgotten: set[str] = field(default_factory=set)
    ends_as: Status = Status.PARKED
    in_flight: bool = False
    round: int = 0
    unknown_round: int = NO_ROUND
    decide_at: int = 0
    doubted: bool = False

    @property
    def current(self) -> Attempt | None:
        """The attempt that was scheduled last."""
        return next(reversed(self.attempts.values()), None)

    @property
    def has_ended(self) -> bool:
        """Whether its status is final."""
        return self.status in ENDED

    @property
    def is_called_off(self) -> bool:
        """Whether somebody has cancelled it."""
        return self.ends_as is not Status.PARKED

    def moderate(self, event: Moderated) -> None:
        """Apply a moderation event, which concerns all targets that are not scheduled."""
        if self.status not in (Status.RECEIVED, Status.HELD):
            return
        match event:
            case MailHeld():
                self.status = Status.HELD
            case MailApproved():
                self.status = Status.RECEIVED
            case MailRejected():
                self.status = Status.REJECTED
            case MailExpired():
                self.status = Status.EXPIRED

    def doubt(self) -> None:
        """Note that an unreadable record may report that the provider has the message."""
        if self.in_flight or not self.has_ended:
            self.doubted = True

    def take(self, event: Event) -> None:
        """Fold an accepted event about this target."""
        match event:
            case SendScheduled():
                self._schedule(event)
            case TargetReopened():
                self._reopen()
            case SendParked():
                self._move(Status.PARKED)
            case _ if isinstance(event, PROVIDER):
                self._hear(event.attempt_id, _verdict(event))
            case _ if self.current and getattr(event, "attempt_id", None) == self.current.id:
                self._report(event)
            case _:
                pass

    def _schedule(self, event: SendScheduled) -> None:
        self.attempts[event.attempt_id] = Attempt.of(event)
        # The provider's reports about older attempts remain valid: the decision did not see them.
        self.status = self._best() or Status.SCHEDULED
        self.in_flight, self.round, self.unknown_round = True, 0, NO_ROUND
        self.doubted = self.doubted or event.possible_duplicate

    def _reopen(self) -> None:
        self.status = Status.RECEIVED
        self.doubted = self.doubted or self.in_flight or self.unknown_round != NO_ROUND
        self.forgotten |= self.verdicts.keys()
        self.verdicts.clear()
        self.ends_as = Status.PARKED

    def _hear(self, attempt_id: str, verdict: Status) -> None:
        """Fold a report of the provider; its reports may come in any order."""
        if attempt_id in self.forgotten:
            return
        # Within an attempt, a bounce overrides any earlier or later delivery.
        if self.verdicts.get(attempt_id) in (None, Status.COMPLETED):
            self.verdicts[attempt_id] = verdict
        if self.current is not None and self.current.id == attempt_id:
            self.in_flight = False
        self.status = self._best() or self.status

    def _best(self) -> Status | None:
        """One completed attempt completes the target; otherwise the first verdict counts."""
        said = list(self.verdicts.values())
        return Status.COMPLETED if Status.COMPLETED in said else next(iter(said), None)

    def _report(self, event: Event) -> None:
        """Fold a report of the sender about the current attempt."""
        match event:
            case SendStarted():
                self._start(event.round)
            case SendCancelRequested():
                self.ends_as = event.ends_as
            case SendDeferred() | SendHeldBack():
                self._not_sent(event)
            case SendUnknown():
                self.unknown_round, self.decide_at = event.round, event.decide_at
                self._move(Status.UNKNOWN)
            case TimerFired(kind=TimerKind.CLAIM):
                self._lapse(event.number)
            case SendFailed() | SendSuppressed() | SendExpired() | SendCancelled():
                self.in_flight = False
                self._move(ENDS.get(type(event), self.ends_as))
            case _:
                pass

    def _lapse(self, number: int) -> None:
        """Begin the next round: the deadline of a claim passed before it was announced."""
        if self.status is Status.SCHEDULED and number == self.round:
            self.round += 1

    def _start(self, number: int) -> None:
        counts = {Status.SCHEDULED: number >= self.round, Status.HELD: number > self.round}
        if counts.get(self.status, False):
            self.status, self.in_flight = Status.SENDING, True
        self.round = max(self.round, number)

    def _not_sent(self, event: SendDeferred | SendHeldBack) -> None:
        if event.round < self.round:
            return
        if isinstance(event, SendHeldBack):
            self._hold_back(event.round)
        elif event.reason is DeferReason.NOT_CALLED:
            if self.status is Status.SENDING:
                self.status = Status.SCHEDULED
            self.round = event.round + 1
        else:
            self.in_flight = False
            self._move(Status.DEFERRED)

    def _hold_back(self, number: int) -> None:
        if self.status in (Status.SENDING, Status.UNKNOWN):
            return
        self.in_flight, self.round = False, number
        if self.status is Status.SCHEDULED:
            self.status = self.ends_as if self.is_called_off else Status.HELD

    def _move(self, status: Status) -> None:
        if not self.has_ended:
            self.status = status


def _verdict(event: Event) -> Status:
    match event:
        case BounceReceived():
            return Status.BOUNCED
        case SendRejected():
            return Status.REJECTED
        case _:
            return Status.COMPLETED
