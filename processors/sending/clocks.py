"""How far this machine's clock is from AWS's, by the Date headers of AWS's replies. Pure.

A reply's Date is AWS's time when it answered, cut to the second (RFC 9110, section 5.6.7). It was
written after the request was sent and before the reply came, so each reply says::

    date - received  <=  offset  <  date + 1 s - sent

One reply leaves a second of doubt; those that come shortly after a second has changed leave less.
Some dozens together leave little more than the time between request and reply.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from schemas.values import SECOND_US

DRIFT_PPM: Final = 100
"""What two clocks may part in, in millionths: more than crystals do, less than a step of NTP."""
DISAGREE_US: Final = 50_000
"""AWS's machines may differ by so much among themselves; more, and a clock was set."""
DOUBT_MAX_US: Final = SECOND_US
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """What to add to this machine's clock to get AWS's: from ``low`` to ``high``, microseconds.

    So it was at ``at``, by this machine's clock. ``rival``: what a single reply has said that
    contradicts it.
    """

    low: int
    high: int
    at: int
    rival: tuple[int, int] | None = None

    @property
    def estimate(self) -> int:
        """The middle."""
        return (self.low + self.high) // 2

    @property
    def correction(self) -> int:
        """What to add: nothing as long as no reply contradicts this machine's clock."""
        return 0 if self.low <= 0 <= self.high else self.estimate

    @property
    def doubt(self) -> int:
        """How far off the estimate may be."""
        return (self.high - self.low) // 2


def heard(before: ClockOffset | None, date_at: int, sent_at: int, received_at: int) -> ClockOffset:
    """What is known after a reply.

    ``date_at`` is its Date (microseconds UTC, whole seconds), the others are by this machine's
    clock. One that contradicts all before may be wrong itself; if the next one says the same, the
    clock was set.
    """
    low, high = date_at - received_at, date_at + SECOND_US - sent_at
    if before is None:
        return ClockOffset(low, high, received_at)
    drift = max(0, received_at - before.at) * DRIFT_PPM // _MILLION
    known = replace(
        before, low=before.low - drift, high=before.high + drift, at=max(received_at, before.at)
    )
    if _contradict((low, high), (known.low, known.high)):
        if known.rival is None or _contradict((low, high), known.rival):
            return replace(known, rival=(low, high))
        return ClockOffset(*_both((low, high), known.rival), received_at)
    low, high = _both((low, high), (known.low, known.high))
    return replace(known, low=low, high=high, rival=None)


def _contradict(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] > other[1] + DISAGREE_US or one[1] < other[0] - DISAGREE_US


def _both(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """What both say; the middle where they differ a little."""
    low, high = max(one[0], other[0]), min(one[1], other[1])
    return (low, high) if low <= high else ((low + high) // 2,) * 2
