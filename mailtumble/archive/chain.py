"""The chain of a shard: followed from its head by the names of the objects, read and checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from mailtumble.archive.heads import Head
from mailtumble.archive.segment import ArchiveBroken, Segment, SegmentName, folder, name_of, unpack
from mailtumble.ports.stream import StoredRecord
from mailtumble.ports.world import ObjectMissing, ObjectStore


def names(objects: ObjectStore, bucket: str, head: Head) -> list[SegmentName]:
    """Return the segments of a shard from its first to its head; other objects are left out.

    Raises:
        ArchiveBroken: one of them is missing.
    """
    listed = objects.listed(bucket, folder(head.shard))
    found, missing = walk(head, (name for each in listed if (name := name_of(each.key))))
    if missing:
        raise ArchiveBroken(missing_text(bucket, head.shard, missing))
    return found


def walk(head: Head, listed: Iterable[SegmentName]) -> tuple[list[SegmentName], str]:
    """Follow a chain backwards from its head.

    Args:
        head: the shard's head.
        listed: the segments of the shard that the bucket has, in any order.

    Returns:
        The segments in their order, as far back as the chain is unbroken, and the hash of the
        segment that is missing before them ("" if the chain is whole).
    """
    by_hash = {name.hash: name for name in listed}
    found: list[SegmentName] = []
    wanted = head.hash
    while wanted and (name := by_hash.pop(wanted, None)) is not None:
        found.append(name)
        wanted = name.previous
    found.reverse()
    return found, wanted


def missing_text(bucket: str, shard: str, digest: str) -> str:
    """Say which segment is missing, and what to do."""
    return (
        f"of {shard} the segment with the hash {digest} is missing in "
        f"s3://{bucket}/{folder(shard)}: restore it (the bucket keeps versions)"
    )


def read(
    objects: ObjectStore, bucket: str, head: Head, by_shard: Mapping[str, Head]
) -> Iterator[Segment]:
    """Yield the segments of a shard in their order, each checked before it is yielded.

    Args:
        objects: the store of the segments.
        bucket: the archive's bucket.
        head: the head of the shard.
        by_shard: the heads of all shards: a child's chain begins where its parents' ended.

    Raises:
        ArchiveBroken: a segment is missing, changed or out of its place.
    """
    last, segments, records = "", 0, 0
    for name in names(objects, bucket, head):
        try:
            segment = unpack(name, objects.get(bucket, name.key))
        except ObjectMissing as error:
            raise ArchiveBroken(str(error)) from error
        check_place(name, segment, last, by_shard)
        last = segment.records[-1].sequence_number
        segments, records = segments + 1, records + len(segment.records)
        yield segment
    if (last, segments, records) != (head.last, head.segments, head.records):
        raise ArchiveBroken(
            f"the chain of {head.shard} has {segments} segments with {records} records up to "
            f"{last}, but its head names {head.segments} segments with {head.records} records "
            f"up to {head.last}"
        )


def check_place(
    name: SegmentName, segment: Segment, last: str, by_shard: Mapping[str, Head]
) -> None:
    """Check that a segment follows what it says it follows.

    Args:
        name: the segment's name.
        segment: its content.
        last: the sequence number of the record before it ("" if it is the first).
        by_shard: the heads of all shards.

    Raises:
        ArchiveBroken: it repeats records, or a parent's chain does not end where it says.
    """
    if segment.records[0].sequence_number <= last:
        raise ArchiveBroken(f"{name.key} has records that the segment before it has too")
    for shard, digest in segment.parents:
        if shard not in by_shard or by_shard[shard].hash != digest:
            raise ArchiveBroken(
                f"{name.key} follows the segment {digest} of its parent {shard}, whose chain "
                "does not end with that one"
            )


def check_joint(found: StoredRecord, shard: str, last: StoredRecord) -> None:
    """Check that the stream's record is the very one that was archived last.

    Raises:
        ArchiveBroken: the stream has another record with this sequence number.
    """
    if (found.subject, found.data) != (last.subject, last.data):
        raise ArchiveBroken(
            f"record {last.sequence_number} of {shard} is another one on the stream than in the "
            "archive"
        )
