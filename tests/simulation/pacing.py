"""A fleet of senders in virtual time: the real reservation and clocks against the real limiters.

Only what surrounds them is drawn, by seed: latencies, jitter, clocks, what preparing a call takes.
A virtual minute takes about a second.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from mailtumble.local.ses.limiters import LIMITERS, Limiter
from mailtumble.sender.instants import Instants
from mailtumble.sender.transmission import LATE_US
from processors.sending.clocks import ClockOffset, heard
from processors.sending.control import Control, steered
from processors.sending.pacing import Appetite, target_rate_milli
from schemas.values import SECOND_US
from tests.fakes import InMemoryItems

MS: Final = 1000
START: Final = 1_790_000_000 * SECOND_US
PACE_US: Final = 200 * MS
ASKED_EVERY_US: Final = 2 * SECOND_US
"""The product's default."""
HEARD_US: Final = SECOND_US // 2
"""So often each sender reads what the fleet knows."""
IN_HAND_MAX: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a run is about. ``skew_us``: how far senders' clocks are off, at the most.

    In the middle the rate is ``changed_to`` another (0: it stays), of which the fleet hears when it
    asks the next time, and so many senders are ``killed``.
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
    seed: int = 0


@dataclass(slots=True)
class Result:
    """``used``: share of the quota, in the seconds after the first."""

    accepted: int = 0
    refused_at: list[int] = field(default_factory=list)
    missed: int = 0
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
        self.rate_milli = target_rate_milli(scene.rate, scene.fraction)
        self.control = Control()
        self._changed = False
        self.result = Result()
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def known_rate(self) -> int:
        """What a slice is begun with."""
        return steered(self.rate_milli, self.control, self.now)

    def change(self) -> None:
        """SES allows more, or less; the fleet asks for its quota all the time."""
        self.limiter.change_rate(self.now, self.scene.changed_to)
        self._changed = True
        self._ask_within(ASKED_EVERY_US)

    def refuse(self, called_at: int) -> None:
        """SES has refused a call. The fleet is told; after a cut, it asks for its quota at once."""
        self.result.refused_at.append(self.now)
        cut = self.control.refused(called_at, self.now)
        if cut is not None:
            self.control = cut
            if self._changed:
                self._ask_within(SECOND_US)

    def _ask_within(self, longest_us: int) -> None:
        draw = random.Random(f"{self.scene.seed}-{self.now}")  # noqa: S311 - to repeat

        def heard_of() -> None:
            self.rate_milli = target_rate_milli(self.scene.changed_to, self.scene.fraction)

        self.at(self.now + draw.randint(0, longest_us) + draw.randint(0, HEARD_US), heard_of)

    def at(self, when: int, what: Callable[[], None]) -> None:
        """Do something at a time, or now where that is past."""
        heapq.heappush(self._heap, (max(when, self.now), next(self._order), what))

    def run(self, until: int) -> None:
        """Let time pass."""
        while self._heap and self._heap[0][0] <= until:
            self.now, _, what = heapq.heappop(self._heap)
            what()


class Sender:
    """One process."""

    def __init__(self, world: World, number: int) -> None:
        """It learns the time for two seconds before it begins."""
        scene = world.scene
        self.world = world
        self.draw = random.Random(f"{scene.seed}-{number}")  # noqa: S311 - to repeat
        self.skew = self.draw.randint(-scene.skew_us, scene.skew_us)
        self.uplink = self.draw.randint(3 * MS, 15 * MS)
        self.instants = Instants(world.store, "account", world.known_rate)
        self.appetite = Appetite()
        self.offset: ClockOffset | None = None
        self.in_hand = 0
        self.dead = False
        for _ in range(200):  # what a sender asks of AWS before it begins: its shards, its queue
            sent = world.now + self.draw.randint(0, 2 * SECOND_US)
            world.at(sent, self.ask)
        world.at(world.now + 2 * SECOND_US + self.draw.randint(0, PACE_US), self.pace)

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

    def pace(self) -> None:
        """As the sender's timer does: take instants, prepare, call at each."""
        world = self.world
        if self.dead:
            return
        world.at(world.now + PACE_US + self.jitter(), self.pace)
        for _ in range(3):
            world.at(world.now + self.draw.randint(0, PACE_US), self.ask)
        now = self.known()
        wanted = min(self.appetite.wanted(now), IN_HAND_MAX - self.in_hand)
        if wanted <= 0:
            return
        taken = self.instants.take(wanted, now)
        self.appetite = self.appetite.after(wanted, taken, now, IN_HAND_MAX)
        self.in_hand += len(taken)
        ready = world.now + self.draw.randint(15 * MS, 60 * MS)
        for instant in taken:
            world.at(world.now + self.draw.randint(0, 60 * MS), self.ask)  # for the mail's bytes
            at = instant - self.known() + world.now
            world.at(max(at, ready) + self.draw.randint(0, 3 * MS), lambda i=instant: self.call(i))

    def call(self, instant: int) -> None:
        """The instant has come."""
        if self.dead:
            return
        if self.known() > instant + LATE_US or not self.instants.holds(instant):
            self.world.result.missed += 1
            self.in_hand -= 1
            return
        arrival = self.world.now + self.uplink + self.jitter()
        self.world.at(arrival, lambda: self.arrive(instant))

    def arrive(self, instant: int) -> None:
        """The call is at SES."""
        world, result = self.world, self.world.result
        if world.limiter.admit(world.now, 1):
            result.accepted += 1
            result.calls.append(world.now)
        else:
            world.refuse(instant)
        world.at(world.now + self.draw.randint(30 * MS, 60 * MS), self.done)

    def done(self) -> None:
        """Its reply is here."""
        self.in_hand -= 1


def run(scene: Scene) -> Result:
    """Play a scene."""
    world = World(scene)
    senders = [Sender(world, number) for number in range(scene.senders)]
    middle = START + (5 + scene.seconds // 2) * SECOND_US

    def kill() -> None:
        for sender in senders[: scene.killed]:
            sender.dead = True

    world.at(middle, kill)
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
