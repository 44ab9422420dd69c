"""Check that every application reads the stream: how far it is, and whether it advances.

A position alone proves nothing: core may be stopped, or may fail at one record again and again. If
records wait, the cursors are therefore read again, until each has moved or the time is over.

A shard that waits for an upgrade does not move either, and is not stalled: in a rolling deployment
it waits until the new release has started (:mod:`mailtumble.worker.upgrades`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from mailtumble.audit.progress import Progress, ShardProgress, ShardState, progress
from mailtumble.audit.tapes import Tapes
from mailtumble.ports.store import ItemStore
from mailtumble.ports.stream import Shard
from mailtumble.ports.world import Clock
from mailtumble.worker.upgrades import UPGRADE_WAIT_US
from schemas import codec
from schemas.errors import UndecodableRecord
from schemas.events import EVENT_TYPES, Versions
from schemas.values import MINUTE_US, SECOND_US

LOOK_EVERY_S: Final = 2.0
WATCH_S: Final = 60
"""How long a position may stay the same while records wait.

A worker commits several times a second. On a busy machine, where core runs at a low priority, a
batch may take tens of seconds.
"""
BEGIN_US: Final = 5 * MINUTE_US
"""How long a child shard may take to begin after its parents are closed.

Under the KCL, a worker takes a lease of the child first, and then starts a process for it.
"""
UPGRADE_SLACK_US: Final = 2 * MINUTE_US
"""How long after the longest wait for an upgrade a shard may take to quarantine the record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardReading:
    """The progress of one application on one shard, compared with the records of the shard.

    Attributes:
        at: where the application is.
        read: how many of the shard's records it has read.
        records: how many records the shard holds.
        unread_at: when the oldest unread record arrived (microseconds UTC); None: all are read.
        is_stalled: records wait, and the position did not move while it was watched.
        awaited: the events that an upgrade must be able to read, in words; "" if the shard does not
            wait for an upgrade.
    """

    at: ShardProgress
    read: int
    records: int
    unread_at: int | None
    is_stalled: bool = False
    awaited: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One application. ``behind_s``: the age of the oldest record that it has not read."""

    application: str
    is_running: bool
    behind_s: float
    shards: tuple[ShardReading, ...]

    @property
    def read(self) -> int:
        """How many records it has read."""
        return sum(each.read for each in self.shards)

    @property
    def records(self) -> int:
        """How many records the stream holds."""
        return sum(each.records for each in self.shards)

    @property
    def stalled(self) -> tuple[ShardReading, ...]:
        """The shards on which records wait and nothing advances."""
        return tuple(each for each in self.shards if each.is_stalled)

    @property
    def awaiting(self) -> tuple[ShardReading, ...]:
        """The shards that wait for an upgrade."""
        return tuple(each for each in self.shards if each.awaited and not each.is_stalled)

    @property
    def unread_at(self) -> int | None:
        """When the oldest unread record arrived; None: there is none, or it is not running."""
        found = [each.unread_at for each in self.shards if each.unread_at is not None]
        return min(found, default=None) if self.is_running else None


class Watch:
    """Compares the cursors with the tapes of the stream, and watches whether they advance."""

    def __init__(
        self,
        store: ItemStore,
        clock: Clock,
        generation: str,
        gathers_us: Mapping[str, int],
        watch_s: float = WATCH_S,
        upgrade_wait_us: int = UPGRADE_WAIT_US,
    ) -> None:
        """Create without I/O.

        Args:
            store: the tables.
            clock: tells the time, and waits between looks.
            generation: the generation of the projections that core builds.
            gathers_us: by application, how long it collects records before it commits any
                (microseconds).
            watch_s: how long a position may stay the same while records wait (seconds).
            upgrade_wait_us: how long a shard waits for an upgrade (microseconds).
        """
        self._store = store
        self._clock = clock
        self._generation = generation
        self._gathers_us = gathers_us
        self._looks = max(1, round(watch_s / LOOK_EVERY_S))
        self._upgrade_us = upgrade_wait_us + UPGRADE_SLACK_US

    def look(self, tapes: Tapes, shards: Sequence[Shard]) -> tuple[Reading, ...]:
        """Return how far each application is on the tapes, and where it does not advance.

        Return at once if no records wait, and otherwise as soon as every waiting shard has moved.
        """
        latest = progress(self._store, shards, self._generation)
        readings = [self._reading(each, tapes) for each in latest]
        stalled = {
            (reading.application, each.at.shard.id): each.at.position
            for reading in readings
            for each in self._waiting(reading)
        }
        for _ in range(self._looks):
            if not stalled:
                break
            self._clock.sleep(LOOK_EVERY_S)
            latest = progress(self._store, shards, self._generation)
            at = {(each.application, one.shard.id): one for each in latest for one in each.shards}
            stalled = {
                place: position
                for place, position in stalled.items()
                if at[place].position == position
                and at[place].state is not ShardState.CLOSED
                and not self._has_time(at[place])
            }
        awaited = {
            (each.application, one.shard.id): _awaited(tapes, one)
            for each in latest
            for one in each.shards
            if one.awaited
        }
        return tuple(_marked(each, stalled, awaited) for each in readings)

    def _reading(self, of: Progress, tapes: Tapes) -> Reading:
        by_shard = {tape.shard.id: tape for tape in tapes}
        found: list[ShardReading] = []
        for at in of.shards:
            read, records, unread_at = by_shard[at.shard.id].count(at.position)
            found.append(ShardReading(at=at, read=read, records=records, unread_at=unread_at))
        reading = Reading(
            application=of.application, is_running=of.is_running, behind_s=0.0, shards=tuple(found)
        )
        if reading.unread_at is None:
            return reading
        behind_us = max(0, self._clock.now() - reading.unread_at)
        return replace(reading, behind_s=round(behind_us / SECOND_US, 3))

    def _waiting(self, reading: Reading) -> list[ShardReading]:
        """Return the shards on which the application has something to do now."""
        if not reading.is_running:
            return []
        since = self._clock.now() - self._gathers_us.get(reading.application, 0)
        unread = {each.at.shard.id for each in reading.shards if each.unread_at is not None}
        return [
            each
            for each in reading.shards
            if each.unread_at is not None
            and each.unread_at <= since
            and each.at.state is not ShardState.CLOSED
            and not self._has_time(each.at)
            # A child shard waits until its parents are read, and then until they are closed.
            and (each.at.state is not ShardState.WAITING or not unread & {*each.at.shard.parents})
        ]

    def _has_time(self, at: ShardProgress) -> bool:
        """Return whether a shard may stay where it is: it waits for an upgrade, or is to begin."""
        now = self._clock.now()
        if at.state is ShardState.NOT_BEGUN:
            return now < at.free_since + BEGIN_US
        return bool(at.awaited) and now < at.awaited_since + self._upgrade_us


def _marked(
    reading: Reading,
    stalled: Collection[tuple[str, str]],
    awaited: Mapping[tuple[str, str], tuple[ShardProgress, str]],
) -> Reading:
    """Return a reading with the shards marked that are stalled or wait for an upgrade."""
    shards: list[ShardReading] = []
    for each in reading.shards:
        place = reading.application, each.at.shard.id
        at, what = awaited.get(place, (each.at, ""))
        shards.append(replace(each, at=at, awaited=what, is_stalled=place in stalled))
    return replace(reading, shards=tuple(shards))


def _awaited(tapes: Tapes, at: ShardProgress) -> tuple[ShardProgress, str]:
    """Return where a shard waits for an upgrade, and what the upgrade must be able to read."""
    tape = next((each for each in tapes if each.shard.id == at.shard.id), None)
    for record, _ in tape.records(0, at.awaited) if tape else ():
        if record.sequence_number == at.awaited:
            return at, _newer_events(record.data)
    return at, "the record at which it waits"


def _newer_events(data: bytes) -> str:
    """Name the events of a record that only a newer worker can read.

    If this release can read them all, the workers are older than this command (or a newer release
    has stored the state of the subject): all events of the record are named.
    """
    current = {each.__name__: Versions.current[each] for each in EVENT_TYPES}
    try:
        events = [(str(each[0]), int(each[1])) for each in codec.unpack(data)["events"]]
    except (UndecodableRecord, LookupError, TypeError, ValueError):
        return "the record at which it waits"
    newer = [each for each in events if each[1] > current.get(each[0], 0)]
    return ", ".join(f"{name} version {version}" for name, version in newer or events)
