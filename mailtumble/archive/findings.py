"""The problems that an inspection of the archive finds, in words."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from mailtumble.archive.heads import Head
from mailtumble.archive.losses import Problem, ProblemKind
from mailtumble.archive.segment import Break, Segment, SegmentName
from mailtumble.story.words import counted
from mailtumble.worker.views import iso

RESTORE: Final = (
    "restore what is missing (the bucket keeps versions, the table has point-in-time recovery), or "
    "start mailtumble worker archive, which begins a new chain, and acknowledge the loss"
)
"""What to do about a chain that no head names."""


def set_back(head: Head, sequence: str) -> Problem:
    """Return the problem of a cursor that is ahead of its head.

    Args:
        head: the shard's head.
        sequence: the cursor's sequence number.
    """
    text = (
        f"the head of {head.shard} names {head.last} as the last archived record, but the cursor "
        f"has reached {sequence}: the head was set back. Restore the head (the table has "
        "point-in-time recovery), or start mailtumble worker archive, which continues after the "
        "head and marks the place if the stream no longer has the next records"
    )
    return Problem(ProblemKind.SET_BACK, f"{head.hash}:{sequence}", text)


def other_counts(head: Head, last: str, segments: int, records: int) -> Problem:
    """Return the problem of a head that describes another chain than the one it leads to.

    Args:
        head: the shard's head.
        last: the sequence number of the chain's last record.
        segments: how many segments the chain has.
        records: how many records the chain has.
    """
    text = (
        f"the chain of {head.shard} has {segments} segments with {records} records up to {last}, "
        f"but its head names {head.segments} segments with {head.records} records up to "
        f"{head.last}: restore the table of cursors"
    )
    return Problem(ProblemKind.BROKEN, f"head:{digest(text)}", text)


def orphaned(shard: str, run: Sequence[SegmentName]) -> Problem:
    """Return the problem of a lost chain, whose segments are given in order."""
    text = (
        f"no head leads to {counted(len(run), 'segment')} of {shard}, from {run[0].key} on: the "
        f"head was lost or set back. {RESTORE[0].upper()}{RESTORE[1:]}"
    )
    return Problem(ProblemKind.ORPHANED, run[-1].hash, text)


def only_copy(leftover: SegmentName, count: int) -> Problem:
    """Return the problem of a leftover segment with records that are nowhere else.

    Args:
        leftover: the segment.
        count: how many of its records are neither in the chain nor on the stream.
    """
    text = (
        f"no head leads to {leftover.key}, and {counted(count, 'record')} in it are neither in the "
        f"chain of {leftover.shard} nor on the stream: the head was set back, or a write was "
        "interrupted and no worker continued in time. If the worker has written nothing since, "
        "restore head and cursor (the table has point-in-time recovery). Otherwise keep the "
        "segment, and acknowledge the loss"
    )
    return Problem(ProblemKind.ORPHANED, leftover.hash, text)


def behind(shard: str, read_until: int, subject: str) -> Problem:
    """Return the problem that no record links archive and stream, so records may be lost.

    Args:
        shard: the shard's id.
        read_until: the archive has every record that had arrived by then (microseconds UTC).
        subject: what identifies the loss.
    """
    text = (
        f"the archive has read {shard} only up to {iso(read_until)}, and the stream no longer has "
        "the next records: some may be lost. Start mailtumble worker archive, which marks the "
        "place, and acknowledge the loss"
    )
    return Problem(ProblemKind.BEHIND, subject, text)


def breaks(name: SegmentName, segment: Segment) -> list[Problem]:
    """Return the problem of a segment before which records may be missing, if it is marked."""
    began = f"{name.key}, whose first record arrived at {iso(segment.records[0].arrived_at)}"
    match segment.gap:
        case Break.NONE:
            return []
        case Break.RESTARTED:
            text = (
                f"the head of {name.shard} was gone at {iso(segment.gap_at)}, so the worker began "
                f"a new chain with {began}: "
                "older records are not in this chain. Restore the older chain to read them"
            )
            return [Problem(ProblemKind.RESTARTED, name.hash, text)]
        case Break.FORGOTTEN:
            text = (
                f"the stream may have dropped records of {name.shard} before the worker read the "
                f"shard at {iso(segment.gap_at)}: records before {began}, may be lost"
            )
            return [Problem(ProblemKind.FORGOTTEN, name.hash, text)]


def digest(text: str) -> str:
    """Return a digest that tells one loss from another."""
    return hashlib.sha256(text.encode()).hexdigest()
