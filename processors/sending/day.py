"""The daily quota: recipients in a rolling 24 h, of which a share is kept for urgent mail. Pure.

What GetAccount counted, and what was dealt out since, is taken off before a second begins: so
SES is never asked for more than it gives. Instants that pass unused are counted as well until
GetAccount is asked again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from schemas.values import DAY_US, MINUTE_US, SECOND_US

UNLIMITED: Final = -1
"""What GetAccount says where there is no daily quota."""
UNCOUNTED_US: Final = 3 * SECOND_US
"""Calls that left so long before GetAccount was asked may be missing in what it counted."""


@dataclass(frozen=True, slots=True)
class Share:
    """How many of a second's instants may be dealt out, and whether to urgent mail alone."""

    size: int
    urgent_only: bool = False


def reserve(most: int, share: float) -> int:
    """How many of a day's recipients are kept for urgent mail; at least one may go otherwise."""
    return min(int(most * share), max(0, most - 1))


def share_of(left: int, kept: int, size: int) -> Share:
    """What a second of ``size`` instants gets of what is left of the day, ``kept`` in reserve."""
    if left > kept:
        return Share(min(size, left - kept))
    return Share(max(0, min(size, left)), urgent_only=True)


def frees_at(sent: Iterable[tuple[int, int]], wanted: int, now: int) -> int | None:
    """When at least ``wanted`` recipients have left the rolling 24 h, as far as is known.

    Args:
        sent: (beginning of a minute in microseconds UTC, recipients accepted in it).
        wanted: how many must be free.
        now: microseconds UTC.

    Returns:
        The moment at which the minute that brings it has left the window as a whole, or None:
        the fleet itself has not sent so many.
    """
    freed = 0
    for minute_at, recipients in sorted(sent):
        if minute_at + MINUTE_US + DAY_US <= now:
            continue
        freed += recipients
        if recipients and freed >= wanted:
            return minute_at + MINUTE_US + DAY_US
    return None
