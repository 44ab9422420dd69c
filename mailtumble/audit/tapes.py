"""A local copy of the stream: every shard read from its oldest record, in parallel and slowly.

The copy is an unnamed temporary file. It is needed because a replay must know which records the
application has quarantined, and the stream says so only after the record itself.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Final, Self

import msgpack

from mailtumble.history import PAUSE_S, RECORDS_MAX
from mailtumble.ports.stream import Batch, EventStream, Shard, ShardReader, StoredRecord
from mailtumble.ports.world import Clock
from schemas.errors import MailtumbleError, RetryableError
from schemas.values import MINUTE_US

Positions = Mapping[str, str]
"""Sequence numbers by shard id; "" or no entry means before the first record."""

Progress = Callable[[float], None]
"""Receives the share of the stream that has been read, from 0 to 1. Several threads call it, one at
a time."""

TRIES_MAX: Final = 5
EMPTY_MAX: Final = 3
SHARDS_MAX: Final = 16
"""How many shards are read in parallel."""

SKEW_US: Final = MINUTE_US
"""How far this machine's clock may be behind the stream's.

A shard may fill as fast as it is read, so reading ends at records that arrived after it began.
"""

IN_MEMORY_BYTES_MAX: Final = 64 * 1024 * 1024
"""How much of the copy is kept in memory, for all shards together. The rest goes to disk."""


class Tape:
    """The records that were read from one shard, in order."""

    def __init__(self, shard: Shard, bytes_max: int) -> None:
        """Create an empty tape, which moves to disk when it exceeds ``bytes_max`` bytes."""
        self.shard = shard
        self.first = self.last = ""
        self.begun_at = 0
        """When the oldest retained record arrived, in microseconds UTC."""
        self._file = tempfile.SpooledTemporaryFile(bytes_max)  # noqa: SIM115 - lives as long as the tape

    def add(self, records: Sequence[StoredRecord]) -> None:
        """Append records."""
        if not records:
            return
        if not self.first:
            self.first, self.begun_at = records[0].sequence_number, records[0].arrived_at
        self.last = records[-1].sequence_number
        self._file.seek(0, 2)
        for each in records:
            plain = (each.sequence_number, each.subject, each.data, each.arrived_at)
            self._file.write(msgpack.packb(plain, unicode_errors="surrogatepass"))

    def records(self, offset: int, until: str) -> Iterator[tuple[StoredRecord, int]]:
        """Yield records, each with the offset at which it ends.

        Args:
            offset: where to begin, in bytes.
            until: the sequence number of the last record to yield.
        """
        self._file.seek(offset)
        unpacker = msgpack.Unpacker(self._file, unicode_errors="surrogatepass")
        for plain in unpacker:
            record = StoredRecord(*plain)
            if record.sequence_number > until:
                return
            yield record, offset + unpacker.tell()

    def count(self, position: str) -> tuple[int, int, int | None]:
        """Count how many records a reader at ``position`` has read.

        Returns:
            The number of records read, the number of all records, and the arrival time of the
            oldest unread one (microseconds UTC), or None if all are read.
        """
        read = records = 0
        unread_at: int | None = None
        for record, _ in self.records(0, self.last):
            records += 1
            if record.sequence_number <= position:
                read += 1
            elif unread_at is None:
                unread_at = record.arrived_at
        return read, records, unread_at

    def close(self) -> None:
        """Remove the file."""
        self._file.close()


class Tapes:
    """The tapes of all shards, parents before children: a context manager that removes them."""

    def __init__(self, stream: EventStream, clock: Clock, progress: Progress) -> None:
        """Create without reading anything."""
        self._stream = stream
        self._clock = clock
        self._progress = progress
        self._stop = threading.Event()
        self._readings: dict[str, _Reading] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Return this object."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove all tapes."""
        for tape in self:
            tape.close()

    def shards(self) -> Sequence[Shard]:
        """Return the shards that the stream lists now, parents first, and add missing tapes."""
        listed = self._stream.shards()
        room = IN_MEMORY_BYTES_MAX // max(1, len(listed))
        for shard in listed:
            if shard.id not in self._readings:
                reader = self._stream.reader(shard.id, after=None)
                reading = _Reading(reader, Tape(shard, room), self._clock, self._stop)
                self._readings[shard.id] = reading
        return listed

    def __iter__(self) -> Iterator[Tape]:
        """Iterate over the tapes."""
        return (reading.tape for reading in self._readings.values())

    def read_to_end(self, at_least: Positions) -> None:
        """Read all shards to their current end, and at least as far as ``at_least``.

        Raises:
            RetryableError: the stream does not answer.
            MailtumbleError: a shard that has records ends before one of these positions.
        """
        self._side_by_side(
            lambda reading: reading.to_end(at_least.get(reading.tape.shard.id, ""), self._heard)
        )

    def read_until(self, positions: Positions) -> None:
        """Continue to read until the tapes reach these positions."""
        self._side_by_side(
            lambda reading: reading.until(positions.get(reading.tape.shard.id, ""), self._heard)
        )

    def _side_by_side(self, call: Callable[[_Reading], None]) -> None:
        readings = list(self._readings.values())
        with ThreadPoolExecutor(min(SHARDS_MAX, max(1, len(readings)))) as pool:
            try:
                for done in as_completed([pool.submit(call, each) for each in readings]):
                    done.result()
            except BaseException:
                # After a failure or Ctrl-C, there is no need to read the other shards to the end.
                self._stop.set()
                raise

    def _heard(self) -> None:
        with self._lock:
            shares = [reading.share for reading in self._readings.values()]
            self._progress(sum(shares) / max(1, len(shares)))


class _Reading:
    """The reader of one shard, with the tape that it fills."""

    def __init__(
        self, reader: ShardReader, tape: Tape, clock: Clock, stop: threading.Event
    ) -> None:
        self.tape = tape
        self.share = 0.0
        self._reader = reader
        self._clock = clock
        self._stop = stop
        self._begun = self._ended = False
        self._lag_ms_max = 1

    def until(self, position: str, heard: Callable[[], None]) -> None:
        """Continue to read, if necessary, until ``position`` is on the tape."""
        if self.tape.last < position:
            self.to_end(position, heard)

    def to_end(self, position: str, heard: Callable[[], None]) -> None:
        """Read until no more records come, and check that the tape then reaches ``position``."""
        empty = 0
        enough_at = self._clock.now() + SKEW_US
        while not (self._ended or self._stop.is_set()):
            batch = self._read()
            self.tape.add(batch.records)
            self._lag_ms_max = max(self._lag_ms_max, batch.lag_ms)
            self.share = 1 - batch.lag_ms / self._lag_ms_max
            heard()
            # Emulators may report no lag, so a full batch also means that more may follow.
            more = batch.lag_ms or len(batch.records) == RECORDS_MAX
            if more and not (batch.records and batch.records[-1].arrived_at > enough_at):
                continue
            empty += 1
            if self.tape.last >= position or empty == EMPTY_MAX:
                break
        # A quiet shard may be empty, because all its records have expired.
        if self.tape.first and self.tape.last < position:
            raise MailtumbleError(
                f"a worker has read {self.tape.shard.id} up to {position}, which the shard does "
                "not show: try again; if it fails again, tables and stream don't belong together"
            )

    def _read(self) -> Batch:
        """Read a batch after a pause. Retry if the workers use up the shard's limit."""
        for attempt in range(TRIES_MAX):
            if self._begun:
                self._clock.sleep(PAUSE_S)
            self._begun = True
            try:
                batch = self._reader.read(RECORDS_MAX)
            except RetryableError:
                if attempt == TRIES_MAX - 1:
                    raise
            else:
                self._ended = batch.ended
                return batch
        raise AssertionError  # unreachable: the last attempt returns or raises
