"""What the fleet itself has sent, by core's counters: a few items a shard, however much it was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mailtumble import throughput
from mailtumble.ports.store import Item, ItemStore
from mailtumble.worker.core import NAME as CORE
from mailtumble.worker.cursor import cursor_key
from processors.throughput.window import Sums
from schemas.values import DAY_US, MINUTE_US

NEVER: Final = 2**62


class OwnSends:
    """Counts recipients, as GetAccount does; times are microseconds UTC.

    What core has not read yet is missing: what came after :meth:`known_until`. All raise
    RetryableError.
    """

    def __init__(self, store: ItemStore, generation: str, shards: Sequence[str]) -> None:
        """``generation``: whose counters. ``shards``: the ids of all that there are."""
        self._store = store
        self._generation = generation
        self._shards = shards

    def known_until(self) -> int:
        """How far core has read, on every shard; far in the future where there is none to read."""
        keys = [cursor_key(CORE, self._generation, shard) for shard in self._shards]
        cursors = [item or {} for item in self._store.get_all("cursors", keys)]
        return min((_arrived_at(each) for each in cursors if not each.get("closed")), default=NEVER)

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
        """The same, by the minutes in which something was sent: (its beginning, how many).

        The minute is among them that leaves the 24 hours just now.
        """
        from_at = until_at - DAY_US - MINUTE_US
        found = throughput.sent_by_minute(
            self._store, self._generation, self._shards, from_at, until_at
        )
        return [(at, _taken(sums)) for at, sums in found.items()]


def _arrived_at(cursor: Item) -> int:
    at = cursor.get("arrived_at")
    return at if isinstance(at, int) else 0


def _taken(sums: Sums) -> int:
    # What was not answered was mostly taken all the same: its reply alone was lost.
    return sums.accepted + sums.unanswered + sums.unknown
