"""The archive, as a host drives it."""

from __future__ import annotations

from dataclasses import replace

from mailtumble.archive.shard import NAME, ArchiveShard
from mailtumble.ports.stream import Shard
from mailtumble.worker.assembly import Lane, surroundings
from mailtumble.worker.lane_host import Work


class ArchiveWork(Work):
    """Lanes of ``archive``; nothing goes on beside them."""

    name = NAME

    def lane(self, shard: Shard) -> Lane:
        """``archive`` on one shard."""
        plan = self.host.plan
        around = surroundings(self.host.ports, plan, self.host.stopping)
        return ArchiveShard(
            shard, replace(around, bucket=plan.archive_bucket), plan.archive_every_us
        )
