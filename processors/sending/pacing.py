"""Instants on an even grid: the arithmetic by which a fleet shares one quota.

Time is cut into slices of one second. Instant m of the grid lies at m/r seconds, so slice k
holds ceil((k+1)r) - ceil(kr) instants and no rate is rounded away: 13.3/s gives 13 or 14. Whoever
holds an instant may make one call at it; one that has passed is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from schemas.values import SECOND_US

SLICE_US: Final = SECOND_US
AHEAD_SLICES: Final = 2
"""At most two seconds ahead: what a crash can waste."""
AHEAD_US: Final = (AHEAD_SLICES + 1) * SLICE_US
"""No instant that was taken lies further ahead."""

FRONT_MOST_US: Final = 900_000
"""Where the fleet's last taken instant lies further ahead, nobody takes more than before."""
IN_HAND_US: Final = 400_000
"""Who has work for longer than this takes none: a take for a few costs as much as one for many."""
GROWTH: Final = 13
DECAY: Final = 0.1
"""Of each take: what is added where the front is here and now, and what part is given up."""

RATE_UNIT: Final = 1000
"""Rates are kept in thousandths of a recipient per second, as whole numbers."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One second of the account's time. ``number`` counts seconds since 1970."""

    number: int
    rate_milli: int

    @property
    def first(self) -> int:
        """The grid's number of the slice's first instant."""
        return -(-self.number * self.rate_milli // RATE_UNIT)

    @property
    def size(self) -> int:
        """How many instants it has."""
        return -(-(self.number + 1) * self.rate_milli // RATE_UNIT) - self.first

    def instant_at(self, index: int) -> int:
        """When its instant ``index`` (from 0) lies, in microseconds UTC."""
        return int(Fraction(self.first + index) * RATE_UNIT * SECOND_US / self.rate_milli)

    def passed(self, now: int) -> int:
        """How many of its instants lie before ``now``."""
        begins_at = self.number * SLICE_US
        if now <= begins_at:
            return 0
        if now >= begins_at + SLICE_US:
            return self.size
        reached = -(-now * self.rate_milli // (RATE_UNIT * SECOND_US))
        return min(max(reached - self.first, 0), self.size)

    def first_after(self, before: Slice) -> int:
        """Which of its instants (from 0) is the first that keeps its distance from another slice.

        Where the rate has changed the grids don't fit together: the last instant of one and the
        first of the other may be a millisecond apart. At a few calls a second that is one too many.
        """
        if before.rate_milli == self.rate_milli or not before.size or not self.size:
            return 0
        faster_milli = max(before.rate_milli, self.rate_milli)
        apart_us = self.instant_at(0) - before.instant_at(before.size - 1)
        return 1 if apart_us * faster_milli < RATE_UNIT * SECOND_US else 0

    def keeps(self, at: int, rate_milli: int) -> bool:
        """Whether its instant at ``at`` is one also at another rate.

        Of a lower one so many remain as that rate has, evenly spread; all of a higher one.
        """
        if rate_milli >= self.rate_milli:
            return True
        index = self.first + self.passed(at)
        kept = index * rate_milli // self.rate_milli
        return (index + 1) * rate_milli // self.rate_milli > kept


def slice_number(at: int) -> int:
    """The slice in which a time (microseconds UTC) lies."""
    return at // SLICE_US


def target_rate_milli(max_send_rate: float, fraction: float) -> int:
    """The rate to aim at, in thousandths per second: a share of what GetAccount allows."""
    return int(max_send_rate * fraction * RATE_UNIT)


@dataclass(frozen=True, slots=True)
class Appetite:
    """How many instants a sender takes at a time: as many as it can use, no more than it should.

    All senders look at the same front, the last instant that anybody has taken. Where it is near,
    the fleet takes too few, and instants pass unused; where it is far, a crash wastes many. So at
    each take everybody gives up the same part, and gains the same by how near the front is: that
    brings unequal ones together, as doubling and halving would not, and mail of one tenant leaves
    all shards at the same pace.

    ``front_at``: the last instant that this sender has taken, microseconds UTC.
    """

    size: float = 1.0
    front_at: int = 0

    def wanted(self, now: int) -> int:
        """How many to take now; none while those in hand reach far enough.

        A front that lies further ahead than anybody takes was taken by a clock that was wrong.
        """
        in_hand_us = self.front_at - now
        return 0 if IN_HAND_US < in_hand_us <= AHEAD_US else round(self.size)

    def after(self, wanted: int, taken: Sequence[int], now: int, most: int) -> Appetite:
        """After a take that got the instants ``taken`` of ``wanted``.

        ``most``: what this sender can have in hand at all. That it wanted less than it might have
        says nothing.
        """
        front_at = taken[-1] if taken else self.front_at
        if wanted < round(self.size):
            return Appetite(self.size, front_at)
        nearness = 1 - (front_at - now) / FRONT_MOST_US if len(taken) == wanted else 0.0
        size = self.size * (1 - DECAY) + GROWTH * max(0.0, nearness)
        return Appetite(min(max(1.0, size), 2 * self.size, most), front_at)
