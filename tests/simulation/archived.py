"""Check that the archive holds every record of the stream, in one unbroken chain per shard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtumble.archive import chain, heads
from mailtumble.archive.segment import ArchiveBroken

if TYPE_CHECKING:
    from tests.simulation.world import World


def archive_complaints(world: World) -> list[str]:
    """Compare each shard's chain with the records that ever arrived on it.

    Segments outside of every chain are no complaint: a worker that loses its shard between writing
    the object and moving the head leaves one behind.
    """
    by_shard = {head.shard: head for head in heads.every(world.store)}
    complaints = []
    for shard, records in world.stream.history().items():
        head = by_shard.get(shard)
        if head is None:
            if records:
                complaints.append(f"archive: {shard} has {len(records)} records and no head")
            continue
        try:
            segments = list(chain.read(world.objects, world.archive, head, by_shard))
        except ArchiveBroken as error:
            complaints.append(f"archive: {shard}: {error}")
            continue
        kept = [record for segment in segments for record in segment.records]
        if kept != list(records):
            complaints.append(f"archive: {shard} keeps {len(kept)} of {len(records)} records")
    return complaints
