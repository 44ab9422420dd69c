"""A world in which something of everything has happened, and its verification."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mailtumble.audit.sender import Limits
from mailtumble.audit.verification import DEFAULT, Verdict, Verification
from mailtumble.ports.store import ItemStore
from mailtumble.ports.stream import OutgoingRecord
from mailtumble.worker.application import Fact
from mailtumble.worker.records import outgoing
from schemas import codec
from schemas.events import CommandGiven, SendScheduled
from schemas.ids import FLEET_SUBJECT, mail_subject
from schemas.values import Command
from tests.samples import bounced
from tests.unit.mailtumble.cli.small_world import NEWS, SmallWorld

Verify = Callable[..., Verdict]

GARBAGE = OutgoingRecord(mail_subject("unreadable"), b"\xc1 garbage")


@pytest.fixture
def world() -> SmallWorld:
    """A world in which something of everything has happened."""
    return eventful()


def eventful() -> SmallWorld:
    """Mails that are completed, bounced, held, unroutable and open; a paused tenant; garbage."""
    made = SmallWorld()
    made.asleep = True
    made.receive(1)
    returned = made.receive(2)
    made.receive(3, sender=NEWS)
    made.receive(4, recipient="nobody@nowhere.example")
    made.send()
    made.append(returned, bounced(attempts(made, returned)[0]))
    pause = CommandGiven(command_id="c1", command=Command.PAUSE, by="op", why="quiet", detail="x")
    told = Fact("c1", FLEET_SUBJECT, "c1", "operator", (pause,))
    made.events.append([outgoing(told, made.clock.now()), GARBAGE])
    made.work()
    made.receive(5)
    return made


@pytest.fixture
def verify(world: SmallWorld) -> Verify:
    """Verifies the world, or what a store pretends."""

    def run(store: ItemStore | None = None, limits: Limits = DEFAULT) -> Verdict:
        generation = world.settings.generation
        tables = store or world.store()
        return Verification(world.stream(), tables, generation, world.clock, limits=limits).run()

    return run


def attempts(world: SmallWorld, mail: str) -> list[str]:
    """The attempts that were scheduled for a mail, in order."""
    mine = [each for each in world.events.records() if each.subject == mail_subject(mail)]
    return [
        event.attempt_id
        for record in mine
        for event in codec.decode(record.data).events
        if isinstance(event, SendScheduled)
    ]
