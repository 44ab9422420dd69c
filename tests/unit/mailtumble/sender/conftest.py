"""Entries of a queue, and a sender's shard over stream, tables and provider in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from mailtumble.ports.store import Page
from mailtumble.ports.stream import OutgoingRecord
from mailtumble.sender.claims import ClaimTimes
from mailtumble.sender.destinations import Destinations
from mailtumble.sender.entry import Entry
from mailtumble.sender.fuse import Fuse
from mailtumble.sender.instants import Instants
from mailtumble.sender.outcomes import Outcomes
from mailtumble.sender.shard import Fleet, SenderSettings, SenderShard
from mailtumble.sender.standing import Standing
from mailtumble.sender.stops import StopWatch
from mailtumble.worker.returns import ReturnsReader
from mailtumble.worker.shard import Surroundings
from processors.moderation.breaker import Breaker
from schemas.codec import decode, encode
from schemas.envelope import EventEnvelope
from schemas.events import Event
from schemas.values import DAY_US, SECOND_US
from tests.fakes import InMemoryItems, InMemoryObjects, InMemoryStream, VirtualClock
from tests.samples import MAIL_ID, RECEIVED_AT, SUBJECT

TIMES = ClaimTimes()
UNKNOWN_WAIT_US = 600 * SECOND_US


def entry(attempt: str = "attempt-1", **changes: Any) -> Entry:  # noqa: ANN401 - the fields
    """One attempt that waits."""
    fields: dict[str, Any] = {
        "subject": SUBJECT,
        "mail_id": MAIL_ID,
        "target": 0,
        "attempt_id": attempt,
        "number": 1,
        "round": 0,
        "address": "bob@example.org",
        "tenant": "shop",
        "source": "example.com",
        "urgent": False,
        "received_at": RECEIVED_AT,
        "due_at": RECEIVED_AT,
        "expires_at": RECEIVED_AT + 3 * DAY_US,
        "cancelled": False,
        "alias": "sales@example.com",
        "route": "sales@example.com",
        "wanted": False,
        "tags": (),
        "envelope_sender": "ann@example.net",
        "bucket": "mail",
        "object_key": "inbound/1",
    }
    return Entry(**{**fields, **changes})


class CountingItems(InMemoryItems):
    """Counts its queries."""

    queries = 0

    def query(self, *args: Any, **options: Any) -> Page:  # noqa: ANN401 - as they are given
        """As ever."""
        self.queries += 1
        return super().query(*args, **options)


@dataclass
class Place:
    """A stream of one shard, and who sends what stands on it."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    store: InMemoryItems = field(default_factory=InMemoryItems)
    rate_milli: int = 100_000
    address_key: str = "key"
    limits: dict[str, float] = field(default_factory=dict)
    breaker: Breaker | None = None

    def __post_init__(self) -> None:
        """Open the stream; nobody is paused or suppressed."""
        self.stream = InMemoryStream(self.clock, shards=1)
        self.standing = Standing(self.store, "g1", self.address_key)
        self.stops = StopWatch(self.store, self.clock)
        self.outcomes = Outcomes(self.stream, self.clock)

    def lane(self, owner: str = "sender-1") -> SenderShard:
        """A sender that has just taken the shard over."""
        objects = InMemoryObjects()
        around = Surroundings(self.stream, self.store, objects, "mail", self.clock)
        instants = Instants(self.store, "local", lambda: self.rate_milli)
        slow = Destinations(
            self.store, "local", self.clock, lambda: self.rate_milli, self.limits, slows_down=True
        )
        fleet = Fleet(instants, self.standing, self.stops, slow)
        settings = SenderSettings(owner=owner, times=TIMES, unknown_wait_us=UNKNOWN_WAIT_US)
        (shard,) = self.stream.shards()
        fuse = None
        if self.breaker is not None:
            returns = ReturnsReader(self.store, self.clock, "g1", self.breaker)
            fuse = Fuse(self.breaker, returns, self.address_key)
        lane = SenderShard(shard, around, fleet, settings, self.outcomes, fuse)
        lane.take_over()
        return lane

    def tell(self, *records: EventEnvelope) -> None:
        """Append records."""
        self.stream.append([OutgoingRecord(each.subject, encode(each)) for each in records])

    def read(self, lane: SenderShard) -> None:
        """Let the sender read on to the present end."""
        after = lane.processor.cursor.sequence
        reader = self.stream.reader(lane.processor.shard.id, after=after)
        lane.process(reader.read(10_000).records)

    def events(self, kind: type[Event]) -> list[Event]:
        """The events of a kind on the log, in order."""
        (shard,) = self.stream.shards()
        records = self.stream.reader(shard.id, after=None).read(10_000).records
        told = [event for each in records for event in decode(each.data).events]
        return [event for event in told if isinstance(event, kind)]


@pytest.fixture
def place() -> Place:
    """An empty one."""
    return Place()
