"""Estimate what an application has not read, by one bounded read per shard after its position.

A cursor says what was read, and not what is left. One GetRecords call per shard is enough for an
estimate: the oldest unread record shows how far the application is behind, and the records of that
one call are counted. Applications at the same position share the call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from mailtumble.audit.progress import Progress, ShardProgress, ShardState
from mailtumble.ports.stream import MILLISECOND_US, EventStream
from mailtumble.ports.world import Clock
from schemas import codec
from schemas.errors import RetryableError, UndecodableRecord
from schemas.events import Event

LOOKED_AT_MAX: Final = 500
"""The most records of one look: about 0.5 MB, a quarter of what a shard delivers per second."""
UNCOUNTED: Final = frozenset({"archive"})
"""Applications for which only the lag is needed; one record is enough for that."""
THREADS: Final = 8

Place = tuple[str, str]
"""A shard, and the position after which it is read."""


@dataclass(frozen=True, slots=True)
class _Look:
    behind_us: int
    events: Counter[type[Event]]
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """What one application has not read.

    Attributes:
        behind_us: the age of the oldest record that it has not read (microseconds), 0 if there is
            none; None if it has never run, or a shard could not be looked at and its cursor does
            not say either.
        events: how many events of each type were seen among the unread records.
        complete: whether all unread records were counted.
    """

    behind_us: int | None
    events: Mapping[type[Event], int]
    complete: bool


def unread(
    stream: EventStream, applications: Sequence[Progress], clock: Clock
) -> dict[str, Unread]:
    """Read after the position of each application on each shard.

    Costs one GetShardIterator and one GetRecords call, of at most :data:`LOOKED_AT_MAX` records,
    per shard and distinct position.

    Args:
        stream: the stream.
        applications: how far each application is, as :func:`mailtumble.audit.progress.progress`
            returns it. One that has never run is looked at from the beginning of the stream.
        clock: the time by which ages are measured.

    Returns:
        What is unread, by the name of the application.
    """
    places: dict[Place, int] = {}
    for application in applications:
        limit = 1 if application.application in UNCOUNTED else LOOKED_AT_MAX
        for each in application.shards:
            if _is_looked_at(each) and (application.is_running or limit > 1):
                place = each.shard.id, each.position
                places[place] = max(limit, places.get(place, 0))
    with ThreadPoolExecutor(THREADS) as threads:
        found = threads.map(lambda place: _look(stream, place, places[place], clock), places)
        looks = dict(zip(places, found, strict=True))
    return {each.application: _of(each, looks, clock.now()) for each in applications}


def _is_looked_at(on_shard: ShardProgress) -> bool:
    """Return whether the shard may have unread records that don't have to wait for a parent."""
    return on_shard.state in {ShardState.READING, ShardState.NOT_BEGUN}


def _look(stream: EventStream, place: Place, limit: int, clock: Clock) -> _Look | None:
    shard_id, position = place
    try:
        batch = stream.reader(shard_id, after=position or None).read(limit)
    except RetryableError:
        # The applications use all the reads per second that Kinesis allows for the shard.
        return None
    events: Counter[type[Event]] = Counter()
    for record in batch.records:
        try:
            events.update(type(event) for event in codec.decode(record.data).events)
        except UndecodableRecord:
            continue
    if batch.records:
        behind_us = max(0, clock.now() - batch.records[0].arrived_at)
    else:
        behind_us = batch.lag_ms * MILLISECOND_US
    complete = len(batch.records) < limit and batch.lag_ms == 0
    return _Look(behind_us, events, complete)


def _of(application: Progress, looks: Mapping[Place, _Look | None], now: int) -> Unread:
    events: Counter[type[Event]] = Counter()
    complete = True
    behind: list[int | None] = [0]
    for each in application.shards:
        if each.state is ShardState.WAITING:
            complete = False
        if not _is_looked_at(each):
            continue
        look = looks.get((each.shard.id, each.position))
        if look is None:
            complete = False
            # The cursor's time is an upper bound: it rarely moves while nothing arrives.
            behind.append(now - each.arrived_at if each.arrived_at else None)
            continue
        events += look.events
        complete = complete and look.complete
        behind.append(look.behind_us)
    known = application.is_running and None not in behind
    return Unread(
        behind_us=max(each or 0 for each in behind) if known else None,
        events=events,
        complete=complete,
    )
