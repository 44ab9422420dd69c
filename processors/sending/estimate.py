"""When a waiting mail is expected to leave, from what waits now. Pure.

Tenants take turns by weight (:mod:`processors.sending.fairness`). By the time that the n-th mail of
a tenant of weight w leaves, another one of weight v has sent n*v/w, or all it has. What will yet
come in is not known, and not counted: a newcomer makes all others wait. So it goes on one shard;
all shards that have something due go on at the same pace, side by side.

A domain with a limit of its own is a queue within the queue: its mails take the same turns among
themselves, at the domain's rate, and none leaves before its turn has come in both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from processors.sending.pacing import RATE_UNIT
from schemas.values import SECOND_US


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many mails are due, by tenant: urgent ones, which go first, and all others."""

    urgent: Mapping[str, int] = field(default_factory=dict)
    plain: Mapping[str, int] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)

    def before(self, tenant: str, place: int, *, urgent: bool) -> float:
        """How many mails leave, it among them, until a tenant's ``place``-th (from 1) has left."""
        mine = self.weights.get(tenant, 1.0)
        counts = self.urgent if urgent else self.plain
        others = sum(
            min(count, place * self.weights.get(name, 1.0) / mine)
            for name, count in counts.items()
            if name != tenant
        )
        return place + others + (0 if urgent else sum(self.urgent.values()))


def side_by_side(mails: float, others: Iterable[int]) -> float:
    """How many leave the whole fleet until so many have left one shard.

    Shards have one pace as long as something is due on each
    (:class:`processors.sending.pacing.Appetite`); ``others``: how much is, on each of the others.
    """
    return mails + sum(min(mails, due) for due in others)


def leaves_at(mails: float, rate_milli: int, due_at: int, now: int) -> int | None:
    """When the last of so many mails leaves, at a rate (thousandths a second); None: no rate.

    One that is due later leaves no earlier than that. Microseconds UTC.
    """
    if rate_milli <= 0:
        return None
    return max(due_at, now + int(mails * RATE_UNIT * SECOND_US / rate_milli))


def latest(*moments: int | None) -> int | None:
    """When the last of several conditions holds; None where of one that can't be said."""
    known = [at for at in moments if at is not None]
    return max(known) if len(known) == len(moments) else None
