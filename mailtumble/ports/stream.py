"""The event stream: ordered append, and reading shard by shard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

MILLISECOND_US: Final = 1_000
"""Kinesis measures arrival in milliseconds; some emulators are finer."""


@dataclass(frozen=True, slots=True)
class OutgoingRecord:
    """Bytes to append under a subject (the partition key)."""

    subject: str
    data: bytes


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as the stream holds it.

    ``sequence_number`` is padded to 64 digits. ``arrived_at`` is in microseconds UTC, by the
    stream's clock, and always whole milliseconds: any finer value is rounded down, as the Java
    client rounds it. Every reader therefore judges a record by the same arrival time, whether it
    got the record from Kinesis, from the KCL or from an archived segment.
    """

    sequence_number: str
    subject: str
    data: bytes
    arrived_at: int

    def __post_init__(self) -> None:
        """Round the arrival time down to whole milliseconds."""
        finer = self.arrived_at % MILLISECOND_US
        if finer:
            object.__setattr__(self, "arrived_at", self.arrived_at - finer)


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard and the hash keys (128 bits, both ends included) it takes."""

    id: str
    first_hash_key: int
    last_hash_key: int
    parents: tuple[str, ...] = ()
    closed: bool = False

    def holds(self, hash_key: int) -> bool:
        """Whether a subject with this hash key belongs here."""
        return self.first_hash_key <= hash_key <= self.last_hash_key


@dataclass(frozen=True, slots=True)
class Batch:
    """What one read brought. ``ended``: the shard is closed and this was its last read."""

    records: Sequence[StoredRecord]
    ended: bool
    lag_ms: int


class ShardReader(Protocol):
    """A position in one shard that moves on with every read (one GetRecords call)."""

    def read(self, limit: int) -> Batch:
        """The next records, perhaps none. An expired iterator is renewed unseen.

        A read that fails does not move the position.
        """


class EventStream(Protocol):
    """Kinesis, as far as mailtumble uses it."""

    def append(self, records: Sequence[OutgoingRecord]) -> Sequence[str]:
        """Append all, in batch calls; returns their (last) sequence numbers, padded, in order.

        Records of one subject stand on the stream in the order given: when a call fails in
        part, the failed record *and all later ones of its subject* are sent again, so that a
        later one never stays before an earlier one without being repeated after it. Repeats may
        thus stand there; readers know them by id. Returns when everything is acknowledged.

        Raises:
            RetryableError: not everything was acknowledged; some of it may stand there.
        """

    def shards(self) -> Sequence[Shard]:
        """Every shard that the stream still lists, closed ones included, parents first."""

    def reader(self, shard_id: str, *, after: str | None, at: str | None = None) -> ShardReader:
        """Read a shard after (or at) a padded sequence number; with neither, from its start."""
