"""One shard, its stream and its tables, and whoever owns it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from mailtumble.ports.stream import OutgoingRecord
from mailtumble.worker.core import Core, CoreRules
from mailtumble.worker.headers import HeaderReader
from mailtumble.worker.shard import ShardProcessor, Surroundings
from processors.moderation.rules import header_names
from schemas.codec import decode, encode
from schemas.envelope import EventEnvelope
from schemas.events import Event
from tests.fakes import (
    InMemoryAliases,
    InMemoryItems,
    InMemoryObjects,
    InMemoryStream,
    VirtualClock,
)


@dataclass
class Place:
    """The world around core on a stream of one shard; a test may put in ports of its own."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    store: InMemoryItems = field(default_factory=InMemoryItems)
    objects: InMemoryObjects = field(default_factory=InMemoryObjects)
    aliases: InMemoryAliases = field(default_factory=InMemoryAliases)
    rules: CoreRules = field(default_factory=CoreRules)
    stopping: Callable[[], bool] = bool

    def __post_init__(self) -> None:
        """Open the stream."""
        self.stream = InMemoryStream(self.clock, shards=1)

    def owner(self) -> ShardProcessor:
        """A worker that has just taken the shard over."""
        around = Surroundings(
            self.stream, self.store, self.objects, "mail", self.clock, self._stops
        )
        (shard,) = self.stream.shards()
        headers = HeaderReader(self.objects, header_names(self.rules.mail.moderation))
        core = Core(self.aliases, headers, self.rules, "g1")
        processor = ShardProcessor(core, shard, around)
        processor.take_over()
        return processor

    def _stops(self) -> bool:
        return self.stopping()

    def tell(self, *records: EventEnvelope) -> None:
        """Append records, as whoever writes them does."""
        self.append(*(OutgoingRecord(each.subject, encode(each)) for each in records))

    def append(self, *records: OutgoingRecord) -> None:
        """Append bytes."""
        self.stream.append(records)

    def read(self, processor: ShardProcessor) -> int:
        """Let the worker read on once, from its cursor to the present end; how much there was."""
        after = processor.cursor.sequence
        batch = self.stream.reader(processor.shard.id, after=after).read(10_000)
        processor.process(batch.records)
        return len(batch.records)

    def run(self, processor: ShardProcessor) -> None:
        """Let the worker read until it has nothing to read, its own records included."""
        while self.read(processor):
            pass

    def log(self) -> list[EventEnvelope]:
        """Every readable record of the stream, accepted or not."""
        (shard,) = self.stream.shards()
        records = self.stream.reader(shard.id, after=None).read(10_000).records
        return [decode(each.data) for each in records if each.data[:1] != b"\xc1"]

    def events(self, kind: type[Event]) -> list[Event]:
        """The events of a kind on the log, in order."""
        told = [event for record in self.log() for event in record.events]
        return [event for event in told if isinstance(event, kind)]


@pytest.fixture
def place() -> Place:
    """An empty one, whose repository knows where the sample mail goes."""
    here = Place()
    here.aliases.put("sales@example.com", ["bob@example.org"], "shop")
    return here
