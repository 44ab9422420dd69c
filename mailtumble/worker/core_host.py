"""Core in the embedded host."""

from __future__ import annotations

from typing import Any

from mailtumble.worker.assembly import Plan, Ports, core_lane
from mailtumble.worker.core import NAME
from mailtumble.worker.host import EmbeddedHost


def core_host(ports: Ports, plan: Plan, **options: Any) -> EmbeddedHost:  # noqa: ANN401 - passed on
    """Hosts ``core`` over all shards; ``options`` as for :class:`EmbeddedHost`."""
    return EmbeddedHost(
        NAME,
        ports,
        plan,
        lambda shard, stopping: core_lane(shard, ports, plan, stopping),
        generation=plan.generation,
        **options,
    )
