"""Where a new owner of a shard goes on archiving, and whether records may be missing before that.

The head alone says how far the chain reaches: it moves in one transaction with the cursor, and the
cursor is the fence. Nothing here keeps the worker from archiving. What may be lost is written into
the next segment, where ``archive verify`` finds it however often the worker restarts (ADR 18).
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
    """What the bucket shows of a shard besides its chain.

    Attributes:
        is_known: the bucket says that a chain of the shard has been begun.
        leftover: where there is no head, the first sequence number of the oldest segment; or "".
            A worker that died before its first commit leaves such a segment too.
    """

    is_known: bool
    leftover: str = NO_LEFTOVER


def retention_us() -> int:
    """Return how long the stream keeps a record, in microseconds."""
    return load_definition().stream.retention_hours * HOUR_US


def begun_folder(shard: str) -> str:
    """Return what the keys of a shard's marks of begun chains start with."""
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


def break_after(head: Head, read_until: int, now: int) -> Break:
    """Return whether records after a head's last may be gone, once the stream has forgotten it.

    Args:
        head: the shard's head.
        read_until: everything that had arrived by then is archived (microseconds UTC).
        now: microseconds UTC.
    """
    oldest = now - retention_us()
    # A quiet shard: the record expired, and somebody looked recently enough to know of the rest.
    has_expired = head.arrived_at < oldest <= read_until
    return Break.NONE if has_expired else Break.FORGOTTEN


def break_before_first(read_until: Iterable[int], now: int) -> Break:
    """Return whether a shard that was never archived may have lost records.

    Args:
        read_until: how far its cursor, or the cursors of its parents, had read (microseconds UTC);
            0 where nobody had.
        now: microseconds UTC.
    """
    oldest = now - retention_us()
    return Break.FORGOTTEN if any(0 < each < oldest for each in read_until) else Break.NONE
