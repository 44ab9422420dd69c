"""Rules by which a local SES may call a caller too fast, and the daily ledger.

Amazon doesn't say how SES limits, so a sender has to pass all of these. They
are pure: the time of each call is given, in microseconds since 1970, and never
goes back. What is counted is recipients. A refused call leaves no trace, save in `DebtLimiter`.

A window holds ``ceil(rate)`` recipients and lasts ``ceil(rate) / rate`` seconds:
one second for a whole rate, two for half a recipient a second, and no fraction
of a rate is rounded away. A call with more recipients than a window holds passes
only into an empty window; otherwise it never could.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Protocol

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
KEPT_US = 25 * 60 * MINUTE_US
"""How long seconds are kept for their peak: at most 90,000 of them."""


class Limiter(Protocol):
    """Decides call by call whether recipients may be sent to now."""

    def admit(self, now_us: int, recipients: int) -> bool:
        """Say whether a call at ``now_us`` passes; if so, it is counted."""

    def change_rate(self, now_us: int, rate: float) -> None:
        """Go on with another rate (recipients a second), remembering what was sent."""


class FixedWindowLimiter:
    """Counts from zero in every calendar second.

    Two full windows may meet at an edge, so nearly twice the rate passes there
    in one second.
    """

    def __init__(self, rate: float) -> None:
        """Allow ``rate`` recipients a second."""
        self._capacity, self._window_us = _window(rate)
        self._index = -1
        self._count = 0

    def admit(self, now_us: int, recipients: int) -> bool:
        """See `Limiter`."""
        self._roll(now_us)
        if self._count and self._count + recipients > self._capacity:
            return False
        self._count += recipients
        return True

    def change_rate(self, now_us: int, rate: float) -> None:
        """See `Limiter`. The present window goes on with its count and the new capacity."""
        self._roll(now_us)
        self._capacity, self._window_us = _window(rate)
        self._index = now_us // self._window_us

    def _roll(self, now_us: int) -> None:
        index = now_us // self._window_us
        if index != self._index:
            self._index, self._count = index, 0


class SlidingWindowLimiter:
    """At most the rate in *any* window ``(now - window, now]``: the strictest of the three.

    A stream at exactly the rate is refused as soon as it jitters.
    """

    def __init__(self, rate: float) -> None:
        """Allow ``rate`` recipients a second."""
        self._capacity, self._window_us = _window(rate)
        self._sent: deque[tuple[int, int]] = deque()
        self._count = 0

    def admit(self, now_us: int, recipients: int) -> bool:
        """See `Limiter`."""
        while self._sent and self._sent[0][0] <= now_us - self._window_us:
            self._count -= self._sent.popleft()[1]
        if self._count and self._count + recipients > self._capacity:
            return False
        self._sent.append((now_us, recipients))
        self._count += recipients
        return True

    def change_rate(self, now_us: int, rate: float) -> None:  # noqa: ARG002 - see Limiter
        """See `Limiter`."""
        self._capacity, self._window_us = _window(rate)


class DebtLimiter:
    """Tolerates a short burst, as a debt that has to be paid back in silence.

    Every recipient adds 1 to a level that falls by the rate each second, never
    below 0. Up to ``rate + 4`` passes: a second's worth and a burst of four, so
    at 1/s five at once. Whoever reaches that level, or asks for more, is refused
    until the level is back at 0, which at 1/s takes 5 s. A call into level 0
    always passes, however many recipients it has. A stream at exactly the rate
    stays near level 1 and passes for ever, with jitter too.
    """

    BURST_RECIPIENTS = 4
    _PAID = 1e-6
    """What is left of a debt after rounding."""

    def __init__(self, rate: float) -> None:
        """Allow ``rate`` recipients a second in the long run."""
        self._rate = rate
        self._level = 0.0
        self._updated_us: int | None = None
        self._paying = False

    def admit(self, now_us: int, recipients: int) -> bool:
        """See `Limiter`. A call refused for its burst starts the paying back."""
        self._settle(now_us)
        paid = self._level <= self._PAID
        ceiling = self._rate + self.BURST_RECIPIENTS
        if not paid and (self._paying or self._level + recipients > ceiling + self._PAID):
            self._paying = True
            return False
        self._level += recipients
        self._paying = self._level >= ceiling - self._PAID
        return True

    def change_rate(self, now_us: int, rate: float) -> None:
        """See `Limiter`. What has been paid back by ``now_us`` was at the old rate."""
        self._settle(now_us)
        self._rate = rate

    def _settle(self, now_us: int) -> None:
        elapsed_us = 0 if self._updated_us is None else now_us - self._updated_us
        self._level = max(0.0, self._level - elapsed_us * self._rate / SECOND_US)
        self._updated_us = now_us


class DailyLedger:
    """The recipients of the last 24 hours, by minute.

    A minute leaves as a whole, when its last moment is 24 hours old, so the
    total is never too low, and the memory is 1,441 numbers.
    """

    DAY_MINUTES = 24 * 60

    def __init__(self) -> None:
        """Begin with nothing sent."""
        self._minutes: deque[tuple[int, int]] = deque()
        self._total = 0

    def add(self, now_us: int, recipients: int) -> None:
        """Count recipients that were accepted at ``now_us``."""
        minute = now_us // MINUTE_US
        self._expire(minute)
        if self._minutes and self._minutes[-1][0] == minute:
            recipients_before = self._minutes.pop()[1]
            self._minutes.append((minute, recipients_before + recipients))
        else:
            self._minutes.append((minute, recipients))
        self._total += recipients

    def total(self, now_us: int) -> int:
        """Return how many recipients the last 24 hours before ``now_us`` had."""
        self._expire(now_us // MINUTE_US)
        return self._total

    def _expire(self, minute: int) -> None:
        while self._minutes and self._minutes[0][0] < minute - self.DAY_MINUTES:
            self._total -= self._minutes.popleft()[1]


@dataclass(slots=True)
class SecondCount:
    """What was accepted in one second of the clock.

    Attributes:
        begins_us: when the second begins (microseconds since 1970, UTC).
        recipients: how many recipients were accepted in it.
        within_any: the most that were accepted within 1,000 ms that end in it.
    """

    begins_us: int
    recipients: int = 0
    within_any: int = 0


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest rates of a period.

    Attributes:
        clock_second: the busiest second of the clock, the first one of several.
        within_any: the most recipients within any 1,000 ms, however they lie to the clock.
    """

    clock_second: SecondCount | None
    within_any: int


class PeakMeter:
    """Measures the highest rate, by the clock's seconds and by any 1,000 ms, for a day back."""

    def __init__(self) -> None:
        """Begin with nothing sent."""
        self.peak = 0
        self._sent: deque[tuple[int, int]] = deque()
        self._count = 0
        self._seconds: deque[SecondCount] = deque()

    def add(self, now_us: int, recipients: int) -> None:
        """Count recipients that were accepted at ``now_us``."""
        while self._sent and self._sent[0][0] <= now_us - SECOND_US:
            self._count -= self._sent.popleft()[1]
        self._sent.append((now_us, recipients))
        self._count += recipients
        self.peak = max(self.peak, self._count)
        second = self._second(now_us)
        second.recipients += recipients
        second.within_any = max(second.within_any, self._count)

    def since(self, from_us: int) -> Peak:
        """Return the highest rates of the seconds that begin at ``from_us`` or later."""
        seconds = [each for each in self._seconds if each.begins_us >= from_us]
        return Peak(
            clock_second=max(seconds, key=lambda each: each.recipients, default=None),
            within_any=max((each.within_any for each in seconds), default=0),
        )

    def _second(self, now_us: int) -> SecondCount:
        begins_us = now_us - now_us % SECOND_US
        if not self._seconds or self._seconds[-1].begins_us != begins_us:
            self._seconds.append(SecondCount(begins_us))
        while self._seconds[0].begins_us < begins_us - KEPT_US:
            self._seconds.popleft()
        return self._seconds[-1]


LIMITERS: dict[str, type[FixedWindowLimiter | SlidingWindowLimiter | DebtLimiter]] = {
    "fixed": FixedWindowLimiter,
    "sliding": SlidingWindowLimiter,
    "debt": DebtLimiter,
}
"""The limiters by the names that settings use."""


def _window(rate: float) -> tuple[int, int]:
    capacity = math.ceil(rate)
    return capacity, math.ceil(capacity * SECOND_US / rate)
