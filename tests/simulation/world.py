"""One seed: a world of fakes, mails that arrive, faults that befall it, until it has settled."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from mailtumble.archive import shard as archive
from mailtumble.sender import application as sender
from mailtumble.worker import core
from mailtumble.worker.assembly import Plan
from mailtumble.worker.cursor import TRIES_MAX
from processors.mail import Rules
from processors.moderation.breaker import Breaker
from schemas.values import ENDED, SECOND_US, Command, UnknownPolicy
from tests.fakes.dynamodb import InMemoryDynamo
from tests.fakes.items import InMemoryItems
from tests.fakes.objects import InMemoryObjects
from tests.fakes.queues import InMemoryQueue
from tests.fakes.stream import InMemoryStream
from tests.simulation import generations, orders, plans, rare, upkeep
from tests.simulation.faults import FOCUSES, Faults
from tests.simulation.poison import Poison
from tests.simulation.scheduler import Scheduler
from tests.simulation.services import ChangingAliases, TellingProvider
from tests.simulation.supervisor import Supervisor
from tests.simulation.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailtumble.ports.store import Item
    from mailtumble.worker.shard import Tally
    from tests.simulation.plans import SentIn

FAULTY_US: Final = 45 * SECOND_US
LONGEST_US: Final = 900 * SECOND_US
QUIET_S: Final = 4

CURSORS: Final = (
    f"{sender.NAME}#{sender.GENERATION}",
    f"{archive.NAME}#{archive.GENERATION}",
)


class World:
    """Everything that one seed consists of."""

    def __init__(self, seed: int) -> None:
        """Draw the mails, the aliases and the faults."""
        self.draw = random.Random(seed)  # noqa: S311 - a simulation
        self.scheduler = Scheduler(self.draw)
        self.clock = self.scheduler.clock
        self.bucket = "mail"
        self.archive = "archive"
        self.generation = Plan(owner="", bucket="").generation
        self.building: str | None = None
        self.generation_change_s: float | None = None
        self.began_at = self.clock.now()
        self.calm_at = self.began_at + FAULTY_US
        self.stream = InMemoryStream(self.clock, shards=2)
        self.store = InMemoryItems()
        self.dynamo = InMemoryDynamo(self.store, self.clock)
        self.poison = Poison()
        self.witness = Witness(self.clock)
        self.witness.watch(self.store)
        self.objects = InMemoryObjects()
        self.queue = InMemoryQueue(self.clock, visibility_s=5)
        self.aliases = ChangingAliases(self.clock)
        self.provider = TellingProvider(self.clock, self.draw, self.queue_later)
        self.rules = Rules()
        self.ordered: dict[str, set[Command]] = {}
        self.commands: dict[str, orders.Given] = {}
        self.suppressed: set[str] = set()
        self.short_lived = self.draw.random() < 0.08
        if self.short_lived:
            self.rules = Rules(lifetime_us=25 * SECOND_US)
        elif self.draw.random() < 0.1:
            self.rules = Rules(on_unknown=UnknownPolicy.PARK)
        held = orders.moderation(self.draw, always=_reads_headers(seed))
        self.rules = replace(self.rules, moderation=held)
        # The default one would hold mail for days, once twenty have been answered by chance.
        breaker = orders.BREAKER if seed % 5 == 0 else Breaker(answered_min=1_000)
        self.rules = replace(self.rules, breaker=breaker)
        self.errors: list[str] = []
        self.tallies: list[Tally] = []
        self.sent_in: list[SentIn] = []
        self.garbage: set[bytes] = set()
        self.harmed: set[str] = set()
        self.rests = False
        self._on_the_way = 0
        self.faults = Faults(
            self.draw,
            self.scheduler,
            until=self.calm_at,
            common=0.01,
            focus=FOCUSES[seed % len(FOCUSES)],
            spared=self.on_last_try,
        )
        plans.plan_mails(self)
        plans.plan_trouble(self)
        orders.plan_orders(self)
        rare.plan_rare(self)
        generations.plan_generation(self)
        upkeep.plan_upkeep(self)
        self.supervisor = Supervisor(self)
        self.faults.freeze = self.supervisor.freeze

    def run(self) -> None:
        """Until everything has ended and been quiet for a while, or for a quarter of an hour."""
        quiet = 0

        def settled() -> bool:
            nonlocal quiet
            quiet = quiet + 1 if self._is_quiet() else 0
            self.rests = quiet > QUIET_S
            return self.rests

        self.scheduler.run(self.began_at + LONGEST_US, settled)
        self.scheduler.close()

    def on_last_try(self, kind: str) -> bool:
        """Whether such a worker is at a record that two have died at.

        A third death makes the record poison, by rule 5; that it came by chance nobody can know.
        Where it is to be so, the record is poison indeed.
        """
        return any(
            item.get("tries", 0) == TRIES_MAX
            for item in self.store.scan("cursors")
            if str(item["cursor"]).startswith(f"{kind.partition('@')[0]}#")
        )

    def stays_awake_until(self, when: int) -> None:
        """Do not come to rest before ``when``: somebody who is paused has yet to wake up."""
        self.calm_at = max(self.calm_at, when + 3 * SECOND_US)

    def disturb(self, act: Callable[[Supervisor], None], kind: str) -> None:
        """Do something to a worker, unless it would end the last try of a record."""
        if not self.on_last_try(kind):
            act(self.supervisor)

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Do something to the world so long after its beginning; it is not quiet before."""
        when = self.began_at + int(seconds * SECOND_US)
        self.calm_at = max(self.calm_at, when)
        self.scheduler.at(when, action)

    def queue_later(self, body: str) -> None:
        """Put a message of SES's onto the queue now or later, seldom twice."""
        for _ in range(1 + (self.draw.random() < 0.2)):
            # Where replies are lost, SES's own word of it comes after the wait for that.
            late_s = self.draw.choice((30, 60) if self.faults.loses else (0, 0, 2, 30))
            when = self.clock.now() + int(self.draw.random() * late_s * SECOND_US)
            self._on_the_way += 1
            self.scheduler.at(when, lambda: self._arrive(body))

    def statuses(self) -> dict[str, str]:
        """Each mail in the live view, and its status."""
        return {name: str(item["status"]) for name, item in self.views().items()}

    def views(self) -> dict[str, Any]:
        """The items of the live view ``mails``, by message."""
        return {
            str(item["mail_id"]): item
            for item in self.store.scan("mails")
            if str(item["mail_key"]).startswith(f"{self.generation}#")
        }

    def _arrive(self, body: str) -> None:
        self._on_the_way -= 1
        self.queue.send([body])

    def _is_quiet(self) -> bool:
        if self.clock.now() < self.calm_at or self._on_the_way or self.queue.bodies():
            return False
        statuses = self.statuses()
        if not all(statuses.get(mail.mail_id) in ENDED for mail in self.sent_in):
            return False
        return self.building is None and all(map(self.is_read, self.cursors()))

    def cursors(self) -> tuple[str, ...]:
        """What the keys of the cursors begin with that count, by application and generation."""
        return (f"{core.NAME}#{self.generation}", *CURSORS)

    def is_closed(self, shard_id: str) -> bool:
        """Whether everybody has read a shard to its end."""
        return all(self.cursor(each, shard_id).get("closed") for each in self.cursors())

    def cursor(self, cursors: str, shard_id: str) -> Item:
        """One cursor's item; an empty one where there is none."""
        return self.store.get("cursors", {"cursor": f"{cursors}#{shard_id}"}) or {}

    def is_read(self, cursors: str) -> bool:
        """Whether these cursors stand at the end of every shard."""
        for shard in self.stream.shards():
            item = self.cursor(cursors, shard.id)
            last = self.stream.last(shard.id)
            if last and item.get("sequence") != last:
                return False
            if shard.closed and not item.get("closed"):
                return False
        return True


def _reads_headers(seed: int) -> bool:
    """Whether a seed is about the faults of reading a header, which only a rule asks for."""
    return FOCUSES[seed % len(FOCUSES)][0] == "s3 head"
