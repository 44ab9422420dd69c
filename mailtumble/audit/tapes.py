"""The stream on tape: every shard read from its oldest record on, side by side, at leisure.

What is read is kept in a temporary file without a name, since a record can be replayed only when
it is known what an application has put into quarantine, and that is told further on.
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
"""A sequence number by shard id; "" or none: before its first record."""

Progress = Callable[[float], None]
"""Hears which part of the stream is read, from 0 to 1; from several threads, one at a time."""

TRIES_MAX: Final = 5
EMPTY_MAX: Final = 3
SHARDS_MAX: Final = 16
"""Shards that are read at the same time."""

SKEW_US: Final = MINUTE_US
"""By so much this machine's clock may be behind the stream's.

A shard that fills as fast as it is read has no end: what came later than now is not needed.
"""

IN_MEMORY_BYTES_MAX: Final = 64 * 1024 * 1024
"""Of all shards' tapes together; what is more goes to the disk."""


class Tape:
    """What has been read of one shard, in order."""

    def __init__(self, shard: Shard, bytes_max: int) -> None:
        """Begin with nothing; more than ``bytes_max`` bytes are kept on the disk."""
        self.shard = shard
        self.first = self.last = ""
        self.begun_at = 0
        """When the oldest record that is left arrived, in microseconds UTC."""
        self._file = tempfile.SpooledTemporaryFile(bytes_max)  # noqa: SIM115 - as long as the tape

    def add(self, records: Sequence[StoredRecord]) -> None:
        """Write records behind the others."""
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
        """From ``offset`` on, those up to and with ``until``; each with the offset behind it."""
        self._file.seek(offset)
        unpacker = msgpack.Unpacker(self._file, unicode_errors="surrogatepass")
        for plain in unpacker:
            record = StoredRecord(*plain)
            if record.sequence_number > until:
                return
            yield record, offset + unpacker.tell()

    def count(self, position: str) -> tuple[int, int, int | None]:
        """Count what a reader at ``position`` has read of the tape.

        Returns:
            How many records it has read, how many there are, and when the oldest unread one
            arrived (microseconds UTC; None where everything is read).
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
        """Remove it."""
        self._file.close()


class Tapes:
    """All shards' tapes, parents before children; in a ``with``, at the end of which they go."""

    def __init__(self, stream: EventStream, clock: Clock, progress: Progress) -> None:
        """Nothing is read yet."""
        self._stream = stream
        self._clock = clock
        self._progress = progress
        self._stop = threading.Event()
        self._readings: dict[str, _Reading] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Nothing to prepare."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove what was read."""
        for tape in self:
            tape.close()

    def shards(self) -> Sequence[Shard]:
        """The shards that the stream lists now, parents first; new ones get a tape."""
        listed = self._stream.shards()
        room = IN_MEMORY_BYTES_MAX // max(1, len(listed))
        for shard in listed:
            if shard.id not in self._readings:
                reader = self._stream.reader(shard.id, after=None)
                reading = _Reading(reader, Tape(shard, room), self._clock, self._stop)
                self._readings[shard.id] = reading
        return listed

    def __iter__(self) -> Iterator[Tape]:
        """The tapes."""
        return (reading.tape for reading in self._readings.values())

    def read_to_end(self, at_least: Positions) -> None:
        """Read all shards to what is their end now, and no less far than ``at_least``.

        Raises:
            RetryableError: the stream does not answer.
            MailtumbleError: a shard has not got the record at such a position.
        """
        self._side_by_side(
            lambda reading: reading.to_end(at_least.get(reading.tape.shard.id, ""), self._heard)
        )

    def read_until(self, positions: Positions) -> None:
        """Read on where that is needed to get so far."""
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
                # A failure, or Ctrl-C: the others need not read to their ends.
                self._stop.set()
                raise

    def _heard(self) -> None:
        with self._lock:
            shares = [reading.share for reading in self._readings.values()]
            self._progress(sum(shares) / max(1, len(shares)))


class _Reading:
    """One shard's reader, and the tape that it fills."""

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
        """Read on, if need be, until ``position`` is on the tape."""
        if self.tape.last < position:
            self.to_end(position, heard)

    def to_end(self, position: str, heard: Callable[[], None]) -> None:
        """Read until nothing more comes; that must be no less far than ``position``."""
        empty = 0
        enough_at = self._clock.now() + SKEW_US
        while not (self._ended or self._stop.is_set()):
            batch = self._read()
            self.tape.add(batch.records)
            self._lag_ms_max = max(self._lag_ms_max, batch.lag_ms)
            self.share = 1 - batch.lag_ms / self._lag_ms_max
            heard()
            # A full batch may be all that an emulator tells of a lag.
            more = batch.lag_ms or len(batch.records) == RECORDS_MAX
            if more and not (batch.records and batch.records[-1].arrived_at > enough_at):
                continue
            empty += 1
            if self.tape.last >= position or empty == EMPTY_MAX:
                break
        # Of a quiet shard nothing may be left: all of it is older than the stream keeps it.
        if self.tape.first and self.tape.last < position:
            raise MailtumbleError(
                f"a worker has read {self.tape.shard.id} up to {position}, which the shard does "
                "not show: try again; if that stays so, tables and stream don't belong together"
            )

    def _read(self) -> Batch:
        """One read, a pause after the last one; where the workers leave nothing, another."""
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
