"""The chain of a shard: found by its head and the names of the objects, read and checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mailtumble.archive.heads import Head
from mailtumble.archive.segment import ArchiveBroken, Segment, SegmentName, folder, name_of, unpack
from mailtumble.ports.stream import EventStream, StoredRecord
from mailtumble.ports.world import ObjectMissing, ObjectStore
from schemas.errors import PermanentError


def names(objects: ObjectStore, bucket: str, head: Head) -> list[SegmentName]:
    """The segments of a shard from its first to its head; other objects are left out.

    Raises:
        ArchiveBroken: one of them is missing.
    """
    listed = objects.listed(bucket, folder(head.shard))
    by_hash = {name.hash: name for each in listed if (name := name_of(each.key)) is not None}
    found: list[SegmentName] = []
    wanted = head.hash
    while wanted:
        name = by_hash.pop(wanted, None)
        if name is None:
            raise ArchiveBroken(
                f"of {head.shard} the segment with the hash {wanted} is missing in "
                f"s3://{bucket}/{folder(head.shard)}: restore it (the bucket keeps versions)"
            )
        found.append(name)
        wanted = name.previous
    found.reverse()
    return found


def read(
    objects: ObjectStore, bucket: str, head: Head, by_shard: Mapping[str, Head]
) -> Iterator[Segment]:
    """The segments of a shard in their order, each checked as it is given.

    ``by_shard`` has the heads of all shards: a child's chain begins where its parents' ended.

    Raises:
        ArchiveBroken: a segment is missing, changed or out of its place.
    """
    last, segments, records = "", 0, 0
    for name in names(objects, bucket, head):
        try:
            segment = unpack(name, objects.get(bucket, name.key))
        except ObjectMissing as error:
            raise ArchiveBroken(str(error)) from error
        if segment.records[0].sequence_number <= last:
            raise ArchiveBroken(f"{name.key} has records that the segment before it has too")
        for shard, digest in segment.parents:
            if shard not in by_shard or by_shard[shard].hash != digest:
                raise ArchiveBroken(
                    f"{name.key} follows the segment {digest} of its parent {shard}, whose chain "
                    "does not end with that one"
                )
        last = segment.records[-1].sequence_number
        segments, records = segments + 1, records + len(segment.records)
        yield segment
    if (last, segments, records) != (head.last, head.segments, head.records):
        raise ArchiveBroken(
            f"of {head.shard} there are {segments} segments with {records} records up to {last}, "
            f"and its head tells of {head.segments} with {head.records} up to {head.last}"
        )


def check_joint(stream: EventStream, head: Head, last: StoredRecord) -> bool:
    """Whether the stream still has the last archived record.

    If it has, it must be that very one: where an iterator at a record that is gone begins, differs
    from case to case.

    Raises:
        ArchiveBroken: another record stands there.
    """
    try:
        records = stream.reader(head.shard, after=None, at=head.last).read(1).records
    except PermanentError:
        return False
    if not records or records[0].sequence_number != head.last:
        return False
    if (records[0].subject, records[0].data) != (last.subject, last.data):
        raise ArchiveBroken(
            f"record {head.last} of {head.shard} is another one on the stream than in the archive"
        )
    return True
