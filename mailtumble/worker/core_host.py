"""Core, as a host drives it."""

from __future__ import annotations

from mailtumble.ports.stream import Shard
from mailtumble.worker.assembly import core_lane
from mailtumble.worker.core import NAME
from mailtumble.worker.lane_host import Work
from mailtumble.worker.shard import ShardProcessor


class CoreWork(Work):
    """Lanes of ``core``; nothing goes on beside them."""

    name = NAME

    def lane(self, shard: Shard) -> ShardProcessor:
        """``core`` on one shard."""
        return core_lane(shard, self.host.ports, self.host.plan, self.host.stopping)
