"""Whose turn is it? Tenants take turns by weight; within a tenant, what is due first goes first.

Start-time fair queueing (Goyal, Vin and Cheng, 1996) with mails of equal cost: each tenant's
next mail has a start tag, the lowest tag goes. A tenant that was idle starts at the present
virtual time, so that idleness earns no credit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


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
