"""Does each shard that the lease table gives to this worker have a child at work? Pure.

A child that never gets to its first report is in none: the leases alone tell that it is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mailtumble.worker.web import STALLED_US, Vitals

EVERY_S: Final = 15.0
"""A scan of a table with a row a shard: a few read units a minute."""


class LeaseWatch:
    """Keeps what the vitals say of missing shards."""

    def __init__(self, worker_id: str) -> None:
        """``worker_id`` is this worker's name in the lease table."""
        self._me = worker_id
        self._without_child: dict[str, int] = {}

    def look(self, owners: Mapping[str, str | None], vitals: Vitals, now: int) -> None:
        """Take the leases in; those of shards that are read to their end left out.

        Where others have all of them, this worker is a spare one: it has no shard, and is healthy.
        """
        mine = [shard for shard, owner in owners.items() if owner == self._me]
        self._without_child = {
            shard: self._without_child.get(shard, now)
            for shard in mine
            if shard not in vitals.pulses
        }
        vitals.missing = tuple(
            sorted(shard for shard, at in self._without_child.items() if now - at > STALLED_US)
        )
        vitals.spare = bool(owners) and all(
            owner not in (None, self._me) for owner in owners.values()
        )
