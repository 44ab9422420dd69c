"""Four shards of one fleet in virtual time: the product's queue, turns, instants and appetite."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Final

from mailtumble.outlook import Outlook
from mailtumble.ports.store import Put
from mailtumble.ports.stream import Shard
from mailtumble.sender.entry import Entry
from mailtumble.sender.instants import Instants
from mailtumble.sender.queue import Queue
from mailtumble.sender.quota import ANSWERED
from mailtumble.sender.quota import ITEM as QUOTA
from mailtumble.sender.shard import TAKE_MAX
from mailtumble.worker.assembly import Plan
from mailtumble.worker.sender_host import CALLS_MAX, PACE_S
from mailtumble.worker.writes import Writes
from processors.sending.day import UNLIMITED
from processors.sending.pacing import Appetite
from schemas.ids import HASH_KEY_SPACE, hash_key
from schemas.values import SECOND_US
from tests.fakes import InMemoryItems, VirtualClock
from tests.unit.mailtumble.sender.conftest import entry

CAMPAIGN: Final = 40_000
OTHERS: Final = 100
MAX_MILLI: Final = 80_000
RATE_MILLI: Final = 76_160
SECONDS: Final = 60


@dataclass
class Lane:
    """What one sender does on one shard; claims and calls are left out."""

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
            self.queue.charge(each)
            self.queue.discard(each.key["position"])
            self.in_hand.append(at)
        return left

    def arrives(self, new: Entry) -> None:
        """A mail is scheduled, and is in the window at once."""
        writes = Writes()
        writes.add("1", [new.put()])
        (portion,) = writes.portions()
        self.queue.committed(portion.writes)


class Drain:
    """A campaign of 40,000 mails that drains from four shards, at the fleet's rate."""

    def __init__(self, seed: int) -> None:
        """All of it is due."""
        self.clock = VirtualClock()
        self.begins_at = self.clock.now()
        self.draw = random.Random(seed)  # noqa: S311 - to be repeated
        self.left: dict[str, int] = {}
        self.store = store = InMemoryItems()
        width = HASH_KEY_SPACE // 4
        campaign: list[Put] = [
            entry(
                f"big-{n}", subject=f"mail:big-{n}", tenant="campaign", due_at=self.begins_at - 1
            ).put()
            for n in range(CAMPAIGN)
        ]
        store.write_all(campaign)
        self.lanes = []
        self.shards = [Shard(f"s{n}", n * width, (n + 1) * width - 1) for n in range(4)]
        for shard in self.shards:
            queue = Queue(store, shard)
            queue.load()
            self.lanes.append(Lane(queue, Instants(store, "local", lambda: RATE_MILLI), self.clock))

    def arrives(self, name: str, at: int) -> None:
        """A mail of a tenant of its own."""
        subject = f"mail:{name}"
        new = entry(name, subject=subject, tenant=name, due_at=at)
        self.lanes[hash_key(subject) * 4 // HASH_KEY_SPACE].arrives(new)

    def pace(self) -> None:
        """All shards take their turns once."""
        for lane in self.draw.sample(self.lanes, len(self.lanes)):
            self.left.update((each.attempt_id, at) for each, at in lane.pace())
        self.clock.advance(PACE_S / len(self.lanes))


@dataclass(frozen=True)
class Others:
    """How long each single mail waited (microseconds, ascending); what of the rate was used."""

    waits: Sequence[int]
    used: float


def beside_a_campaign(seed: int) -> Others:
    """A hundred others send one mail each during a minute of the drain."""
    drain = Drain(seed)
    arrivals = sorted(
        drain.begins_at + drain.draw.randrange(SECONDS * SECOND_US) for _ in range(OTHERS)
    )
    arrived: dict[str, int] = {}
    while drain.clock.now() < drain.begins_at + (SECONDS + 10) * SECOND_US:
        while arrivals and arrivals[0] <= drain.clock.now():
            name = f"other-{len(arrived)}"
            arrived[name] = arrivals.pop(0)
            drain.arrives(name, arrived[name])
        drain.pace()
    waits = sorted(drain.left[name] - at for name, at in arrived.items())
    ends_at = drain.begins_at + SECONDS * SECOND_US
    sent = sum(at < ends_at for at in drain.left.values())
    return Others(waits, sent * 1000 / (SECONDS * RATE_MILLI))


def estimates(seed: int) -> Sequence[float]:
    """The errors (shares, ascending) of what is told of each mail that leaves in a minute."""
    drain = Drain(seed)
    told = _told(drain)
    while drain.clock.now() < drain.begins_at + SECONDS * SECOND_US:
        drain.pace()
    errors = []
    for name, at in drain.left.items():
        took_us = at - drain.begins_at
        if took_us > SECOND_US:
            errors.append(abs(told[name] - at) / took_us)
    return sorted(errors)


def _told(drain: Drain) -> Mapping[str, int]:
    """When each mail leaves, as ``mail show`` tells it at the drain's begin."""
    answered = dict(zip(ANSWERED, (MAX_MILLI, UNLIMITED, 0, True, drain.begins_at), strict=True))
    drain.store.write(Put("fleet", {**QUOTA, **answered}))
    plan = Plan(owner="sender", bucket="mail")
    wired: Any = SimpleNamespace(
        store=lambda: drain.store,
        plan=lambda: plan,
        clock=VirtualClock(drain.begins_at),
        stream=lambda: SimpleNamespace(shards=lambda: drain.shards),
    )
    outlook = Outlook(wired)
    return {each.attempt_id: outlook.leaves_at(each) or 0 for each in outlook.entries}
