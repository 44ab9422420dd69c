"""Outcomes into counters, as data to be added: minutes with seconds inside, hours with minutes.

Two grains, so that both questions are cheap: what the last seconds were like (two minutes' items)
and what was sent in the last 24 hours, to the minute (25 hours' items).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from schemas.events import Event, SendAccepted, SendDeferred, SendFailed, SendUnknown
from schemas.values import DAY_US, HOUR_US, MINUTE_US, DeferReason, Observer

REFUSALS: Final = frozenset({DeferReason.THROTTLED, DeferReason.DAILY_QUOTA})


class Grain(enum.Enum):
    """How long a counter's time is: a sixtieth of it is the time of each number inside."""

    MINUTE = MINUTE_US
    HOUR = HOUR_US

    @property
    def part_us(self) -> int:
        """How long the time of a number inside is (microseconds)."""
        return self.value // 60

    @property
    def kept_us(self) -> int:
        """How long after its beginning a counter is of use: peaks are asked for within a day."""
        return 3 * DAY_US if self is Grain.MINUTE else 15 * DAY_US


@dataclass(frozen=True, slots=True)
class Count:
    """Numbers to add to one counter, which begins at ``begins_at`` (microseconds UTC)."""

    grain: Grain
    begins_at: int
    amounts: Mapping[str, int]


def count(event: Event, recorded_at: int) -> tuple[Count, ...]:
    """What an accepted event adds: a minute's and an hour's, or nothing if it is no call's outcome.

    The time is that of the call, not of its record: ``accepted_07`` counts the calls of the
    minute's 8th second, or of the hour's 8th minute. In an hour, recipients and bytes stand for
    each minute too.
    """
    match event:
        case SendAccepted(observed_by=Observer.CALL, called_at=at, size_bytes=size):
            return _count(at, "accepted", {"recipients": 1, "bytes": size})
        case SendDeferred(reason=DeferReason.NOT_CALLED) | SendDeferred(called_at=0):
            return ()
        case SendFailed(called_at=0):
            return ()
        case SendDeferred(reason=reason, called_at=at):
            return _count(at, "refused" if reason in REFUSALS else "deferred", {})
        case SendFailed(called_at=at):
            return _count(at, "failed", {})
        case SendUnknown(called_at=0):
            return _count(recorded_at, "unknown", {})
        case SendUnknown(called_at=at):
            return _count(at, "unanswered", {})
        case _:
            return ()


def _count(at: int, kind: str, more: Mapping[str, int]) -> tuple[Count, ...]:
    amounts = {kind: 1, **more}
    minute_at, second = _place(at, Grain.MINUTE)
    hour_at, minute = _place(at, Grain.HOUR)
    inside = {f"{name}_{minute:02d}": amount for name, amount in amounts.items()}
    return (
        Count(Grain.MINUTE, minute_at, {**amounts, f"{kind}_{second:02d}": 1}),
        Count(Grain.HOUR, hour_at, {**amounts, **inside}),
    )


def _place(at: int, grain: Grain) -> tuple[int, int]:
    """When the counter of a moment begins, and which of its sixtieths the moment lies in."""
    begins_at = at - at % grain.value
    return begins_at, (at - begins_at) // grain.part_us
