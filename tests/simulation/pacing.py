"""A fleet of senders in virtual time: its instants, clocks and control against the real limiters.

These are the product's own. Only what surrounds them is drawn, by seed: latencies, jitter, clocks,
what preparing a call takes. Each sender hears of a cut, and of a new quota, when it looks the next
time. A virtual minute takes about a second.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from mailtumble.local.ses.limiters import LIMITERS, Limiter
from mailtumble.ports.store import Item
from mailtumble.ports.world import Quota
from mailtumble.sender.claims import ClaimTimes
from mailtumble.sender.instants import Instants
from mailtumble.sender.quota import ITEM, QuotaWatch
from mailtumble.sender.transmission import LATE_US
from mailtumble.worker.sender_host import CALLS_MAX, FLEET_S, PACE_S
from processors.sending.clocks import ClockOffset, heard
from processors.sending.day import UNLIMITED
from processors.sending.pacing import Appetite
from schemas.values import SECOND_US
from tests.fakes import InMemoryItems

MS: Final = 1000
START: Final = 1_790_000_000 * SECOND_US
PACE_US: Final = round(PACE_S * SECOND_US)
FLEET_US: Final = round(FLEET_S * SECOND_US)
SEND_US: Final = ClaimTimes().send_us
AWAY_US: Final = 3 * SECOND_US
"""Until a sender that is restarted begins again to learn the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a run is about. ``skew_us``: how far senders' clocks are off, at the most.

    In the middle the rate is ``changed_to`` another (0: it stays), of which the fleet hears when it
    asks the next time, and so many senders are ``killed``, or ``restarted``: killed, and others
    take their places some seconds later. ``late``: the share of calls that a stall of the machine
    keeps back until their instants have passed.
    """

    limiter: str
    senders: int
    rate: float
    fraction: float = 0.952
    seconds: int = 60
    skew_us: int = 500 * MS
    estimates: bool = True
    changed_to: float = 0.0
    killed: int = 0
    restarted: int = 0
    late: float = 0.0
    seed: int = 0


@dataclass(slots=True)
class Result:
    """``used``: share of the quota, in the seconds after the first.

    ``missed``: instants that passed without a call; ``given_up``: rounds that found no other.
    """

    accepted: int = 0
    refused_at: list[int] = field(default_factory=list)
    missed: int = 0
    given_up: int = 0
    used: float = 0.0
    doubt_us: int = 0
    calls: list[int] = field(default_factory=list)

    @property
    def throttled(self) -> int:
        """How many calls were refused."""
        return len(self.refused_at)


class World:
    """Virtual time, AWS, and the limiter."""

    def __init__(self, scene: Scene) -> None:
        """Nothing is reserved, nobody has sent."""
        self.scene = scene
        self.now = START
        self.store = InMemoryItems()
        self.limiter: Limiter = LIMITERS[scene.limiter](scene.rate)
        self.rate = scene.rate
        self.result = Result()
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def quota(self) -> Quota:
        """What GetAccount answers."""
        return Quota(self.rate, UNLIMITED, 0, sending_enabled=True)

    def change(self) -> None:
        """SES allows more, or less, and GetAccount says so from now on."""
        self.rate = self.scene.changed_to
        self.limiter.change_rate(self.now, self.rate)

    def at(self, when: int, what: Callable[[], None]) -> None:
        """Do something at a time, or now where that is past."""
        heapq.heappush(self._heap, (max(when, self.now), next(self._order), what))

    def run(self, until: int) -> None:
        """Let time pass."""
        while self._heap and self._heap[0][0] <= until:
            self.now, _, what = heapq.heappop(self._heap)
            what()


@dataclass(frozen=True, slots=True)
class Clock:
    """AWS's time, as far as a sender knows it."""

    now: Callable[[], int]

    def sleep(self, seconds: float) -> None:
        """Nobody takes instants at the same time: there is nothing to wait for."""
        raise AssertionError(seconds)


class Sender:
    """One process."""

    def __init__(self, world: World, number: int) -> None:
        """It learns the time for two seconds before it begins."""
        scene = world.scene
        self.world = world
        self.draw = random.Random(f"{scene.seed}-{number}")  # noqa: S311 - to repeat
        self.skew = self.draw.randint(-scene.skew_us, scene.skew_us)
        self.uplink = self.draw.randint(3 * MS, 15 * MS)
        self.clock = Clock(self.known)
        self.quota = QuotaWatch(world.store, world, self.clock, fraction=scene.fraction)
        self.instants = Instants(world.store, "account", self.quota.rate_milli)
        self.appetite = Appetite()
        self.offset: ClockOffset | None = None
        self.in_hand = 0
        self.dead = False
        for _ in range(200):  # what a sender asks of AWS before it begins: its shards, its queue
            sent = world.now + self.draw.randint(0, 2 * SECOND_US)
            world.at(sent, self.ask)
        begins_at = world.now + 2 * SECOND_US
        world.at(begins_at - self.draw.randint(0, FLEET_US), self.look)
        world.at(begins_at + self.draw.randint(0, PACE_US), self.pace)

    def local(self, true: int) -> int:
        """This machine's clock."""
        return true + self.skew

    def known(self) -> int:
        """AWS's time, as far as this sender knows."""
        now = self.local(self.world.now)
        return now + (self.offset.correction if self.offset and self.world.scene.estimates else 0)

    def jitter(self) -> int:
        """Of a way through the network."""
        return min(round(self.draw.expovariate(1 / (3 * MS))), 15 * MS)

    def ask(self) -> None:
        """A call to DynamoDB or Kinesis; its reply has a Date."""
        sent = self.world.now
        answered = sent + self.draw.randint(1 * MS, 4 * MS) + self.jitter()
        received = answered + self.draw.randint(1 * MS, 4 * MS) + self.jitter()
        date = answered // SECOND_US * SECOND_US
        self.world.at(received, lambda: self.hear(date, sent, received))

    def hear(self, date: int, sent: int, received: int) -> None:
        """A reply has come."""
        self.offset = heard(self.offset, date, self.local(sent), self.local(received))

    def look(self) -> None:
        """As the sender's timer does: read what the fleet knows; ask SES, if it is time."""
        if self.dead:
            return
        world = self.world
        known = world.store.get("fleet", ITEM)
        world.at(world.now + self.draw.randint(1 * MS, 8 * MS), lambda: self.learn(known))
        world.at(world.now + FLEET_US + self.jitter(), self.look)

    def learn(self, known: Item | None) -> None:
        """What was read has come."""
        if not self.dead:
            self.quota.poll(known)

    def pace(self) -> None:
        """As the sender's timer does: take instants, prepare, call at each."""
        world = self.world
        if self.dead:
            return
        world.at(world.now + PACE_US + self.jitter(), self.pace)
        for _ in range(3):
            world.at(world.now + self.draw.randint(0, PACE_US), self.ask)
        now = self.known()
        wanted = min(self.appetite.wanted(now), CALLS_MAX - self.in_hand)
        if self.quota.known is None or wanted <= 0:
            return
        taken = self.instants.take(wanted, now)
        self.appetite = self.appetite.after(wanted, taken, now, CALLS_MAX)
        self.in_hand += len(taken)
        ready = world.now + self.draw.randint(15 * MS, 60 * MS)
        for instant in taken:
            world.at(world.now + self.draw.randint(0, 60 * MS), self.ask)  # for the mail's bytes
            self.call_at(instant, now + SEND_US, ready)

    def call_at(self, instant: int, send_before: int, ready: int) -> None:
        """Wait for the instant; ``ready``: true time before which the mail's bytes are not here."""
        world = self.world
        at = instant - self.known() + world.now
        at = max(at, ready) + self.draw.randint(0, 3 * MS)
        if self.draw.random() < world.scene.late:
            at += LATE_US + self.draw.randint(0, 200 * MS)
        world.at(at, lambda: self.call(instant, send_before))

    def call(self, instant: int, send_before: int) -> None:
        """The instant has come: call; where it is missed, or none any more, take another."""
        if self.dead:
            return
        now, world = self.known(), self.world
        if now > instant + LATE_US or not self.instants.holds(instant):
            world.result.missed += 1
            another = self.instants.another(self.clock, send_before)
            if another is None:
                world.result.given_up += 1
                self.in_hand -= 1
            else:
                self.call_at(another, send_before, world.now)
            return
        arrival = world.now + self.uplink + self.jitter()
        world.at(arrival, lambda: self.arrive(now))

    def arrive(self, called_at: int) -> None:
        """The call is at SES."""
        world, result = self.world, self.world.result
        admitted = world.limiter.admit(world.now, 1)
        if admitted:
            result.accepted += 1
            result.calls.append(world.now)
        else:
            result.refused_at.append(world.now)
        replied = world.now + self.draw.randint(30 * MS, 60 * MS)
        world.at(replied, lambda: self.done(called_at, admitted=admitted))

    def done(self, called_at: int, *, admitted: bool) -> None:
        """Its reply is here."""
        self.in_hand -= 1
        if not admitted and not self.dead:
            self.quota.refused(called_at)


def changes_at(scene: Scene) -> int:
    """The middle of what is measured (microseconds UTC), in which something changes."""
    return START + (5 + scene.seconds // 2) * SECOND_US


def run(scene: Scene) -> Result:
    """Play a scene."""
    world = World(scene)
    senders = [Sender(world, number) for number in range(scene.senders)]
    middle = changes_at(scene)

    def kill() -> None:
        for sender in senders[: scene.killed + scene.restarted]:
            sender.dead = True

    def start_again() -> None:
        senders.extend(Sender(world, scene.senders + each) for each in range(scene.restarted))

    world.at(middle, kill)
    world.at(middle + AWAY_US, start_again)
    if scene.changed_to:
        world.at(middle, world.change)
    world.run(START + (scene.seconds + 6) * SECOND_US)
    result = world.result
    begin = START + 5 * SECOND_US
    end = begin + scene.seconds * SECOND_US
    allowed = scene.rate * scene.seconds
    if scene.changed_to:
        allowed = (scene.rate + scene.changed_to) * scene.seconds / 2
    result.used = sum(begin <= at < end for at in result.calls) / allowed
    result.doubt_us = max(each.offset.doubt if each.offset else 0 for each in senders)
    return result
