"""One attempt, according to rule 8: in each round it is claimed, announced, and then called.

A round ends without a call if the sender says so (``SendDeferred`` with reason ``not_called``), or
if the deadline of its claim passes before it was announced. Then the next round begins. If the
deadline of an announced round passes without an outcome, the attempt is unknown. An attempt that is
unknown or settled is never sent again.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from schemas.events import (
    BounceReceived,
    ComplaintReceived,
    DeliveryConfirmed,
    DeliveryDelayed,
    Event,
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
    TimerFired,
)
from schemas.values import DeferReason, TimerKind

SETTLING: Final = (
    SendAccepted,
    SendFailed,
    SendExpired,
    SendCancelled,
    SendSuppressed,
    DeliveryConfirmed,
    DeliveryDelayed,
    BounceReceived,
    ComplaintReceived,
    SendRejected,
)
"""Events after which the attempt is never sent again."""


class State(enum.StrEnum):
    """Whether an attempt may still be sent."""

    WAITING = "waiting"
    """It is in the queue, or claimed in the current round."""
    UNKNOWN = "unknown"
    """It may have been sent."""
    SETTLED = "settled"
    """It has an outcome, or was taken out of the queue."""


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One attempt at one target.

    Attributes:
        id: the id of the attempt.
        target: the index of its target.
        number: 1 for the first attempt at the target.
        address: the address that it is sent to.
        tenant: the tenant that it belongs to.
        due_at: it must not be sent before this moment (microseconds UTC).
        expires_at: it must not be sent at or after this moment (microseconds UTC).
        latest_expiry: the latest ``expires_at`` that it ever had; later attempts expire no later.
        possible_duplicate: whether it was announced as a message that may arrive twice.
        round: how many rounds have ended without a call.
        started: the highest round that was announced; -1 if none was.
        instant_at: the send slot of that announcement (microseconds UTC).
        send_before: in that round, SES must not be called at or after this moment (microseconds
            UTC).
        owner: the sender that announced that round.
        state: whether it may still be sent.
        cancelled: whether somebody has cancelled it.
        stranded: whether this reader had no ``MailReceived`` of the message when the attempt was
            scheduled. The sender does not queue such an attempt, but reports that it failed.
    """

    id: str
    target: int
    number: int
    address: str
    tenant: str
    due_at: int
    expires_at: int
    possible_duplicate: bool
    latest_expiry: int
    round: int = 0
    started: int = -1
    instant_at: int = 0
    send_before: int = 0
    owner: str = ""
    state: State = State.WAITING
    cancelled: bool = False
    stranded: bool = False

    @classmethod
    def of(cls, event: SendScheduled) -> Attempt:
        """Return the attempt that an event schedules."""
        return cls(
            id=event.attempt_id,
            target=event.target,
            number=event.number,
            address=event.address,
            tenant=event.tenant,
            due_at=event.due_at,
            expires_at=event.expires_at,
            possible_duplicate=event.possible_duplicate,
            latest_expiry=event.expires_at,
        )

    @property
    def is_announced(self) -> bool:
        """Whether the current round was announced and has no outcome yet."""
        return self.state is State.WAITING and self.started == self.round

    def take(self, event: Event) -> None:
        """Fold an accepted event about this attempt."""
        match event:
            case SendStarted() if event.round > self.started:
                self.started, self.owner = event.round, event.owner
                self.instant_at, self.send_before = event.instant_at, event.send_before
            case SendCancelRequested():
                self.cancelled = True
            case SendRescheduled():
                self.due_at, self.expires_at = event.due_at, event.expires_at
                self.latest_expiry = max(self.latest_expiry, event.expires_at)
            case SendDeferred() | SendHeldBack():
                self._not_sent(event)
            case SendUnknown():
                self.doubt()
            case TimerFired(kind=TimerKind.CLAIM) if self._counts(event.number):
                self._lapse()
            case _ if isinstance(event, SETTLING):
                self.state = State.SETTLED
            case _:
                pass

    def doubt(self) -> None:
        """Note that it may have been sent, because a quarantined record may say so."""
        if self.state is State.WAITING:
            self.state = State.UNKNOWN

    def may_leave(self, now: int) -> str:
        """Return why it may not be sent now, apart from pauses and suppressions; "" if it may."""
        if self.state is State.UNKNOWN:
            return "its outcome is unknown"
        if self.state is State.SETTLED:
            return "it is settled"
        if self.cancelled:
            return "it is cancelled"
        if now >= self.expires_at:
            return "it has expired"
        if now < self.due_at:
            return "it is not due"
        return ""

    def _counts(self, number: int) -> bool:
        return self.state is State.WAITING and number == self.round

    def _lapse(self) -> None:
        """Handle the deadline of a claim: only an announced round may have made its call."""
        if self.is_announced:
            self.state = State.UNKNOWN
        else:
            self.round += 1

    def _not_sent(self, event: SendDeferred | SendHeldBack) -> None:
        match event:
            case SendDeferred(reason=DeferReason.NOT_CALLED):
                if self._counts(event.round):
                    self.round += 1
            case SendDeferred():
                if event.round >= self.round:
                    self.state = State.SETTLED
            case SendHeldBack():
                if self._counts(event.round):
                    self.state = State.SETTLED
