"""Records that a worker passed over because a newer release has stored their subject.

Such a worker cannot judge the records, but every other reader has judged them: a decision among
them is the head that the next decision has to build on. The records are therefore stored beside
the state that the worker cannot read. The next worker that can read the state takes them first, in
their order, and treats them as quarantined records of a readable subject. From then on it agrees
with the other readers about which decisions are void.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgpack

from mailtumble.ports.stream import StoredRecord
from mailtumble.worker.records import Read, read_record
from schemas import codec
from schemas.structure import from_plain, to_plain

PASSED_OVER_MAX: Final = 100
"""How many records of a subject may be passed over. The shard stops before the next one."""
PASSED_OVER_BYTES_MAX: Final = 100_000
"""How many bytes they may have together: a quarter of what DynamoDB stores in an item."""


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A record that was passed over.

    Attributes:
        shard_id: the shard on which it is.
        sequence_number: its place on the shard.
        arrived_at: when it arrived there, in microseconds UTC.
        data: its bytes; empty if they are no envelope, so that they change no head.
        problem: why it was quarantined.
    """

    shard_id: str
    sequence_number: str
    arrived_at: int
    data: bytes
    problem: str

    @classmethod
    def of(cls, shard_id: str, read: Read) -> PassedOver:
        """Return what has to be stored of a record."""
        stored = read.stored
        data = stored.data if read.envelope else b""
        return cls(shard_id, stored.sequence_number, stored.arrived_at, data, read.problem)

    def read(self, subject: str) -> Read:
        """Return the record of a subject as its quarantine has to see it."""
        stored = StoredRecord(self.sequence_number, subject, self.data, self.arrived_at)
        return read_record(stored, self.problem)


def fits(records: Sequence[PassedOver]) -> bool:
    """Return whether so many records of a subject may be passed over."""
    return (
        len(records) <= PASSED_OVER_MAX
        and sum(len(each.data) + len(each.problem) for each in records) <= PASSED_OVER_BYTES_MAX
    )


def packed(records: Sequence[PassedOver]) -> bytes:
    """Return what is stored of a subject's records, in the attribute ``passed_over``."""
    data: bytes = msgpack.packb([to_plain(each) for each in records])
    return data


def unpacked(data: bytes) -> tuple[PassedOver, ...]:
    """Return a subject's records as :func:`packed` has stored them.

    Raises:
        UndecodableRecord: these are other bytes.
    """
    plain: Any = codec.unpack(data)
    return tuple(from_plain(PassedOver, each, tolerant=True) for each in plain)
