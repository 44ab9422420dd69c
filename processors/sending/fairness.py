"""Whose turn is it? Tenants take turns by weight; within a tenant, what is due first goes first.

Start-time fair queueing (Goyal, Vin and Cheng, 1996) with mails of equal cost: each tenant's
next mail has a start tag, the lowest tag goes. A tenant that was idle starts at the present
virtual time, so that idleness earns no credit. What is urgent goes before all that is not, and
tenants take turns at it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from processors.sending.lanes import Lane


@dataclass(slots=True)
class Turns:
    """The virtual clock. Mutable, and belongs to one sender's shard."""

    weights: Mapping[str, float] = field(default_factory=dict)
    virtual: float = 0.0
    tags: dict[str, float] = field(default_factory=dict)

    def next(self, tenants: Iterable[str]) -> str | None:
        """The tenant, among those that have something due, whose turn it is; and take the turn."""
        chosen = min(tenants, key=lambda each: (self.start(each), each), default=None)
        if chosen is None:
            return None
        start = self.start(chosen)
        self.virtual = start
        self.tags[chosen] = start + 1.0 / self.weights.get(chosen, 1.0)
        return chosen

    def start(self, tenant: str) -> float:
        """The start tag of the tenant's next mail."""
        return max(self.tags.get(tenant, 0.0), self.virtual)


class Choice:
    """Which lane the next mail comes from. Mutable, and belongs to one sender's shard."""

    def __init__(self, weights: Mapping[str, float], urgent_tenants: frozenset[str]) -> None:
        """``weights``: of tenants, 1 where not told; all mail of ``urgent_tenants`` is urgent."""
        self._urgent_tenants = urgent_tenants
        self._turns = {urgent: Turns(weights) for urgent in (True, False)}

    def is_urgent(self, lane: Lane) -> bool:
        """Whether its mail goes before that of others."""
        return lane.urgent or lane.tenant in self._urgent_tenants

    def next(self, due: Mapping[Lane, str]) -> Lane | None:
        """The lane whose turn it is, of those with something due; and take the turn.

        ``due``: lane -> what its earliest mail sorts by.
        """
        urgent = [lane for lane in due if self.is_urgent(lane)]
        turns = self._turns[bool(urgent)]
        among: dict[str, list[Lane]] = {}
        for lane in urgent or due:
            among.setdefault(lane.tenant, []).append(lane)
        tenant = turns.next(among)
        return None if tenant is None else min(among[tenant], key=lambda lane: due[lane])
