"""A stream, a bucket and tables, with the archive at work on them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mailtumble.archive import heads
from mailtumble.archive.chain import read
from mailtumble.archive.inspection import Inspection, Report, ShardReport
from mailtumble.archive.losses import ProblemKind
from mailtumble.archive.shard import ArchiveShard
from mailtumble.definition import load_definition
from mailtumble.ports.store import Action, Delete
from mailtumble.ports.stream import OutgoingRecord, StoredRecord
from mailtumble.worker.shard import Surroundings
from schemas.errors import RetryableError
from schemas.values import SECOND_US
from tests.fakes import InMemoryItems, InMemoryObjects, InMemoryStream, VirtualClock

BUCKET = "archive"
EVERY_S = 60
RETENTION_S = load_definition().stream.retention_hours * 3_600


class Faulty(InMemoryItems):
    """Transactions that fail, before or after they have gone through."""

    before = 0
    after = 0

    def transact(self, actions: Sequence[Action]) -> None:
        """Commit, but for the faults asked for."""
        if self.before:
            self.before -= 1
            raise RetryableError("throttled")
        super().transact(actions)
        if self.after:
            self.after -= 1
            raise RetryableError("the reply was lost")


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

    def archive(self, place: int = 0) -> None:
        """Let a worker archive everything on a shard, and leave."""
        lane = self.lane(place)
        lane.take_over()
        lane.process(self.told(place))
        lane.release()

    def lose(
        self,
        *,
        head: bool = False,
        cursor: bool = False,
        segments: bool = False,
        marks: bool = False,
        place: int = 0,
    ) -> None:
        """Take items and objects of a shard away."""
        shard = self.stream.shards()[place].id
        if head:
            self.store.write(Delete("cursors", {"cursor": f"archive-head#{shard}"}))
        if cursor:
            self.store.write(Delete("cursors", {"cursor": f"archive#0#{shard}"}))
        prefixes = (f"segments/{shard}/",) * segments + (f"shards/{shard}/",) * marks
        for prefix in prefixes:
            for key in [each.key for each in self.objects.listed(BUCKET, prefix)]:
                del self.objects._objects[BUCKET, key]

    def segments(self) -> list[str]:
        """Return the keys of all segments in the bucket."""
        return [each.key for each in self.objects.listed(BUCKET, "segments/")]

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


@pytest.fixture
def written(world: World) -> World:
    """Three segments of two records each."""
    for _ in range(3):
        world.tell(2)
        world.archive()
    return world


def inspect(world: World, only: str | None = None) -> Report:
    """Inspect the whole archive, or one shard."""
    return Inspection(world.stream, world.store, world.objects, BUCKET, world.clock).run(only)


def shard_of(world: World, place: int = 0) -> str:
    """Return a shard's id."""
    return world.stream.shards()[place].id


def look(world: World, place: int = 0) -> ShardReport:
    """Return what an inspection says of a shard."""
    (found,) = inspect(world, shard_of(world, place)).shards
    return found


def kinds(world: World, place: int = 0) -> list[ProblemKind]:
    """Return the kinds of a shard's problems, each of which names the shard."""
    report = look(world, place)
    assert all(report.shard in each.text for each in report.problems)
    return [each.kind for each in report.problems]
