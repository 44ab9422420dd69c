"""A tenant has a turn taken off for what leaves, and for nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from mailtumble.ports.stream import Shard
from mailtumble.sender.queue import Queue
from processors.sending.fairness import Choice
from processors.sending.lanes import Lane
from schemas.ids import HASH_KEY_SPACE
from tests.fakes import InMemoryItems
from tests.samples import after, fact, received, resolved, scheduled
from tests.unit.mailtumble.sender.conftest import Place, entry

WHOLE = Shard("shard-0", 0, HASH_KEY_SPACE - 1)


@dataclass
class Rooms:
    """Domains that take so many mails now; others have no limit."""

    rooms: dict[str, int] = field(default_factory=dict)

    def held_since(self, lane: Lane) -> int | None:  # noqa: ARG002
        """Nothing is held."""
        return None

    def is_limited(self, destination: str) -> bool:
        """Those with a room."""
        return destination in self.rooms

    def room(self, destination: str) -> int | None:
        """Of a domain."""
        return self.rooms.get(destination)


def _blocked(count: int) -> Rooms:
    return Rooms({f"slow{n}.example": 0 for n in range(count)})


def _queue(blocked: int, weights: Mapping[str, float]) -> Queue:
    """``a`` and ``b`` have much to send; of ``a`` there waits older mail to slow domains too."""
    store = InMemoryItems()
    slow = (
        entry(
            f"s{n}-{i}",
            subject=f"mail:s{n}-{i}",
            tenant="a",
            address=f"x@slow{n}.example",
            due_at=i,
        )
        for n in range(blocked)
        for i in range(5)
    )
    ordinary = (
        entry(f"{tenant}{n:03d}", subject=f"mail:{tenant}{n}", tenant=tenant)
        for tenant in "ab"
        for n in range(400)
    )
    store.write_all([each.put() for each in (*slow, *ordinary)])
    queue = Queue(store, WHOLE, Choice(weights, frozenset()))
    queue.load()
    for _ in range(10):
        queue.take(after(0), 0)
    return queue


def _leave(queue: Queue, gate: Rooms, paces: int = 50, limit: int = 8) -> Counter[str]:
    """How many of each tenant leave in so many paces."""
    left: Counter[str] = Counter()
    for _ in range(paces):
        for each in queue.take(after(0), limit, gate):
            queue.charge(each)
            queue.discard(each.key["position"])
            left[each.tenant] += 1
    return left


@pytest.mark.parametrize("blocked", [0, 1, 8, 30])
def test_slow_domains_cost_their_tenant_no_turn(blocked: int) -> None:
    """Its mail to eight domains that take none is older than all else, and is passed each time."""
    assert _leave(_queue(blocked, {}), _blocked(blocked)) == {"a": 200, "b": 200}


@pytest.mark.parametrize(("weights", "of_a"), [({"a": 3.0}, 150), ({"b": 3.0}, 50)])
def test_weights_hold_beside_slow_domains(weights: Mapping[str, float], of_a: int) -> None:
    """Three for one, whoever of the two has the mail that waits."""
    left = _leave(_queue(8, weights), _blocked(8), paces=25)
    assert left == {"a": of_a, "b": 200 - of_a}


def test_what_a_slow_domain_takes_is_part_of_the_tenants_turns() -> None:
    """One mail a pace goes to it: all in all each tenant has a half."""
    left = _leave(_queue(8, {}), Rooms({**_blocked(8).rooms, "slow3.example": 1}))
    assert left == {"a": 200, "b": 200}


def test_what_is_taken_and_does_not_leave_costs_nothing() -> None:
    """A pace that fails, or that finds no instants, comes again with the same mails."""
    queue = _queue(0, {})
    first = queue.take(after(0), 7)
    assert queue.take(after(0), 7) == first
    assert Counter(each.tenant for each in first) == {"a": 4, "b": 3}


def test_turns_are_charged_for_what_found_an_instant(place: Place) -> None:
    """Of eight that are taken three leave at a time: the tenants still have the same."""
    place.rate_milli = 3000
    place.tell(fact(received(), name="in"), fact(resolved(), name="route"))
    for number in range(120):
        tenant = "ab"[number % 2]
        one = scheduled(f"attempt-{number}", target=number, tenant=tenant)
        place.tell(fact(one, name=f"s{number}"))
    lane = place.lane()
    place.read(lane)
    left: Counter[str] = Counter()
    for _ in range(15):
        left.update(job.entry.tenant for job in lane.pace(8))
        place.clock.advance(1)
    assert abs(left["a"] - left["b"]) <= 1
    assert left.total() > 30
