"""The archive worker of one shard, which collects records and writes them as segments.

A write puts the object first, and then moves the cursor and the head in one transaction. If the
transaction fails, the object belongs to no chain. Its name contains the hash of its content, so it
cannot replace another segment.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from mailtumble.archive import heads
from mailtumble.archive.continuity import (
    NO_LEFTOVER,
    Traces,
    archived_until,
    begun_folder,
    break_after,
    break_before_first,
    retention_us,
    traces,
)
from mailtumble.archive.heads import Head
from mailtumble.archive.segment import Break, Segment, SegmentName, pack
from mailtumble.archive.tail import find_joint
from mailtumble.ports.stream import Shard, StoredRecord
from mailtumble.worker.cursor import Cursor, cursor_key
from mailtumble.worker.metrics import Tally
from mailtumble.worker.patience import patiently
from mailtumble.worker.shard import Surroundings
from schemas.values import MINUTE_US

NAME: Final = "archive"
GENERATION: Final = "0"
SEGMENT_BYTES: Final = 4 * 1024 * 1024
"""The size of the records, before compression, from which a segment is written at once. A shard
keeps about this much in memory."""
QUIET_US: Final = MINUTE_US
"""How often, at most, the cursor's time is moved while no records arrive."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Sealed:
    """A segment that is being written. The next one begins when its transaction has succeeded."""

    name: SegmentName
    data: bytes
    records: Sequence[StoredRecord]


class ArchiveShard:
    """The archive worker of one shard: the processor that a worker runs on it."""

    def __init__(self, shard: Shard, around: Surroundings, every_us: int) -> None:
        """Create without I/O; call :meth:`take_over` before use.

        Args:
            shard: the shard to archive.
            around: the ports; ``around.bucket`` is the archive's bucket.
            every_us: how long records are collected before they are written, in microseconds.
        """
        self.shard = shard
        self.cursor = Cursor(around.store, NAME, GENERATION, shard.id)
        self.tally = Tally()
        self._around = around
        self._every_us = every_us
        self._head: Head | None = None
        self._parents: tuple[tuple[str, str], ...] = ()
        self._traces = Traces(is_known=False)
        self._gap = Break.NONE
        self._gap_at = 0
        self._read_until = 0
        self._gathered: list[StoredRecord] = []
        self._gathered_bytes = 0
        self._gathered_at = 0
        self._sealed: _Sealed | None = None

    @property
    def committed(self) -> str | None:
        """The sequence number of the last archived record, or None if there is no chain."""
        return self._head.last if self._head else None

    def take_over(self) -> str | None:
        """Fence off the previous owner and find the end of the chain.

        The chain continues after its head, whatever the cursor says. If there is no head, or the
        stream no longer has the head's record, reading begins at the oldest record of the shard.

        Returns:
            The sequence number to read after, or None to read from the oldest record.
        """
        position, around = self.cursor.take_over(), self._around
        self._head = head = heads.find(around.store, self.shard.id)
        self._gathered, self._gathered_bytes, self._sealed = [], 0, None
        self._traces = traces(around.objects, around.bucket, self.shard.id, head)
        self._gap, self._gap_at = Break.NONE, (now := around.clock.now())
        # Without a head, or after a marked gap, reading begins with what the stream has now.
        self._read_until = now
        parents = [heads.find(around.store, each) for each in self.shard.parents]
        self._parents = tuple((each.shard, each.hash) for each in parents if each is not None)
        after, until = None, self.cursor.arrived_at
        if head is not None:
            until = archived_until(head, position.sequence, until)
        if head is None and (self._traces.is_known or position.sequence is not None):
            self._gap, until = Break.RESTARTED, 0
        elif head is None:
            self._gap = break_before_first(self._cursors_read_until(), now)
        elif find_joint(around.stream, around.clock, head.shard, head.last) is not None:
            after = head.last
            # Records that arrived since then are still unread, and may expire before they are read.
            self._read_until = max(until, now - retention_us())
        else:
            self._gap = break_after(head, until, now)
        # The next commit stores this time, and may be the last one for long: it must not cover
        # records that are still to be read again.
        self.cursor.arrived_at = until
        if self._gap:
            logger.error(
                "records of %s may be missing from the archive (%s); see mailtumble archive verify",
                *(self.shard.id, self._gap.value),
            )
        return after

    def process(self, records: Sequence[StoredRecord]) -> None:
        """Collect records, and write a segment whenever there are enough."""
        taken = self._gathered[-1].sequence_number if self._gathered else self.committed or ""
        fresh = [record for record in records if record.sequence_number > taken]
        if fresh:
            self._notice_gap()
        for record in fresh:
            if not self._gathered:
                self._gathered_at = self._around.clock.now()
            self._gathered.append(record)
            self._gathered_bytes += len(record.data)
            self._read_until = max(self._read_until, record.arrived_at)
            if self._gathered_bytes >= SEGMENT_BYTES:
                self._patiently(self._write)

    def tick(self) -> None:
        """Write the collected records if the oldest has waited for long enough.

        Raises:
            RetryableError: the write failed; the records are kept for the next try.
        """
        waited_us = self._around.clock.now() - self._gathered_at
        if self._gathered and waited_us >= self._every_us:
            self._write()

    def quiet(self, tip_at: int) -> None:
        """Record that every record that had arrived by ``tip_at`` (microseconds UTC) was read."""
        self._read_until = max(self._read_until, tip_at)
        # Until a segment marks the gap, the next owner must be able to notice it, too.
        nothing_pending = not (self._gathered or self._gap)
        if nothing_pending and tip_at >= self.cursor.arrived_at + QUIET_US:
            self.cursor.note(tip_at)

    def close(self) -> None:
        """Write the collected records and close the cursor, as the shard is read to its end."""
        self._patiently(self._write)
        if self._gap:
            # No record has arrived with which a marked segment could begin.
            gap = heads.put_gap(self.shard.id, self._gap_at)
            self._patiently(lambda: self.cursor.write_in_place([gap]))
        # The workers of its children compare this time with the retention.
        self._patiently(lambda: self.cursor.note(self._around.clock.now()))
        self._patiently(lambda: self.cursor.close(self._around.clock.now()))

    def release(self) -> None:
        """Write the collected records and release the shard."""
        self._write()
        self.cursor.release()

    def _write(self) -> None:
        """Write all collected records; a segment from a failed try goes first, unchanged."""
        while self._gathered:
            sealed = self._sealed = self._sealed or self._seal()
            self._around.objects.put(self._around.bucket, sealed.name.key, sealed.data)
            head = self._next_head(sealed)
            self.cursor.commit([heads.put(head)], head.last, head.arrived_at)
            self._head, self._sealed, self._gap = head, None, Break.NONE
            self._gathered = self._gathered[len(sealed.records) :]
            self._gathered_bytes = sum(len(each.data) for each in self._gathered)
            self._gathered_at = self._around.clock.now()
            self.tally.commits += 1
            self.tally.accepted += len(sealed.records)
            self._mark_begun(head)

    def _mark_begun(self, head: Head) -> None:
        """Mark in the bucket that the shard has a chain, in case head and segments are lost."""
        if not self._traces.is_known or head.segments == 1:
            key = begun_folder(self.shard.id) + head.hash
            self._around.objects.put(self._around.bucket, key, b"")
            self._traces = Traces(is_known=True)

    def _seal(self) -> _Sealed:
        records = tuple(self._gathered)
        parents: tuple[tuple[str, str], ...] = ()
        if self._head is None:
            parents = self._parents
            # An older segment has records that this chain will not have, so it was part of a chain.
            if NO_LEFTOVER < self._traces.leftover < records[0].sequence_number:
                self._gap = Break.RESTARTED
        segment = Segment(
            shard=self.shard.id,
            previous=self._head.hash if self._head else "",
            records=records,
            parents=parents,
            gap=self._gap,
            gap_at=self._gap_at if self._gap else 0,
        )
        return _Sealed(*pack(segment), records)

    def _notice_gap(self) -> None:
        """Begin a marked segment if the stream may have dropped records since the last read."""
        now = self._around.clock.now()
        if self._read_until < now - retention_us():
            self._patiently(self._write)
            self._gap, self._gap_at, self._read_until = Break.FORGOTTEN, now, now

    def _cursors_read_until(self) -> list[int]:
        """Return the time of this shard's cursor, or else those of its parents' cursors."""
        if self.cursor.arrived_at:
            return [self.cursor.arrived_at]
        keys = [cursor_key(NAME, GENERATION, each) for each in self.shard.parents]
        found = (self._around.store.get("cursors", key) or {} for key in keys)
        return [each for item in found if isinstance(each := item.get("arrived_at"), int)]

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
