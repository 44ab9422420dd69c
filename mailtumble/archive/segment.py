"""A segment: some records of one shard, in their order, as an object on S3. Pure.

The object is the four bytes of :data:`MAGIC` and a zstd frame (RFC 8878) of msgpack values: a map,
the header, then per record the list ``[sequence number, subject, arrived at, data]``. The object's
name contains the first sequence number, the hash of the segment before it and its own hash (SHA-256
of the object's bytes), so a listing alone shows the chain.

A segment before which records may be missing says so in its header (``break``).
"""

from __future__ import annotations

import enum
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import msgpack
import zstandard

from mailtumble.ports.stream import StoredRecord
from schemas.errors import MailtumbleError

MAGIC: Final = b"MTA1"
PREFIX: Final = "segments"
BEGUN: Final = "shards"
"""Objects without content that say which shards have been archived: ``shards/SHARD/HASH``.

They lie apart from the segments, so that a shard whose segments and head are both gone is missed.
"""
NO_HASH: Final = "0" * 64
"""Stands for the previous hash in the name of a chain's first segment."""
LEVEL: Final = 3
"""zstd's own default: higher ones take several times as long for some percent."""

_NAME: Final = re.compile(r"(?P<first>\d{64})\.(?P<previous>[0-9a-f]{64})\.(?P<hash>[0-9a-f]{64})")


class ArchiveBroken(MailtumbleError):  # noqa: N818 - what was found
    """The archive is not what was written: a segment is missing, changed or out of its place."""


@dataclass(frozen=True, slots=True)
class SegmentName:
    """A segment's place in the bucket and in the chain. ``previous`` is "" for a shard's first."""

    shard: str
    first: str
    previous: str
    hash: str

    @property
    def key(self) -> str:
        """The object's key."""
        return f"{folder(self.shard)}{self.first}.{self.previous or NO_HASH}.{self.hash}"


class Break(enum.StrEnum):
    """Why records may be missing before a segment."""

    NONE = ""
    """None is missing: the segment follows the one before it, or the stream's beginning."""
    RESTARTED = "restarted"
    """The shard had been archived before, and its head was gone: this segment begins a new chain.
    Older segments may be there; no head names them."""
    FORGOTTEN = "forgotten"
    """The stream may have dropped records before the worker read them: it read nothing for longer
    than the stream keeps records, or the head was set back."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Records of one shard, at least one.

    Attributes:
        shard: the shard's id.
        previous: the hash of the segment before; "" in the first segment of a chain.
        records: in the stream's order.
        parents: in a child's first segment, the hash of the last segment by parent shard.
        gap: whether records before this segment may be missing, and why.
        gap_at: when that was noticed (microseconds UTC), which tells one loss from another; or 0.
    """

    shard: str
    previous: str
    records: Sequence[StoredRecord]
    parents: Sequence[tuple[str, str]] = ()
    gap: Break = Break.NONE
    gap_at: int = 0


def folder(shard: str) -> str:
    """Return what the keys of a shard's segments start with."""
    return f"{PREFIX}/{shard}/"


def name_of(key: str) -> SegmentName | None:
    """Return the segment name that a key contains, or None if the key is not a segment's."""
    place, _, last = key.rpartition("/")
    found = _NAME.fullmatch(last)
    if found is None or not place.startswith(f"{PREFIX}/"):
        return None
    previous = found["previous"]
    return SegmentName(
        place.removeprefix(f"{PREFIX}/"),
        found["first"],
        "" if previous == NO_HASH else previous,
        found["hash"],
    )


def pack(segment: Segment) -> tuple[SegmentName, bytes]:
    """Return a segment's name and bytes; the same segment always gives the same bytes."""
    header: dict[str, Any] = {
        "shard": segment.shard,
        "previous": segment.previous,
        "parents": [list(each) for each in segment.parents],
        "count": len(segment.records),
        "first": segment.records[0].sequence_number,
        "last": segment.records[-1].sequence_number,
    }
    if segment.gap:
        header["break"], header["break_at"] = segment.gap.value, segment.gap_at
    packer = msgpack.Packer(unicode_errors="surrogatepass")
    parts = [packer.pack(header)]
    parts += [
        packer.pack([each.sequence_number, each.subject, each.arrived_at, each.data])
        for each in segment.records
    ]
    data = MAGIC + zstandard.ZstdCompressor(level=LEVEL).compress(b"".join(parts))
    digest = hashlib.sha256(data).hexdigest()
    name = SegmentName(segment.shard, segment.records[0].sequence_number, segment.previous, digest)
    return name, data


def unpack(name: SegmentName, data: bytes) -> Segment:
    """Return the segment that an object contains.

    Raises:
        ArchiveBroken: the bytes do not match the name, or are not a segment.
    """
    if hashlib.sha256(data).hexdigest() != name.hash:
        raise ArchiveBroken(f"{name.key} was changed: its bytes don't have the hash in its name")
    try:
        header, *plain = _values(zstandard.ZstdDecompressor().decompress(_frame(data)))
        segment = _segment(header, plain)
    except (ValueError, TypeError, KeyError, zstandard.ZstdError) as error:
        raise ArchiveBroken(f"{name.key} can't be read: {error}") from error
    if (segment.shard, segment.previous) != (name.shard, name.previous):
        raise ArchiveBroken(f"the header of {name.key} names another shard or predecessor")
    return segment


def _frame(data: bytes) -> bytes:
    if not data.startswith(MAGIC):
        raise ValueError("it does not start as a segment does")
    return data[len(MAGIC) :]


def _values(packed: bytes) -> list[Any]:
    unpacker = msgpack.Unpacker(unicode_errors="surrogatepass", max_buffer_size=0)
    unpacker.feed(packed)
    return list(unpacker)


def _segment(header: dict[str, Any], plain: list[list[Any]]) -> Segment:
    records = [
        StoredRecord(sequence, subject, data, arrived_at)
        for sequence, subject, arrived_at, data in plain
    ]
    numbers = [each.sequence_number for each in records]
    if not numbers or [header["first"], header["last"], header["count"]] != [
        numbers[0],
        numbers[-1],
        len(numbers),
    ]:
        raise ValueError("its header describes other records")
    if any(before >= after for before, after in pairwise(numbers)):
        raise ValueError("its records are out of order")
    parents = [(str(shard), str(digest)) for shard, digest in header["parents"]]
    gap, gap_at = Break(header.get("break", "")), int(header.get("break_at", 0))
    return Segment(header["shard"], header["previous"], records, tuple(parents), gap, gap_at)
