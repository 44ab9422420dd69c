"""What goes on beside the mail: clocks are set, old data goes, what was quarantined is redriven."""

from __future__ import annotations

from functools import partial
from operator import methodcaller
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from click.testing import CliRunner

from mailtumble.archive import shard as archive
from mailtumble.cli import quarantine, state
from mailtumble.sender import application as sender
from mailtumble.sender import claims, instants
from mailtumble.worker import core
from schemas.values import SECOND_US, Command

if TYPE_CHECKING:
    from mailtumble.ports.store import ItemStore
    from tests.fakes.stream import InMemoryStream
    from tests.simulation.world import World

EVERY_S: Final = 5.0
CLOCKS_SET_SHARE: Final = 0.35
RETENTION_SHARE: Final = 0.4
RETENTION_US: Final = 15 * SECOND_US
"""A day at least in Kinesis; here so short that records go while their mail is under way."""
REDRIVEN_SHARE: Final = 0.7
DROPPED_SHARE: Final = 0.5
"""DynamoDB drops an item some time after its expiry: at each look, about so many of them go."""

KEPT: Final = {
    "slices": (instants.KEPT_US, 10 * SECOND_US),
    "claims": (claims.KEPT_US, 40 * SECOND_US),
}
"""Per table, how long the product keeps an item, and how long it is kept here."""


def plan_upkeep(world: World) -> None:
    """Draw when clocks are set and records redriven; old data goes all the time."""
    draw = world.draw
    for kind in ("intake", core.NAME, sender.NAME, archive.NAME):
        if draw.random() < CLOCKS_SET_SHARE:
            by_us = int(draw.choice((0.3, 3, 30)) * SECOND_US * draw.choice((-1, 1)))
            act = methodcaller("set_clock", kind, by_us)
            world.after(draw.random() * 40, lambda act=act: act(world.supervisor))
    forgets = world.generation_change_s is None and draw.random() < RETENTION_SHARE
    world.scheduler.at(world.began_at, partial(_go_on, world, forgets=forgets))
    if (world.poison.planned or world.harmed) and draw.random() < REDRIVEN_SHARE:
        for at_s in (20 + draw.random() * 20, 50 + draw.random() * 10):
            world.after(at_s, partial(_redrive, world, corrected=draw.random() < 0.6))


def _go_on(world: World, *, forgets: bool) -> None:
    while True:
        world.clock.sleep(EVERY_S)
        _expire(world)
        if forgets:
            _forget(world)


def _expire(world: World) -> None:
    """Drop what is past its time to live."""
    for table, (kept_us, here_us) in KEPT.items():
        by_s = (world.clock.now() + kept_us - here_us) // SECOND_US
        gone = world.store.expire(table, by_s, lambda: world.draw.random() < DROPPED_SHARE)
        world.faults.noted[f"{table} dropped by their time to live"] += gone


def _forget(world: World) -> None:
    """Let old records fall out of the stream, but none that somebody has yet to read."""
    oldest = world.clock.now() - RETENTION_US
    for shard in world.stream.shards():
        read = [str(world.cursor(each, shard.id).get("sequence") or "") for each in world.cursors()]
        records = world.stream.records(shard.id)
        old = [
            each.sequence_number
            for each in records
            if each.arrived_at < oldest and each.sequence_number <= min(read)
        ]
        if old:
            world.stream.trim(shard.id, old[-1])
            world.faults.noted["record past its retention"] += len(old)
        elif shard.closed and not records and world.is_closed(shard.id):
            world.stream.unlist(shard.id)
            world.faults.note("shard forgotten")


def _redrive(world: World, *, corrected: bool) -> None:
    """Redrive everything by the product's own command, the cause corrected or not."""
    world.poison.corrected = world.poison.corrected or corrected
    for mail in world.harmed:
        # To redrive is a person's wish, as to retry: what is sent again by it has to be announced.
        world.ordered.setdefault(mail, set()).add(Command.RETRY)
    with (
        patch.object(state, "wiring", lambda _: _Wired(world)),
        patch.object(quarantine, "owner_name", lambda: "somebody"),
    ):
        CliRunner().invoke(quarantine.command, ["redrive", "--all"], catch_exceptions=False)


class _Wired:
    """What the command takes of :class:`mailtumble.wiring.Wiring`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.settings: Any = world
        self.clock = world.clock

    def store(self) -> ItemStore:
        return self._world.store

    def stream(self) -> InMemoryStream:
        return self._world.stream

    def objects(self) -> Any:  # noqa: ANN401 - the fake
        return self._world.objects

    def queue(self) -> Any:  # noqa: ANN401 - the fake
        return self._world.queue
