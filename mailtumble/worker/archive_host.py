"""The archive, as a host drives it."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from mailtumble.archive.shard import NAME, ArchiveShard
from mailtumble.ports.stream import Shard
from mailtumble.worker.assembly import Lane, surroundings
from mailtumble.worker.lane_host import Hosted, Work


class ArchiveWork(Work):
    """Shards of the archive; nothing else runs beside them."""

    name = NAME
    rereads = True

    def lane(self, shard: Shard) -> Lane:
        """Return the archive on one shard."""
        plan = self.host.plan
        around = surroundings(self.host.ports, plan, self.host.stopping)
        return ArchiveShard(
            shard, replace(around, bucket=plan.archive_bucket), plan.archive_every_us
        )

    async def tick(self, hosted: Hosted) -> None:
        """Write what is due, and record how far the shard is read where nothing new arrives."""
        lane = cast("ArchiveShard", hosted.lane)
        tip_at = self.host.vitals.pulses[hosted.shard.id].tip_at

        def ticked() -> None:
            lane.tick()
            lane.quiet(tip_at)

        await hosted.run(ticked)
