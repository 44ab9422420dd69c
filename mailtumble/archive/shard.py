"""The archive on one shard: gathers records, and writes them as a segment now and then.

Write the object, then move the cursor and the head in one transaction. A segment whose transaction
fails is an object that no chain has: names tell its content, so it can't stand in for another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from mailtumble.archive import heads
from mailtumble.archive.heads import Head
from mailtumble.archive.segment import Segment, SegmentName, pack
from mailtumble.ports.stream import Shard, StoredRecord
from mailtumble.worker.cursor import Cursor
from mailtumble.worker.metrics import Tally
from mailtumble.worker.patience import patiently
from mailtumble.worker.shard import Surroundings
from schemas.errors import InvariantBroken

NAME: Final = "archive"
GENERATION: Final = "0"
SEGMENT_BYTES: Final = 4 * 1024 * 1024
"""Of records, before they are compressed: what a shard's memory holds at the most, nearly."""


@dataclass(frozen=True, slots=True)
class _Sealed:
    """A segment on its way: until its transaction has gone through, no other is begun."""

    name: SegmentName
    data: bytes
    records: Sequence[StoredRecord]


class ArchiveShard:
    """The archive's lane. ``every_us``: after so long, what has been gathered is written."""

    def __init__(self, shard: Shard, around: Surroundings, every_us: int) -> None:
        """Know the place; ``around.bucket`` is the archive's."""
        self.shard = shard
        self.cursor = Cursor(around.store, NAME, GENERATION, shard.id)
        self.tally = Tally()
        self._around = around
        self._every_us = every_us
        self._head: Head | None = None
        self._parents: tuple[tuple[str, str], ...] = ()
        self._gathered: list[StoredRecord] = []
        self._gathered_bytes = 0
        self._gathered_at = 0
        self._sealed: _Sealed | None = None

    @property
    def committed(self) -> str | None:
        """The last record that is in the archive."""
        return self.cursor.sequence

    def take_over(self) -> str | None:
        """Fence the predecessor off, and find the chain's end; where to read on after.

        Raises:
            InvariantBroken: cursor and head tell of different records.
        """
        sequence = self.cursor.take_over().sequence
        store = self._around.store
        self._head = heads.find(store, self.shard.id)
        if sequence != (self._head.last if self._head else None):
            raise InvariantBroken(
                f"the archive's cursor of {self.shard.id} stands at {sequence}, its head at "
                f"{self._head}: one of the two items was changed by hand"
            )
        parents = [heads.find(store, each) for each in self.shard.parents]
        self._parents = tuple((each.shard, each.hash) for each in parents if each is not None)
        self._gathered, self._gathered_bytes, self._sealed = [], 0, None
        return sequence

    def process(self, records: Sequence[StoredRecord]) -> None:
        """Gather records, and write what is enough for a segment."""
        taken = self._gathered[-1].sequence_number if self._gathered else self.cursor.sequence or ""
        for record in records:
            if record.sequence_number <= taken:
                continue
            if not self._gathered:
                self._gathered_at = self._around.clock.now()
            self._gathered.append(record)
            self._gathered_bytes += len(record.data)
            if self._gathered_bytes >= SEGMENT_BYTES:
                self._patiently(self._write)

    def tick(self) -> None:
        """Write what has been gathered for long enough.

        Raises:
            RetryableError: not now; it is kept.
        """
        waited_us = self._around.clock.now() - self._gathered_at
        if self._gathered and waited_us >= self._every_us:
            self._write()

    def close(self) -> None:
        """The shard is read to its end."""
        self._patiently(self._write)
        self._patiently(self.cursor.close)

    def release(self) -> None:
        """Write what there is, and say good-bye."""
        self._write()
        self.cursor.release()

    def _write(self) -> None:
        """Write all that is gathered; a segment that was sealed before goes first, as it is."""
        while self._gathered:
            sealed = self._sealed = self._sealed or self._seal()
            self._around.objects.put(self._around.bucket, sealed.name.key, sealed.data)
            head = self._next_head(sealed)
            self.cursor.commit([heads.put(head)], head.last, head.arrived_at)
            self._head, self._sealed = head, None
            self._gathered = self._gathered[len(sealed.records) :]
            self._gathered_bytes = sum(len(each.data) for each in self._gathered)
            self._gathered_at = self._around.clock.now()
            self.tally.commits += 1
            self.tally.accepted += len(sealed.records)

    def _seal(self) -> _Sealed:
        records = tuple(self._gathered)
        if self._head is None:
            segment = Segment(self.shard.id, "", records, self._parents)
        else:
            segment = Segment(self.shard.id, self._head.hash, records)
        return _Sealed(*pack(segment), records)

    def _next_head(self, sealed: _Sealed) -> Head:
        before, last = self._head, sealed.records[-1]
        return Head(
            shard=self.shard.id,
            hash=sealed.name.hash,
            last=last.sequence_number,
            arrived_at=last.arrived_at,
            segments=(before.segments if before else 0) + 1,
            records=(before.records if before else 0) + len(sealed.records),
            size_bytes=(before.size_bytes if before else 0) + len(sealed.data),
        )

    def _patiently(self, call: Callable[[], None]) -> None:
        patiently(call, self._around.clock, self._around.stopping, self.tally)
