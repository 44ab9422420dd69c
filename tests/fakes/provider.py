"""A provider in memory that accepts mails, and the three limiters SES's own may be like."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mailtumble.ports.world import Quota, SendRefused
from schemas.values import DAY_US, SECOND_US, DeferReason

if TYPE_CHECKING:
    from mailtumble.ports.world import OutgoingMail
    from tests.fakes.clock import VirtualClock


@dataclass(frozen=True, slots=True)
class AcceptedMail:
    """A mail that was taken, when (microseconds UTC), and under which message id."""

    mail: OutgoingMail
    accepted_at: int
    message_id: str


class Limiter(Protocol):
    """How a provider judges its rate; ``rate`` is recipients per second."""

    rate: float

    def admits(self, now: int) -> bool:
        """Whether one more recipient may go at ``now``; if so, it is counted."""


class FixedWindow:
    """At most ``rate`` in each second of the clock."""

    def __init__(self, rate: float) -> None:
        """Take ``rate`` recipients per second."""
        self.rate = rate
        self._window = -1
        self._count = 0

    def admits(self, now: int) -> bool:
        """Count within the second that ``now`` lies in."""
        window = now // SECOND_US
        if window != self._window:
            self._window, self._count = window, 0
        if self._count + 1 > max(self.rate, 1):
            return False
        self._count += 1
        return True


class SlidingWindow:
    """At most ``rate`` in any span of one second."""

    def __init__(self, rate: float) -> None:
        """Take ``rate`` recipients per second."""
        self.rate = rate
        self._recent: deque[int] = deque()

    def admits(self, now: int) -> bool:
        """Count what was admitted less than a second before ``now``."""
        while self._recent and self._recent[0] <= now - SECOND_US:
            self._recent.popleft()
        if len(self._recent) + 1 > max(self.rate, 1):
            return False
        self._recent.append(now)
        return True


class DebtBucket:
    """A burst passes, but as a debt that has to be paid before the next mail passes.

    Seen at SES (its guide on sending limits): 5 recipients at once at 1/s pass, and the next
    5 s are refused. A burst is what comes within one second of its first mail, at most ``burst``.
    """

    def __init__(self, rate: float, burst: float | None = None) -> None:
        """Take ``rate`` recipients per second, ``burst`` at once (five seconds' worth)."""
        self.rate = rate
        self._burst = 5 * rate if burst is None else burst
        self._paid_at = 0.0
        self._began_at = -SECOND_US

    def admits(self, now: int) -> bool:
        """Whether there is no debt at ``now``, or a burst is young and small enough."""
        interval = SECOND_US / self.rate
        if now >= self._paid_at:
            self._began_at, self._paid_at = now, now + interval
            return True
        debt = (self._paid_at - now) / interval
        if now - self._began_at >= SECOND_US or debt + 1 > max(self._burst, 1):
            return False
        self._paid_at += interval
        return True


class InMemoryProvider:
    """A :class:`mailtumble.ports.world.Transport` and ``Account`` that logs what it accepts.

    Without a ``limiter`` any rate is good. Attributes: ``accepted``, in order; ``refused``, the
    number of sends refused by reason; ``sending_enabled`` and ``max_24h``, which may be changed.
    """

    def __init__(
        self,
        clock: VirtualClock,
        *,
        limiter: Limiter | None = None,
        max_send_rate: float = 14.0,
        max_24h: int = -1,
    ) -> None:
        """Enforce ``limiter`` and ``max_24h`` (-1: no limit)."""
        self._clock = clock
        self._limiter = limiter
        self._max_send_rate = max_send_rate if limiter is None else limiter.rate
        self._day: deque[int] = deque()
        self.max_24h = max_24h
        self.sending_enabled = True
        self.accepted: list[AcceptedMail] = []
        self.refused: dict[DeferReason, int] = {}

    def send(self, mail: OutgoingMail) -> str:
        """Accept the mail and log it, or refuse it as SES does."""
        now = self._clock.now()
        if not self.sending_enabled:
            raise self._refusal(DeferReason.STOPPED, "Sending is paused for this account.")
        if 0 <= self.max_24h <= self._sent_24h(now):
            raise self._refusal(DeferReason.DAILY_QUOTA, "Daily message quota exceeded.")
        if self._limiter is not None and not self._limiter.admits(now):
            raise self._refusal(DeferReason.THROTTLED, "Maximum sending rate exceeded.")
        self._day.append(now)
        message_id = f"ses-{len(self.accepted) + 1:08d}"
        self.accepted.append(AcceptedMail(mail, now, message_id))
        return message_id

    def quota(self) -> Quota:
        """The limits in force and what was sent in the last 24 h."""
        sent = self._sent_24h(self._clock.now())
        return Quota(self._max_send_rate, self.max_24h, sent, self.sending_enabled)

    def _sent_24h(self, now: int) -> int:
        while self._day and self._day[0] <= now - DAY_US:
            self._day.popleft()
        return len(self._day)

    def _refusal(self, reason: DeferReason, detail: str) -> SendRefused:
        self.refused[reason] = self.refused.get(reason, 0) + 1
        return SendRefused(reason, detail)
