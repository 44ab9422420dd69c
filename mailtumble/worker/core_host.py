"""Core, as a host drives it."""

from __future__ import annotations

from typing import cast

from mailtumble.ports.stream import Shard
from mailtumble.worker.assembly import core_lane
from mailtumble.worker.core import NAME
from mailtumble.worker.lane_host import Hosted, Work
from mailtumble.worker.shard import ShardProcessor


class CoreWork(Work):
    """Lanes of ``core``, and how far they are where nothing comes: its counters tell until then."""

    name = NAME

    def lane(self, shard: Shard) -> ShardProcessor:
        """``core`` on one shard."""
        return core_lane(shard, self.host.ports, self.host.plan, self.host.stopping)

    async def tick(self, hosted: Hosted) -> None:
        """What is due; and that nothing came, where nothing did."""
        lane = cast("ShardProcessor", hosted.lane)
        tip_at = self.host.vitals.pulses[hosted.shard.id].tip_at

        def ticked() -> None:
            lane.tick()
            lane.quiet(tip_at)

        await hosted.run(ticked)
