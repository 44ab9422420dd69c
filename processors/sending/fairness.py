"""Whose turn is it? Tenants take turns by weight; within a tenant, what is due first goes first.

Start-time fair queueing (Goyal, Vin and Cheng, 1996) with mails of equal cost: each tenant's
next mail has a start tag, the lowest tag goes. A tenant that was idle starts at the present
virtual time, so that idleness earns no credit. What is urgent goes before all that is not, and
tenants take turns at it too.

To be chosen costs nothing: a turn is charged when its mail leaves. Else a tenant would pay for mail
that a slow domain does not take, or that found no instant.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field

from processors.sending.lanes import Lane


@dataclass(slots=True)
class Turns:
    """The virtual clock. Mutable, and belongs to one sender's shard."""

    weights: Mapping[str, float] = field(default_factory=dict)
    virtual: float = 0.0
    tags: MutableMapping[str, float] = field(default_factory=dict)

    def next(self, tenants: Iterable[str]) -> str | None:
        """The tenant, among those that have something due, whose turn it is."""
        return min(tenants, key=lambda each: (self.start(each), each), default=None)

    def charge(self, tenant: str) -> None:
        """Take a turn off a tenant."""
        start = self.start(tenant)
        self.virtual = start
        self.tags[tenant] = start + 1.0 / self.weights.get(tenant, 1.0)

    def draft(self) -> Turns:
        """The same turns: what is charged there is not charged here."""
        return Turns(self.weights, self.virtual, ChainMap({}, self.tags))

    def start(self, tenant: str) -> float:
        """The start tag of the tenant's next mail."""
        return max(self.tags.get(tenant, 0.0), self.virtual)


class Choice:
    """Which lane the next mail comes from. Mutable, and belongs to one sender's shard."""

    def __init__(self, weights: Mapping[str, float], urgent_tenants: frozenset[str]) -> None:
        """``weights``: of tenants, 1 where not told; all mail of ``urgent_tenants`` is urgent."""
        self._weights = weights
        self._urgent_tenants = urgent_tenants
        self._turns = {urgent: Turns(weights) for urgent in (True, False)}

    def is_urgent(self, lane: Lane) -> bool:
        """Whether its mail goes before that of others."""
        return lane.urgent or lane.tenant in self._urgent_tenants

    def next(self, due: Mapping[Lane, str]) -> Lane | None:
        """The lane whose turn it is, of those with something due.

        ``due``: lane -> what its earliest mail sorts by.
        """
        urgent = [lane for lane in due if self.is_urgent(lane)]
        turns = self._turns[bool(urgent)]
        among: dict[str, list[Lane]] = {}
        for lane in urgent or due:
            among.setdefault(lane.tenant, []).append(lane)
        tenant = turns.next(among)
        return None if tenant is None else min(among[tenant], key=lambda lane: due[lane])

    def charge(self, lane: Lane) -> None:
        """A mail of this lane leaves: its tenant has had its turn."""
        self._turns[self.is_urgent(lane)].charge(lane.tenant)

    def draft(self) -> Choice:
        """The same choice, to be tried: what is charged there is not charged here."""
        other = Choice(self._weights, self._urgent_tenants)
        other._turns = {urgent: turns.draft() for urgent, turns in self._turns.items()}
        return other
