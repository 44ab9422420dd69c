"""What of the queue may leave now: what people paused, what SES stopped, what a domain takes."""

from __future__ import annotations

from typing import Final

from mailtumble.sender.destinations import Permits
from mailtumble.sender.standing import Standing
from mailtumble.sender.stops import StopWatch
from processors.sending.lanes import Lane
from processors.sending.stops import Stop

ALL: Final = 0
"""Held is what came in since the beginning of time."""


class SenderGate:
    """A :class:`mailtumble.sender.queue.Gate` for one shard."""

    def __init__(self, standing: Standing, stops: StopWatch, permits: Permits) -> None:
        """Put the three together."""
        self._standing = standing
        self._stops = stops
        self._permits = permits

    def held_since(self, lane: Lane) -> int | None:
        """See :class:`mailtumble.sender.queue.Gate`."""
        return ALL if self._stops.holds(lane) else self._standing.held_since(lane)

    def is_limited(self, destination: str) -> bool:
        """See :class:`mailtumble.sender.queue.Gate`."""
        return self._permits.is_limited(destination)

    def room(self, destination: str) -> int | None:
        """See :class:`mailtumble.sender.queue.Gate`."""
        return self._permits.room(destination)


class ProbeGate:
    """Lets out what a stop holds, and nothing else."""

    def __init__(self, standing: Standing, stop: Stop) -> None:
        """What people paused stays paused."""
        self._standing = standing
        self._stop = stop

    def held_since(self, lane: Lane) -> int | None:
        """See :class:`mailtumble.sender.queue.Gate`."""
        return self._standing.held_since(lane) if self._stop.covers(lane) else ALL

    def is_limited(self, destination: str) -> bool:  # noqa: ARG002
        """Not for the one mail that is tried."""
        return False

    def room(self, destination: str) -> int | None:  # noqa: ARG002
        """One mail is tried: no domain feels it."""
        return None
