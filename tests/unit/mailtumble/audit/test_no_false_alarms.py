"""A system that works is never accused, whatever goes on while it is verified."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mailtumble.audit.verification import Verification
from mailtumble.worker.application import Fact
from mailtumble.worker.assembly import Ports, core_lane
from mailtumble.worker.records import outgoing
from schemas.events import CommandGiven
from schemas.ids import FLEET_SUBJECT, mail_id
from schemas.values import DAY_US, HOUR_US, SECOND_US, Command
from tests.fakes import InMemoryItems
from tests.samples import accepted, bounced, complained, unknown
from tests.unit.mailtumble.cli.small_world import HOUSE, NEWS, SmallWorld

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailtumble.audit.verification import Verdict
    from mailtumble.ports.store import Item, Page
    from mailtumble.sender.transmission import Job
    from tests.unit.mailtumble.audit.conftest import Verify

FIFTH = mail_id("ses-in-5", HOUSE)
STEPS_MAX = 120


class Living(InMemoryItems):
    """Tables of a system at work: before each read something happens in it, by chance."""

    def __init__(self, world: SmallWorld, seed: int) -> None:
        """Over the world's own tables."""
        super().__init__()
        self._tables = world.items._tables
        self._world = world
        self._draw = random.Random(seed)  # noqa: S311 - a simulation
        self._jobs: list[Job] = []
        self._steps = 0
        self._number = 100

    def scan(self, table: str) -> Sequence[Item]:
        """Go on, then tell."""
        self._go_on()
        return super().scan(table)

    def get(self, table: str, key: Any) -> Item | None:  # noqa: ANN401 - a key
        """Go on, then tell."""
        self._go_on()
        return super().get(table, key)

    def get_all(self, table: str, keys: Sequence[Any]) -> Sequence[Item | None]:
        """Go on, then tell."""
        self._go_on()
        return super().get_all(table, keys)

    def query(self, table: str, partition: str, **how: Any) -> Page:  # noqa: ANN401 - a query
        """Go on, then tell."""
        self._go_on()
        return super().query(table, partition, **how)

    def _go_on(self) -> None:
        self._steps += 1
        if self._steps <= STEPS_MAX:
            self._draw.choice((self._receive, self._claim, self._report, self._wait))()

    def _receive(self) -> None:
        self._number += 1
        self._world.receive(self._number, sender=self._draw.choice((NEWS, "ann@example.net")))

    def _claim(self) -> None:
        self._jobs += self._world.claim()

    def _report(self) -> None:
        for job in self._jobs:
            entry = job.entry
            if self._draw.random() < 0.3:
                # Nobody will ever say what became of it.
                continue
            happened = [accepted(entry.attempt_id, entry.target)]
            if self._draw.random() < 0.3:
                happened = [unknown(entry.attempt_id, entry.target)]
            if self._draw.random() < 0.3:
                happened.append(bounced(entry.attempt_id, entry.target))
            for event in happened:
                self._world.append(entry.mail_id, event, cause=entry.attempt_id)
        self._jobs = []
        self._world.work()

    def _wait(self) -> None:
        self._world.clock.advance(self._draw.choice((0.2, 5, 20)))
        self._world.tick()


@pytest.mark.parametrize("seed", range(12))
def test_a_system_under_load_is_not_accused(seed: int) -> None:
    """Mail comes in, is claimed, sent, lost, and returns between any two reads."""
    world = SmallWorld(rate=200)
    world.poll()
    for number in range(5):
        world.receive(number)
    living = Living(world, seed)
    verdict = Verification(world.stream(), living, "g1", world.clock).run()
    assert verdict.complaints() == []
    assert verdict.ok
    assert verdict.unchecked == 0
    assert living._steps > 20


def test_items_that_moved_were_looked_at_again() -> None:
    """Once the system rests, nothing is left out."""
    left_out = []
    for seed in range(4):
        world = SmallWorld(rate=200)
        world.receive(1)
        verdict = Verification(world.stream(), Living(world, seed), "g1", world.clock).run()
        left_out.append(verdict.moving)
    assert 0 in left_out


def test_a_paused_fleet_is_no_fault_and_its_mail_expires(world: SmallWorld, verify: Verify) -> None:
    """What waits past its lifetime ends, though nothing may be sent."""
    pause(world)
    assert world.claim() == []
    assert world.status(FIFTH) == "scheduled"
    assert verify().ok
    world.clock.advance(2 * DAY_US / SECOND_US)
    assert verify().ok
    world.clock.advance((DAY_US + HOUR_US) / SECOND_US)
    assert any(FIFTH in each.name for each in verify().overdue)
    assert world.claim() == []
    world.tick()
    assert world.status(FIFTH) == "expired"
    assert verify().ok


def test_mail_that_the_stream_has_forgotten_and_that_waits_is_no_fault(
    world: SmallWorld, verify: Verify
) -> None:
    """Its queue entries and timers are there. What they say is unchecked, and that is said."""
    for shard in world.events.shards():
        records = world.events.records(shard.id)
        world.events.trim(shard.id, records[-1].sequence_number)
    verdict = quiet(verify())
    assert {each["subject"] for each in world.items.scan("queue")} == {f"mail:{FIFTH}"}
    assert verdict.unchecked > 0


def test_new_mail_is_checked_though_the_beginning_is_forgotten(
    world: SmallWorld, verify: Verify
) -> None:
    """A removed entry of mail that came later is named."""
    for shard in world.events.shards():
        records = world.events.records(shard.id)
        world.events.trim(shard.id, records[-1].sequence_number)
    mail = world.receive(9)
    quiet(verify())
    (entry, *_) = (each for each in world.items.scan("queue") if each["mail_id"] == mail)
    world.items._tables["queue"].drop((str(entry["bucket"]), str(entry["position"])))
    (found,) = verify().differences
    assert (found.table, mail in found.key) == ("queue", True)


def test_the_sender_knows_more_than_a_generation_that_was_built_later(
    world: SmallWorld,
) -> None:
    """The stream had forgotten where mail began that still waits in the sender's queue."""
    for shard in world.events.shards():
        records = world.events.records(shard.id)
        world.events.trim(shard.id, records[-1].sequence_number)
    world.clock.advance(60)
    world.append(FIFTH, complained("unknown"))
    world.receive(9)
    ports = Ports(
        clock=world.clock,
        stream=world.events,
        store=world.items,
        objects=world.kept,
        queue=world.intake,
        aliases=world.repository,
        transport=world.provider,
        account=world.provider,
    )
    for shard in world.events.shards():
        lane = core_lane(shard, ports, replace(world.plan(), generation="g2"), lambda: False)
        lane.take_over()
        lane.process(world.events.records(shard.id))
    verdict = Verification(world.stream(), world.store(), "g2", world.clock).run()
    assert verdict.complaints() == []
    assert verdict.unchecked > 0


def pause(world: SmallWorld) -> None:
    """Pause the whole fleet, and let the sender hear of it."""
    given = CommandGiven(command_id="p1", command=Command.PAUSE, by="op", why="", detail="")
    told = Fact("p1", FLEET_SUBJECT, "p1", "operator", (given,))
    world.events.append([outgoing(told, world.clock.now())])
    world.work()
    world.poll()


def quiet(verdict: Verdict) -> Verdict:
    """A verdict in which nothing is wrong."""
    assert verdict.complaints() == []
    assert verdict.ok
    return verdict
