"""Where a new owner of a shard continues, and whether records may be missing before that place.

Only the head says how far the chain reaches. It moves in one transaction with the cursor, which is
the fence. Nothing here stops the worker from archiving. A possible loss is recorded in the next
segment, so ``archive verify`` finds it however often the worker restarts (ADR 18).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mailtumble.archive.heads import Head
from mailtumble.archive.segment import BEGUN, Break, folder, name_of
from mailtumble.definition import load_definition
from mailtumble.ports.world import ObjectStore
from schemas.values import HOUR_US

NO_LEFTOVER: Final = ""


@dataclass(frozen=True, slots=True)
class Traces:
    """What the bucket shows about a shard besides its chain.

    Attributes:
        is_known: the bucket shows that a chain of the shard was begun.
        leftover: the first sequence number of the oldest segment if the shard has no head; else "".
            A worker that dies before its first commit leaves such a segment, too.
    """

    is_known: bool
    leftover: str = NO_LEFTOVER


def retention_us() -> int:
    """Return how long the stream keeps a record, in microseconds."""
    return load_definition().stream.retention_hours * HOUR_US


def begun_folder(shard: str) -> str:
    """Return the prefix of the keys that mark a shard's chains as begun."""
    return f"{BEGUN}/{shard}/"


def traces(objects: ObjectStore, bucket: str, shard: str, head: Head | None) -> Traces:
    """Look in the bucket for chains of a shard."""
    marked = any(True for _ in objects.listed(bucket, begun_folder(shard)))
    if head is not None:
        return Traces(marked)
    named = (name_of(each.key) for each in objects.listed(bucket, folder(shard)))
    first = next((name for name in named if name is not None), None)
    follows = any(name is not None and name.previous for name in named)
    return Traces(marked or follows, first.first if first is not None else NO_LEFTOVER)


def is_ahead(sequence: object, head: Head) -> bool:
    """Return whether a cursor's sequence number is beyond the last record that its head names.

    One transaction moves both, so the head was set back, or somebody changed the cursor.
    """
    return isinstance(sequence, str) and sequence > head.last


def archived_until(head: Head, sequence: object, arrived_at: int) -> int:
    """Return the time until which every record that arrived is in the chain (microseconds UTC).

    The cursor's time can be later than the head's, because the worker moves it on a quiet shard. A
    cursor that is ahead of the head counts segments that are not in the chain, so its time says
    nothing.

    Args:
        head: the shard's head.
        sequence: the cursor's sequence number, if it has one.
        arrived_at: the cursor's time (microseconds UTC).
    """
    return head.arrived_at if is_ahead(sequence, head) else max(head.arrived_at, arrived_at)


def break_after(head: Head, read_until: int, now: int) -> Break:
    """Return the break after a head whose record the stream no longer has.

    Args:
        head: the shard's head.
        read_until: the time until which every record that arrived is archived (microseconds UTC).
        now: the current time (microseconds UTC).
    """
    oldest = now - retention_us()
    # A quiet shard: the record expired as it should, and a worker has read to the end since then.
    has_expired = head.arrived_at < oldest <= read_until
    return Break.NONE if has_expired else Break.FORGOTTEN


def break_before_first(read_until: Iterable[int], now: int) -> Break:
    """Return the break before the first segment of a shard that was never archived.

    Args:
        read_until: the times of the shard's cursor, or of its parents' cursors (microseconds UTC);
            0 for a cursor that was never moved.
        now: the current time (microseconds UTC).
    """
    oldest = now - retention_us()
    return Break.FORGOTTEN if any(0 < each < oldest for each in read_until) else Break.NONE
