"""The part of a shard on the stream that is not archived yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mailtumble.ports.stream import EventStream, StoredRecord
from mailtumble.ports.world import Clock
from schemas.errors import PermanentError, RetryableError

READS_MAX: Final = 50
"""The most reads in search of a record: Kinesis returns empty batches where a shard has no records
for a while."""
PAUSE_S: Final = 0.25
"""The pause between two reads. A shard allows five reads a second, and the workers need some."""


@dataclass(frozen=True, slots=True)
class Tail:
    """What follows the archive on the stream.

    Attributes:
        joint: the last archived record, if the stream still has it.
        unread: the record that follows the joint; without a joint, the oldest record of the shard
            that is not archived. None if there is no such record.
    """

    joint: StoredRecord | None
    unread: StoredRecord | None


def look_at_tail(stream: EventStream, clock: Clock, shard: str, position: str | None) -> Tail:
    """Find the oldest record of a shard that is not archived.

    Args:
        stream: the stream.
        clock: paces the reads.
        shard: the shard's id.
        position: the padded sequence number of the last archived record; None if there is none.

    Returns:
        The last archived record and the oldest unarchived one, where the stream has them.

    Raises:
        RetryableError: the stream does not answer.
    """
    if position is not None:
        found = _at(stream, clock, shard, position, 2)
        if found:
            return Tail(found[0], next(iter(found[1:]), None))
    oldest = _read(stream, clock, shard, None, 1)
    unread = [each for each in oldest if each.sequence_number > (position or "")]
    return Tail(None, next(iter(unread), None))


def find_joint(stream: EventStream, clock: Clock, shard: str, position: str) -> StoredRecord | None:
    """Return the record with this sequence number, if the stream still has it.

    Args:
        stream: the stream.
        clock: paces the reads.
        shard: the shard's id.
        position: the padded sequence number.

    Returns:
        The record, or None if the stream no longer has it.

    Raises:
        RetryableError: the stream does not answer.
    """
    return next(iter(_at(stream, clock, shard, position, 1)), None)


def _at(
    stream: EventStream, clock: Clock, shard: str, position: str, count: int
) -> list[StoredRecord]:
    """Return the record at a position and those that follow, or nothing if it is gone.

    An iterator at a record that is gone may begin anywhere after it, or fail. The result therefore
    counts only if it begins with exactly this record.
    """
    try:
        found = _read(stream, clock, shard, position, count)
    except PermanentError:
        return []
    return found if found and found[0].sequence_number == position else []


def _read(
    stream: EventStream, clock: Clock, shard: str, at: str | None, count: int
) -> list[StoredRecord]:
    reader = stream.reader(shard, after=None, at=at)
    found: list[StoredRecord] = []
    for attempt in range(READS_MAX):
        if attempt:
            clock.sleep(PAUSE_S)
        batch = reader.read(count - len(found))
        found += batch.records
        if len(found) == count or batch.ended or not (batch.lag_ms or batch.records):
            return found
    raise RetryableError(f"{shard} shows no record after {READS_MAX} reads, though there are some")
