"""What the fleet itself has sent, by core's counters: a few items a shard, however much it was."""

from __future__ import annotations

from collections.abc import Sequence

from mailtumble import throughput
from mailtumble.ports.store import ItemStore
from processors.throughput.window import Sums
from schemas.values import DAY_US


class OwnSends:
    """Counts recipients, as GetAccount does; times are microseconds UTC.

    What core has not read yet is missing: the last seconds. All raise RetryableError.
    """

    def __init__(self, store: ItemStore, generation: str, shards: Sequence[str]) -> None:
        """``generation``: whose counters. ``shards``: the ids of all that there are."""
        self._store = store
        self._generation = generation
        self._shards = shards

    def between(self, from_at: int, until_at: int) -> int:
        """To the second; reads an item a minute and shard."""
        found = throughput.by_second(self._store, self._generation, self._shards, from_at, until_at)
        return sum(map(_taken, found.values()))

    def day(self, until_at: int) -> int:
        """In the 24 hours before, to the minute; reads 25 items a shard."""
        from_at = until_at - DAY_US
        return _taken(
            throughput.sent_between(self._store, self._generation, self._shards, from_at, until_at)
        )

    def by_minute(self, until_at: int) -> list[tuple[int, int]]:
        """The same, by the minutes in which something was sent: (its beginning, how many)."""
        found = throughput.sent_by_minute(
            self._store, self._generation, self._shards, until_at - DAY_US, until_at
        )
        return [(at, _taken(sums)) for at, sums in found.items()]


def _taken(sums: Sums) -> int:
    # What nobody knows was mostly taken all the same: its reply alone was lost.
    return sums.accepted + sums.unknown
