"""Core, as a host drives it."""

from __future__ import annotations

from typing import Final, cast

from mailtumble.ports.stream import Shard
from mailtumble.worker.assembly import core_lane
from mailtumble.worker.core import NAME
from mailtumble.worker.lane_host import Hosted, Work
from mailtumble.worker.shard import ShardProcessor

TOLD_S: Final = 10.0


class CoreWork(Work):
    """Lanes of ``core``, and how far they are where nothing comes: its counters tell until then."""

    name = NAME

    def lane(self, shard: Shard) -> ShardProcessor:
        """``core`` on one shard."""
        return core_lane(shard, self.host.ports, self.host.plan, self.host.stopping)

    def add_timers(self) -> None:
        """Tell of quiet shards."""
        host = self.host
        tell = host.guarded("progress", lambda: host.each_lane("progress", self._tell))
        host.faust.timer(TOLD_S, tell)

    async def _tell(self, hosted: Hosted) -> None:
        tip_at = self.host.vitals.pulses[hosted.shard.id].tip_at
        await hosted.run(lambda: cast("ShardProcessor", hosted.lane).quiet(tip_at))
