"""What faults are made of, in a world in which something of everything has happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtumble.ports.store import Delete
from schemas.events import CommandGiven
from schemas.ids import mail_id, mail_subject
from schemas.values import Command
from tests.unit.mailtumble.cli.small_world import HOUSE

if TYPE_CHECKING:
    from mailtumble.audit.comparison import Difference, Kind
    from mailtumble.audit.verification import Verdict
    from mailtumble.ports.store import Item
    from mailtumble.sender.transmission import Job
    from tests.unit.mailtumble.cli.small_world import SmallWorld

HELD, OPEN = (mail_id(f"ses-in-{number}", HOUSE) for number in (3, 5))
DEADLINE_S = 20
"""Longer than a claim lasts."""
BOB = "bob@far.example"
"""The target that may be sent to: the world's other one is suppressed."""


def items(world: SmallWorld, table: str, mail: str, **having: str) -> list[Item]:
    """The items of a table that are about a mail."""
    return [
        each
        for each in world.items.scan(table)
        if each.get("subject") == mail_subject(mail)
        and all(each.get(name) == value for name, value in having.items())
    ]


def remove(world: SmallWorld, table: str, item: Item) -> None:
    """Let one item vanish."""
    names = ("attempt_id",) if table == "claims" else ("bucket", "position")
    world.items.write(Delete(table, {name: str(item[name]) for name in names}))


def named(verdict: Verdict) -> set[tuple[Kind, str]]:
    """Kind and table of all differences; there must be some."""
    assert not verdict.ok
    return {(each.kind, each.table) for each in verdict.differences}


def only_one(verdict: Verdict, mail: str) -> Difference:
    """The one difference, which names the mail."""
    (found,) = verdict.differences
    assert not verdict.ok
    assert mail in found.told()
    return found


def order(world: SmallWorld, mail: str, command: Command) -> None:
    """Give a command about a mail, and let it be carried out."""
    given = CommandGiven(command_id=f"c-{command}", command=command, by="op", why="", detail="")
    world.append(mail, given, cause=str(command))
    world.work()


def claimed(world: SmallWorld) -> Job:
    """Claim what is due, and announce the calls; the one of the open mail."""
    (job,) = (each for each in world.claim() if each.entry.mail_id == OPEN)
    assert job.entry.address == BOB
    return job


def claim_without_a_word(world: SmallWorld) -> None:
    """Claim what is due, and die before ``SendStarted`` is appended."""
    world.learn_quota()
    for lane in world._senders:
        now = world.clock.now()
        lane._claim([each for each in lane._queue.take(now, 10) if each.address == BOB], now)
