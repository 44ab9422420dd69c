"""Who of the mails that wait leaves before whom, and how many leave until one of them does."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mailtumble.sender.entry import Entry
from mailtumble.worker.assembly import Plan
from processors.sending.estimate import Backlog, side_by_side
from processors.sending.fairness import Choice
from schemas.ids import bucket


@dataclass(frozen=True, slots=True)
class Group:
    """What one tenant has waiting: urgent mail by itself. What is held is not due."""

    tenant: str
    urgent: bool
    waiting: int
    due: int
    held: int

    def __add__(self, other: Group) -> Group:
        """What waits on two shards."""
        counts = (self.waiting + other.waiting, self.due + other.due, self.held + other.held)
        return Group(self.tenant, self.urgent, *counts)


Groups = Mapping[tuple[str, bool], Group]
"""By tenant, and by whether it is urgent."""


@dataclass(frozen=True, slots=True)
class _Line:
    """What waits on one shard.

    ``places``: due time and attempt of all that is not held, in the order of the turns.
    """

    groups: Groups
    places: Mapping[tuple[str, bool], Sequence[tuple[int, str]]]
    backlog: Backlog

    @property
    def due(self) -> int:
        """How many leave as fast as the shard's pace lets them."""
        return sum(each.due for each in self.groups.values())

    def before(self, group: Group, place: int) -> float:
        """How many leave here until the ``place``-th of a group has left, it among them."""
        return self.backlog.before(group.tenant, place, urgent=group.urgent)


class Turns:
    """Who of some entries leaves before whom, on shards side by side. What is held has no turn."""

    def __init__(
        self,
        entries: Sequence[Entry],
        held: Callable[[Entry], bool],
        now: int,
        plan: Plan,
        shard_of: Mapping[str, str],
    ) -> None:
        """Sort them by shard and tenant, and by due time within; ``shard_of``: by bucket."""
        self._choice = Choice(plan.weights, plan.urgent_tenants)
        self._shard_of = shard_of
        found: dict[str, dict[tuple[str, bool], list[Entry]]] = {}
        for entry in entries:
            mine = found.setdefault(self._shard(entry), {})
            mine.setdefault(self._key(entry), []).append(entry)
        self._lines: Mapping[str, _Line] = {
            shard: _line(mine, held, now, plan.weights) for shard, mine in found.items()
        }
        groups: dict[tuple[str, bool], Group] = {}
        for line in self._lines.values():
            for key, group in line.groups.items():
                groups[key] = groups[key] + group if key in groups else group
        self.groups: Groups = dict(sorted(groups.items()))

    def until(self, entry: Entry) -> float:
        """How many mails of the whole fleet leave until this one has left, it among them."""
        line = self._lines[self._shard(entry)]
        key = self._key(entry)
        place = bisect_right(line.places[key], (entry.due_at, entry.attempt_id))
        return self._of_fleet(line, line.before(line.groups[key], place))

    def until_last(self, tenant: str, *, urgent: bool) -> float:
        """The same for the last of a tenant's mails that are due; 0: none is."""
        lasts = [
            self._of_fleet(line, line.before(group, group.due))
            for line in self._lines.values()
            if (group := line.groups.get((tenant, urgent))) and group.due
        ]
        return max(lasts, default=0.0)

    def is_urgent(self, entry: Entry) -> bool:
        """Whether it goes before others."""
        return self._choice.is_urgent(entry.lane)

    def _of_fleet(self, line: _Line, mails: float) -> float:
        return side_by_side(mails, (each.due for each in self._lines.values() if each is not line))

    def _key(self, entry: Entry) -> tuple[str, bool]:
        return entry.tenant, self.is_urgent(entry)

    def _shard(self, entry: Entry) -> str:
        return self._shard_of.get(bucket(entry.subject), "")


def _line(
    entries: Mapping[tuple[str, bool], Sequence[Entry]],
    held: Callable[[Entry], bool],
    now: int,
    weights: Mapping[str, float],
) -> _Line:
    groups, places = {}, {}
    for key, mine in entries.items():
        alive = [each for each in mine if not each.is_over(now)]
        places[key] = sorted((each.due_at, each.attempt_id) for each in alive if not held(each))
        due = sum(1 for due_at, _ in places[key] if due_at <= now)
        groups[key] = Group(*key, len(mine), due, len(alive) - len(places[key]))
    due_by_tenant: dict[bool, dict[str, int]] = {True: {}, False: {}}
    for group in groups.values():
        due_by_tenant[group.urgent][group.tenant] = group.due
    return _Line(groups, places, Backlog(due_by_tenant[True], due_by_tenant[False], weights))
