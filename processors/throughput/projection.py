"""Outcomes into counters per minute, with the seconds inside, as data to be added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.events import Event, SendAccepted, SendDeferred, SendFailed, SendUnknown
from schemas.values import MINUTE_US, SECOND_US, DeferReason, Observer

REFUSALS = frozenset({DeferReason.THROTTLED, DeferReason.DAILY_QUOTA})


@dataclass(frozen=True, slots=True)
class Count:
    """Numbers to add to the counters of one minute (microseconds UTC of its beginning)."""

    minute_at: int
    amounts: Mapping[str, int]


def count(event: Event, recorded_at: int) -> Count | None:
    """What an accepted event adds, or None where it is no outcome of a call.

    The second is that of the call, not of its record: ``accepted_07`` counts the calls of the
    minute's 8th second.
    """
    match event:
        case SendAccepted(observed_by=Observer.CALL, called_at=at, size_bytes=size):
            return _count(at, "accepted", {"recipients": 1, "bytes": size})
        case SendDeferred(reason=DeferReason.NOT_CALLED):
            return None
        case SendDeferred(reason=reason, called_at=at):
            return _count(at, "refused" if reason in REFUSALS else "deferred", {})
        case SendFailed(called_at=at):
            return _count(at, "failed", {})
        case SendUnknown():
            return _count(recorded_at, "unknown", {})
        case _:
            return None


def _count(at: int, kind: str, more: Mapping[str, int]) -> Count:
    minute_at = at - at % MINUTE_US
    second = (at - minute_at) // SECOND_US
    return Count(minute_at, {kind: 1, f"{kind}_{second:02d}": 1, **more})
