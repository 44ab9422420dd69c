"""A stream, a bucket and tables, with the archive at work on them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mailtumble.archive import heads
from mailtumble.archive.chain import read
from mailtumble.archive.shard import ArchiveShard
from mailtumble.ports.stream import OutgoingRecord, StoredRecord
from mailtumble.worker.shard import Surroundings
from schemas.values import SECOND_US
from tests.fakes import InMemoryItems, InMemoryObjects, InMemoryStream, VirtualClock

BUCKET = "archive"
EVERY_S = 60


class World:
    """One shard at first."""

    def __init__(self) -> None:
        """Nothing is on the stream."""
        self.clock = VirtualClock()
        self.stream = InMemoryStream(self.clock, shards=1)
        self.store = InMemoryItems()
        self.objects = InMemoryObjects()
        self.stopping = False
        self._told = 0

    def lane(self, place: int = 0) -> ArchiveShard:
        """A new owner of a shard; it has not taken over yet."""
        around = Surroundings(
            self.stream, self.store, self.objects, BUCKET, self.clock, lambda: self.stopping
        )
        return ArchiveShard(self.stream.shards()[place], around, EVERY_S * SECOND_US)

    def tell(self, count: int, size: int = 20) -> None:
        """So many more records."""
        for _ in range(count):
            self._told += 1
            data = f"{self._told}".encode().ljust(size, b".")
            self.stream.append([OutgoingRecord(f"mail:{self._told}", data)])

    def told(self, place: int = 0) -> Sequence[StoredRecord]:
        """Everything on a shard."""
        return self.stream.reader(self.stream.shards()[place].id, after=None).read(10_000).records

    def archived(self, place: int = 0) -> list[StoredRecord]:
        """Everything in a shard's archive, checked."""
        by_shard = {each.shard: each for each in heads.every(self.store)}
        head = by_shard.get(self.stream.shards()[place].id)
        if head is None:
            return []
        return [
            record
            for segment in read(self.objects, BUCKET, head, by_shard)
            for record in segment.records
        ]


@pytest.fixture
def world() -> World:
    """A world of its own."""
    return World()
