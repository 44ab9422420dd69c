"""What was sent, read from core's counters: few items, however much was sent.

In the table ``throughput``, by shard: an item a minute with its seconds inside, and an item an hour
with its minutes inside. The last minute is at most 2 items a shard, the last 24 hours to the minute
are at most 25, of a few KB each. A call is counted when core has read its outcome, some seconds
later: what is newer, the reader has to know from elsewhere. Minutes are kept for 3 days, hours for
15. ``shards`` are the ids of all shards that core may have counted on, those of a split or merge
that have ended among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailtumble.ports.store import ItemStore
from processors.throughput.projection import Grain
from processors.throughput.window import Counter, Sums, between, by_part
from schemas.values import MINUTE_US

TABLE = "throughput"
_PREFIXES = {Grain.MINUTE: "", Grain.HOUR: "hour#"}
"""Of the sort key: minutes come first, and a range of them meets no hour."""


def key(generation: str, shard_id: str, grain: Grain, begins_at: int) -> dict[str, str | int]:
    """The key of a counter's item."""
    return {"shard": f"{generation}#{shard_id}", "minute": _place(grain, begins_at)}


def beginning(place: str) -> tuple[Grain, int]:
    """Which grain a counter has, and when it begins, by its sort key."""
    hour = _PREFIXES[Grain.HOUR]
    if place.startswith(hour):
        return Grain.HOUR, int(place.removeprefix(hour))
    return Grain.MINUTE, int(place)


def sent_between(
    store: ItemStore, generation: str, shards: Iterable[str], from_at: int, until_at: int
) -> Sums:
    """What was sent in the minutes that begin from ``from_at`` on and before ``until_at``.

    Reads an item an hour and shard: at most 25 a shard for 24 hours. Times are microseconds UTC.

    Raises:
        RetryableError: the table does not answer.
    """
    return between(
        _read(store, generation, shards, Grain.HOUR, from_at, until_at), from_at, until_at
    )


def sent_by_minute(
    store: ItemStore, generation: str, shards: Iterable[str], from_at: int, until_at: int
) -> dict[int, Sums]:
    """As :func:`sent_between`, by the beginning of each minute in which something was sent."""
    return by_part(
        _read(store, generation, shards, Grain.HOUR, from_at, until_at), from_at, until_at
    )


def last_minute(store: ItemStore, generation: str, shards: Iterable[str], now: int) -> Sums:
    """The outcomes of the 60 seconds before ``now``: at most 2 items a shard.

    Recipients and bytes stay 0: seconds don't have them.
    """
    from_at = now - MINUTE_US
    return between(_read(store, generation, shards, Grain.MINUTE, from_at, now), from_at, now)


def by_second(
    store: ItemStore, generation: str, shards: Iterable[str], from_at: int, until_at: int
) -> dict[int, Sums]:
    """The outcomes by the beginning of each second with any: an item a minute and shard.

    At most 1,441 a shard for 24 hours.
    """
    found = _read(store, generation, shards, Grain.MINUTE, from_at, until_at)
    return by_part(found, from_at, until_at)


def _read(
    store: ItemStore,
    generation: str,
    shards: Iterable[str],
    grain: Grain,
    from_at: int,
    until_at: int,
) -> Iterator[Counter]:
    """The counters that have a moment from ``from_at`` on and before ``until_at``."""
    if until_at <= from_at:
        return
    first = max(0, from_at - from_at % grain.value)
    # Of places ``after`` < place <= ``until``; times are whole microseconds.
    after = _place(grain, first - 1) if first else _PREFIXES[grain]
    for shard_id in shards:
        page = store.query(
            TABLE, f"{generation}#{shard_id}", after=after, until=_place(grain, until_at - 1)
        )
        for item in page.items:
            _, begins_at = beginning(str(item["minute"]))
            yield Counter(grain, begins_at, item)


def _place(grain: Grain, begins_at: int) -> str:
    """The sort key of a counter."""
    return f"{_PREFIXES[grain]}{begins_at:020d}"
