"""A segment: consecutive records of one shard, stored as an object on S3. Pure.

The object consists of the four bytes of :data:`MAGIC` and a zstd frame (RFC 8878) of msgpack
values. The first value is a map, the header. Each record follows as the list ``[sequence number,
subject, arrived at, data]``.

The object's name contains the first sequence number, the hash of the previous segment and its own
hash (SHA-256 of the object's bytes), so a listing alone shows the chain.

If records may be missing before a segment, its header says so (``break``).
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

They have a prefix of their own, so that a loss of the segments and the head does not go unnoticed.
"""
NO_HASH: Final = "0" * 64
"""Takes the place of the previous hash in the name of a chain's first segment."""
LEVEL: Final = 3
"""The default level of zstd. Higher levels save a few percent and take several times as long."""

_NAME: Final = re.compile(r"(?P<first>\d{64})\.(?P<previous>[0-9a-f]{64})\.(?P<hash>[0-9a-f]{64})")


class ArchiveBroken(MailtumbleError):  # noqa: N818 - names the finding
    """A segment is missing, has been changed, or is in the wrong place."""


@dataclass(frozen=True, slots=True)
class SegmentName:
    """The name of a segment, which says where it belongs in the chain.

    Attributes:
        shard: the shard's id.
        first: the padded sequence number of its first record.
        previous: the hash of the previous segment; "" if this segment begins a chain.
        hash: the hash of the object's bytes.
    """

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
    """No record is missing after the previous segment, or after the beginning of the stream."""
    RESTARTED = "restarted"
    """The shard was archived before and its head was gone, so this segment begins a new chain.
    Older segments may still exist, but no head leads to them."""
    FORGOTTEN = "forgotten"
    """The stream may have dropped records before the worker read them: it read nothing for longer
    than the stream keeps records, or the head was set back."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive records of one shard.

    Attributes:
        shard: the shard's id.
        previous: the hash of the previous segment; "" in the first segment of a chain.
        records: the records in the order of the stream; at least one.
        parents: in the first segment of a child shard, pairs of a parent's id and the hash of the
            parent's last segment.
        gap: whether records may be missing before this segment, and why.
        gap_at: when the worker noticed the gap (microseconds UTC), which tells one loss from
            another; 0 without a gap.
    """

    shard: str
    previous: str
    records: Sequence[StoredRecord]
    parents: Sequence[tuple[str, str]] = ()
    gap: Break = Break.NONE
    gap_at: int = 0


def folder(shard: str) -> str:
    """Return the prefix of the keys of a shard's segments."""
    return f"{PREFIX}/{shard}/"


def name_of(key: str) -> SegmentName | None:
    """Parse the key of a segment; return None for the key of anything else."""
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
    """Serialise a segment to its name and bytes. Equal segments have equal bytes."""
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
    """Parse and check a segment.

    Args:
        name: the segment's name.
        data: the object's bytes.

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
