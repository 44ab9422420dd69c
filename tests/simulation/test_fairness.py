"""A campaign of 40,000 mails drains, and a single mail of somebody else does not feel it.

Four shards of one fleet in virtual time: the product's queue, turns, instants and appetite over
tables in memory; claims and calls are left out, each mail leaves at its instant.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from mailtumble.ports.store import Put
from mailtumble.ports.stream import Shard
from mailtumble.sender.instants import Instants
from mailtumble.sender.queue import Entry, Queue
from mailtumble.sender.shard import TAKE_MAX
from mailtumble.worker.sender_host import CALLS_MAX, PACE_S
from mailtumble.worker.writes import Writes
from processors.sending.estimate import Backlog
from processors.sending.pacing import Appetite
from schemas.ids import HASH_KEY_SPACE, hash_key
from schemas.values import SECOND_US
from tests.fakes import InMemoryItems, VirtualClock
from tests.unit.mailtumble.sender.conftest import entry

CAMPAIGN = 40_000
OTHERS = 100
RATE_MILLI = 76_160
SECONDS = 60
SOON_US = 5 * SECOND_US


@dataclass
class Lane:
    """What one sender does on one shard."""

    queue: Queue
    instants: Instants
    clock: VirtualClock
    appetite: Appetite = field(default_factory=Appetite)
    in_hand: list[int] = field(default_factory=list)

    def pace(self) -> list[tuple[Entry, int]]:
        """Mails that leave, and when."""
        now = self.clock.now()
        self.in_hand = [at for at in self.in_hand if at > now]
        room = min(CALLS_MAX - len(self.in_hand), self.appetite.wanted(now))
        due = self.queue.take(now, room) if room > 0 else []
        if not due:
            return []
        instants = self.instants.take(len(due), now)
        self.appetite = self.appetite.after(len(due), instants, now, TAKE_MAX)
        left = list(zip(due, instants, strict=False))
        for each, at in left:
            self.queue.discard(each.key["position"])
            self.in_hand.append(at)
        return left

    def arrives(self, new: Entry) -> None:
        """A mail is scheduled, and is in the window at once."""
        writes = Writes()
        writes.add("1", [new.put()])
        (portion,) = writes.portions()
        self.queue.committed(portion.writes)


def _fleet(clock: VirtualClock) -> list[Lane]:
    store, width = InMemoryItems(), HASH_KEY_SPACE // 4
    campaign: list[Put] = [
        entry(f"big-{n}", subject=f"mail:big-{n}", tenant="campaign", due_at=clock.now() - 1).put()
        for n in range(CAMPAIGN)
    ]
    store.write_all(campaign)
    lanes = []
    for number in range(4):
        shard = Shard(f"s{number}", number * width, (number + 1) * width - 1)
        queue = Queue(store, shard)
        queue.load()
        lanes.append(Lane(queue, Instants(store, "local", lambda: RATE_MILLI), clock))
    return lanes


def test_others_leave_within_seconds_during_a_campaign() -> None:
    """99 of 100 within 5 s of their arrival; and the campaign has all the rest of the quota."""
    clock, draw = VirtualClock(), random.Random(5)  # noqa: S311 - to be repeated
    lanes = _fleet(clock)
    begins_at = clock.now()
    arrivals = sorted(begins_at + draw.randrange(SECONDS * SECOND_US) for _ in range(OTHERS))
    arrived: dict[str, int] = {}
    left: dict[str, int] = {}
    while clock.now() < begins_at + (SECONDS + 10) * SECOND_US:
        while arrivals and arrivals[0] <= clock.now():
            name = f"other-{len(arrived)}"
            arrived[name] = arrivals.pop(0)
            subject = f"mail:{name}"
            new = entry(name, subject=subject, tenant=name, due_at=arrived[name])
            lanes[hash_key(subject) * 4 // HASH_KEY_SPACE].arrives(new)
        for lane in draw.sample(lanes, len(lanes)):
            left.update((each.attempt_id, at) for each, at in lane.pace())
        clock.advance(PACE_S / len(lanes))
    waits = sorted(left[name] - at for name, at in arrived.items())
    assert len(waits) == OTHERS
    assert waits[OTHERS * 99 // 100 - 1] <= SOON_US
    assert len(left) >= 0.95 * SECONDS * RATE_MILLI / 1000


def test_the_estimate_of_a_draining_queue_is_right() -> None:
    """The median error over mails all along the first minute is below 10 %."""
    clock, draw = VirtualClock(), random.Random(7)  # noqa: S311 - to be repeated
    lanes = _fleet(clock)
    begins_at = clock.now()
    left: dict[str, int] = {}
    while clock.now() < begins_at + SECONDS * SECOND_US:
        for lane in draw.sample(lanes, len(lanes)):
            left.update((each.attempt_id, at) for each, at in lane.pace())
        clock.advance(PACE_S / len(lanes))
    backlog = Backlog({}, {"campaign": CAMPAIGN})
    order = sorted(f"big-{n}" for n in range(CAMPAIGN))
    places = {name: place for place, name in enumerate(order, 1)}
    errors = []
    for name, at in left.items():
        told_us = backlog.before("campaign", places[name], urgent=False) * 1000 / RATE_MILLI * 1e6
        if at - begins_at > SECOND_US:
            errors.append(abs(told_us - (at - begins_at)) / (at - begins_at))
    errors.sort()
    assert len(errors) > 1000
    assert errors[len(errors) // 2] < 0.1
