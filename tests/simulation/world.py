"""One seed: a world of fakes, mails that arrive, faults that befall it, until it has settled."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from schemas.ids import mail_id
from schemas.values import SECOND_US
from tests.fakes.aliases import InMemoryAliases
from tests.fakes.items import InMemoryItems
from tests.fakes.objects import InMemoryObjects
from tests.fakes.provider import InMemoryProvider
from tests.fakes.queues import InMemoryQueue
from tests.fakes.stream import InMemoryStream
from tests.simulation.faults import SITES, Faults
from tests.simulation.fleet import Supervisor
from tests.simulation.scheduler import Scheduler

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailtumble.ports.world import AliasEntry, OutgoingMail
    from mailtumble.worker.shard import Tally

FAULTY_US = 45 * SECOND_US
LONGEST_US = 3_600 * SECOND_US


@dataclass(frozen=True)
class SentIn:
    """A mail that SES took in, and all target sets its alias ever had."""

    mail_id: str
    recipient: str
    routes: tuple[tuple[str, ...], ...]


class ChangingAliases(InMemoryAliases):
    """A repository that is out at times."""

    out: bool = False

    def find(self, names: Sequence[str]) -> Mapping[str, AliasEntry]:
        """Answer, or be unavailable."""
        if self.out:
            from schemas.errors import RetryableError  # noqa: PLC0415

            message = "the repository is out"
            raise RetryableError(message)
        return super().find(names)


class TellingProvider(InMemoryProvider):
    """Publishes SES's events for what it accepted, in any order, at any time, some of them twice."""

    world: World

    def send(self, mail: OutgoingMail) -> str:
        """Accept, and tell of it now or later."""
        message_id = super().send(mail)
        self.world.tell_feedback(mail, message_id)
        return message_id


class World:
    """Everything that one seed consists of."""

    def __init__(self, seed: int) -> None:
        """Draw the mails, the aliases and the faults."""
        self.draw = random.Random(seed)  # noqa: S311 - a simulation
        self.scheduler = Scheduler(self.draw)
        self.clock = self.scheduler.clock
        self.bucket = "mail"
        self.began_at = self.clock.now()
        self.stream = InMemoryStream(self.clock, shards=2)
        self.store = InMemoryItems()
        self.objects = InMemoryObjects()
        self.queue = InMemoryQueue(self.clock, visibility_s=5)
        self.aliases = ChangingAliases()
        self.provider = TellingProvider(self.clock, max_send_rate=14.0)
        self.provider.world = self
        self.errors: list[str] = []
        self.tallies: list[Tally] = []
        self.sent_in: list[SentIn] = []
        self.faults = Faults(
            self.draw,
            self.scheduler,
            until=self.began_at + FAULTY_US,
            common=0.004,
            focus=SITES[seed % len(SITES)],
        )
        self._plan_mails()
        self._plan_trouble()
        self.supervisor = Supervisor(self)

    def run(self) -> None:
        """Until everything has ended and been quiet for a while, or for an hour."""
        quiet = [0]

        def settled() -> bool:
            busy = self.clock.now() < self.began_at + FAULTY_US or not self._all_ended()
            quiet[0] = 0 if busy else quiet[0] + 1
            return quiet[0] > 20

        self.scheduler.run(self.began_at + LONGEST_US, settled)
        self.scheduler.close()

    def tell_feedback(self, mail: OutgoingMail, message_id: str) -> None:
        """Put SES's events about a sent mail onto the queue, at times before the reply arrives."""
        kinds = ["Send"] if self.draw.random() < 0.5 else []
        kinds.append("Bounce" if "bounce" in mail.recipient else "Delivery")
        if "complain" in mail.recipient:
            kinds.append("Complaint")
        for kind in kinds:
            body = _feedback(kind, mail, message_id, self.clock.now())
            for _ in range(1 + (self.draw.random() < 0.2)):
                late = self.draw.choice((0, 0, 2, 30))
                when = self.clock.now() + int(self.draw.random() * late * SECOND_US)
                self.scheduler.at(when, lambda body=body: self.queue.send([body]))  # type: ignore[misc]

    def _plan_mails(self) -> None:
        draw = self.draw
        for number in range(draw.randint(2, 5)):
            alias = f"alias{number}@house.example"
            routes = []
            for version in range(draw.choice((1, 1, 2))):
                names = [f"t{number}.{version}.{n}" for n in range(draw.choice((1, 1, 2, 3)))]
                kind = draw.choice(("ok", "ok", "ok", "bounce", "complain"))
                routes.append(tuple(f"{kind}.{name}@far.example" for name in names))
            if draw.random() < 0.1:
                routes = []
            for index, route in enumerate(routes):
                when = self.began_at + int(index * draw.random() * 20 * SECOND_US)
                self.scheduler.at(
                    when,
                    lambda alias=alias, route=route: self.aliases.put(alias, route, alias),  # type: ignore[misc]
                )
            for _ in range(draw.choice((1, 1, 2))):
                self._plan_mail(alias, tuple(routes))

    def _plan_mail(self, alias: str, routes: tuple[tuple[str, ...], ...]) -> None:
        name = f"{self.draw.getrandbits(64):016x}"
        when = self.began_at + SECOND_US + int(self.draw.random() * 20 * SECOND_US)
        self.objects.put(self.bucket, f"inbound/{name}", b"From: a@b.example\r\n\r\nhello\r\n")
        self.sent_in.append(SentIn(mail_id(name, alias), alias, routes))
        body = _received(name, alias, self.bucket, when)
        for _ in range(1 + (self.draw.random() < 0.2)):
            self.scheduler.at(when, lambda: self.queue.send([body]))
            when += int(self.draw.random() * 5 * SECOND_US)

    def _plan_trouble(self) -> None:
        draw, begin = self.draw, self.began_at
        for kind in ("core", "sender"):
            for _ in range(draw.choice((0, 1, 1, 2))):
                when = begin + int((2 + draw.random() * 35) * SECOND_US)
                pause = int((1 + draw.random() * 40) * SECOND_US)
                self.scheduler.at(
                    when,
                    lambda kind=kind, pause=pause: self.supervisor.make_zombie(kind, pause),  # type: ignore[misc]
                )
        if draw.random() < 0.4:
            when = begin + int(draw.random() * 15 * SECOND_US)
            self.scheduler.at(when, lambda: setattr(self.aliases, "out", True))
            when += int((1 + draw.random() * 15) * SECOND_US)
            self.scheduler.at(when, lambda: setattr(self.aliases, "out", False))
        if draw.random() < 0.3:
            self.scheduler.at(begin + int((3 + draw.random() * 25) * SECOND_US), self._split)
        if draw.random() < 0.2:
            self.scheduler.at(begin + int((25 + draw.random() * 10) * SECOND_US), self._merge)
        for _ in range(draw.choice((0, 2, 5))):
            self.scheduler.at(begin + int((5 + draw.random() * 35) * SECOND_US), self._repeat)

    def _split(self) -> None:
        shard = self.draw.choice([each for each in self.stream.shards() if not each.closed])
        width = shard.last_hash_key - shard.first_hash_key
        self.stream.split(shard.id, shard.first_hash_key + int(width * self.draw.uniform(0.2, 0.8)))

    def _merge(self) -> None:
        openings = sorted(
            (each for each in self.stream.shards() if not each.closed),
            key=lambda each: each.first_hash_key,
        )
        self.stream.merge(openings[0].id, openings[1].id)

    def _repeat(self) -> None:
        records = self.stream.records()
        if records:
            self.stream.repeat(self.draw.choice(list(records)).sequence_number)

    def _all_ended(self) -> bool:
        ended = {"parked", "expired", "rejected", "unroutable", "bounced", "completed"}
        for mail in self.sent_in:
            item = self.store.get("mails", {"mail_key": f"g1#{mail.mail_id}"})
            if item is None or item["status"] not in ended:
                return False
        return True


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at / SECOND_US, UTC).isoformat(timespec="milliseconds")


def _received(name: str, alias: str, bucket: str, at: int) -> str:
    return json.dumps(
        {
            "notificationType": "Received",
            "mail": {
                "timestamp": _iso(at),
                "source": "somebody@elsewhere.example",
                "messageId": name,
                "commonHeaders": {"subject": "hello"},
            },
            "receipt": {
                "timestamp": _iso(at),
                "recipients": [alias],
                "action": {"type": "S3", "bucketName": bucket, "objectKey": f"inbound/{name}"},
            },
        }
    )


def _feedback(kind: str, mail: OutgoingMail, message_id: str, at: int) -> str:
    field = {"Send": "send", "Delivery": "delivery", "Bounce": "bounce", "Complaint": "complaint"}
    detail = {"timestamp": _iso(at), "bounceType": "Permanent", "feedbackId": f"{kind}-{message_id}"}
    return json.dumps(
        {
            "eventType": kind,
            "mail": {
                "timestamp": _iso(at),
                "messageId": message_id,
                "tags": {name: [value] for name, value in mail.tags.items()},
            },
            field[kind]: detail,
        }
    )
