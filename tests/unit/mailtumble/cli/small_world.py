"""A world of fakes with core and sender at work, in the shape of the wiring that commands get."""

from __future__ import annotations

import random
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from mailtumble.settings import Settings
from mailtumble.worker.application import Fact
from mailtumble.worker.assembly import Plan, Ports, SenderParts, core_lane
from mailtumble.worker.core import CoreRules
from mailtumble.worker.records import outgoing
from mailtumble.worker.sender_host import PACE_S
from processors.mail import Rules
from processors.moderation.rules import Rule
from schemas import codec
from schemas.ids import mail_id, mail_subject
from schemas.values import ModerationAction
from tests.fakes import (
    InMemoryAliases,
    InMemoryItems,
    InMemoryObjects,
    InMemoryProvider,
    InMemoryQueue,
    InMemoryStream,
    VirtualClock,
)
from tests.samples import accepted, failed, received
from tests.unit.mailtumble.local.ses.fake_aws import InMemoryS3, InMemorySns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailtumble.sender.transmission import Job
    from mailtumble.worker.assembly import Lane
    from schemas.events import Event

HOUSE = "info@house.example"
TARGETS = ("ann@far.example", "bob@far.example")
NEWS = "letter@news.example"
"""A sender whose mail is held, by the rule newsletter."""
BANNED = "offer@spam.example"
"""A sender whose mail is refused, by the rule banned."""
RULES = (
    Rule(
        name="newsletter",
        action=ModerationAction.HOLD,
        reason="read it first",
        senders=("*@news.example",),
    ),
    Rule(
        name="banned",
        action=ModerationAction.REJECT,
        reason="nobody wants it",
        senders=("*@spam.example",),
    ),
)


class SmallWorld:
    """Stands in for :class:`mailtumble.wiring.Wiring`.

    Its workers run when told to, and while a command sleeps, unless ``asleep``.
    """

    def __init__(self, *, shards: int = 2, rate: float = 14.0) -> None:
        """One alias with two targets, and no mail yet; SES allows ``rate`` a second."""
        self.settings = Settings(region="local")
        self.clock = VirtualClock(wait=self._wait)
        self.asleep = False
        self.bucket = "mail"
        self.archive_bucket = "archive"
        self.clients = SimpleNamespace(s3=InMemoryS3(), sns=InMemorySns())
        self.events = InMemoryStream(self.clock, shards=shards)
        self.items = InMemoryItems()
        self.kept = InMemoryObjects()
        self.repository = InMemoryAliases()
        self.dead_letters = InMemoryQueue(self.clock)
        self.intake = InMemoryQueue(self.clock)
        self.provider = InMemoryProvider(self.clock, max_send_rate=rate, max_24h=50_000)
        self.repository.put(HOUSE, TARGETS, "house")
        ports = Ports(
            clock=self.clock,
            stream=self.events,
            store=self.items,
            objects=self.kept,
            queue=self.intake,
            aliases=self.repository,
            transport=self.provider,
            account=self.provider,
        )
        rules = CoreRules(mail=Rules(moderation=RULES))
        plan = self._plan = Plan(owner="sender-1", bucket=self.bucket, rules=rules)
        self._parts = SenderParts(ports, plan, lambda: False)
        cores = [core_lane(shard, ports, plan, lambda: False) for shard in self.events.shards()]
        self._senders = [self._parts.lane(shard) for shard in self.events.shards()]
        self.cores: list[tuple[str, Lane]] = [(lane.shard.id, lane) for lane in cores]
        self._lanes: list[tuple[str, Lane]] = [
            *self.cores,
            *((lane.processor.shard.id, lane) for lane in self._senders),
        ]
        for _, lane in self._lanes:
            lane.take_over()

    def stream(self) -> InMemoryStream:
        """As the wiring has it."""
        return self.events

    def store(self) -> InMemoryItems:
        """As the wiring has it."""
        return self.items

    def objects(self) -> InMemoryObjects:
        """As the wiring has it."""
        return self.kept

    def plan(self) -> Plan:
        """As the wiring has it."""
        return self._plan

    def change_plan(self, **changes: Any) -> None:  # noqa: ANN401 - its fields
        """Let commands find other settings."""
        self._plan = replace(self._plan, **changes)

    def aliases(self) -> InMemoryAliases:
        """As the wiring has it."""
        return self.repository

    def queue(self, name: str = "intake") -> InMemoryQueue:
        """As the wiring has it."""
        return {"intake": self.intake, "intake-dead-letters": self.dead_letters}[name]

    def receive(
        self, number: int = 1, recipient: str = HOUSE, sender: str = "ann@example.net"
    ) -> str:
        """A mail arrives, and a second passes; its id."""
        name = self.arrive(number, recipient, sender, told_after_s=0.5)
        self.work()
        self.clock.advance(0.5)
        return name

    def arrive(
        self,
        number: int,
        recipient: str = HOUSE,
        sender: str = "ann@example.net",
        *,
        told_after_s: float = 0.0,
    ) -> str:
        """A mail arrives, and nobody has read of it; its id."""
        ses_id, now = f"ses-in-{number}", self.clock.now()
        name = mail_id(ses_id, recipient)
        changes: dict[str, Any] = {
            "ses_message_id": ses_id,
            "recipient": recipient,
            "envelope_sender": sender,
            "object_key": f"inbound/{ses_id}",
            "received_at": now,
            "subject_line": f"mail {number}",
        }
        self.clock.advance(told_after_s)
        self.append(name, received(**changes), cause=ses_id)
        return name

    def append(self, mail: str, event: Event, *, cause: str = "outside") -> None:
        """A fact about a mail; the same one has the same id."""
        fact = Fact(
            f"{cause}-{type(event).__name__}", mail_subject(mail), cause, "intake", (event,)
        )
        self.events.append([outgoing(fact, self.clock.now())])

    def work(self, lanes: Sequence[tuple[str, Lane]] = ()) -> None:
        """Let core and sender, or some of their ``lanes``, read until nothing comes any more."""
        before = -1
        while len(self.events.records()) != before:
            before = len(self.events.records())
            for shard_id, lane in lanes or self._lanes:
                lane.process(self.events.records(shard_id))

    def tick(self) -> None:
        """Let the workers append what is due by now, and read it."""
        for _, lane in self._lanes:
            lane.tick()
        self.work()

    def learn_quota(self) -> None:
        """Let the sender ask for its quota."""
        self._parts.quota.poll(self.items.get("fleet", {"name": "quota"}))

    def poll(self) -> None:
        """Let the sender learn what is paused, too."""
        self._parts.poll()

    def claim(self) -> list[Job]:
        """Let the sender claim what is due and announce the calls."""
        self.learn_quota()
        jobs = [job for lane in self._senders for job in lane.pace()]
        self.work()
        return jobs

    def pace(self, draw: random.Random) -> list[Job]:
        """Let the sender claim on each shard, as its host does, as much as is wise.

        Whose turn it is first, chance decides, and a moment passes after each. Nothing is read
        meanwhile.
        """
        self.learn_quota()
        jobs: list[Job] = []
        for lane in draw.sample(self._senders, len(self._senders)):
            wanted = lane.appetite.wanted(self.clock.now())
            jobs += lane.pace(wanted) if wanted else []
            self.clock.advance(PACE_S / len(self._senders))
        return jobs

    def send(self) -> None:
        """Claim what is due, and let SES accept it all a second later."""
        jobs = self.claim()
        self.clock.advance(1)
        for job in jobs:
            entry = job.entry
            outcome = accepted(entry.attempt_id, entry.target, called_at=self.clock.now())
            self.append(entry.mail_id, outcome, cause=entry.attempt_id)
        self.work()

    def refuse(self, mail: str) -> None:
        """Claim what is due of a mail, and let SES refuse it for good, for each target."""
        for job in self.claim():
            entry = job.entry
            self.append(mail, failed(entry.attempt_id, entry.target), cause=entry.attempt_id)
        self.work()

    def status(self, mail: str) -> str:
        """Where a mail stands, by the view."""
        (item,) = [each for each in self.items.scan("mails") if each["mail_id"] == mail]
        return str(item["status"])

    def told(self) -> list[Event]:
        """Every event on the log, void ones included, in the order of the shards."""
        records = [codec.decode(record.data) for record in self.events.records()]
        return [event for record in records for event in record.events]

    def _wait(self, until: int) -> None:
        """A command sleeps."""
        self.clock.move_to(until)
        if not self.asleep:
            self.work()
