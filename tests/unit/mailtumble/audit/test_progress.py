"""How far each application has read, by its cursors."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mailtumble.archive.shard import ArchiveShard
from mailtumble.audit.progress import APPLICATIONS, Progress, ShardState, progress
from mailtumble.ports.store import Update
from mailtumble.worker.shard import Surroundings

if TYPE_CHECKING:
    from tests.unit.mailtumble.cli.small_world import SmallWorld


def look(world: SmallWorld) -> dict[str, Progress]:
    """Every application's progress, by its name."""
    found = progress(world.items, world.events.shards(), "g1")
    assert tuple(each.application for each in found) == APPLICATIONS
    return {each.application: each for each in found}


def test_core_and_sender_have_read_every_record(world: SmallWorld) -> None:
    """The positions are the shards' last records, and the archive was never started."""
    found = look(world)
    for name in ("core", "sender"):
        assert found[name].is_running
        for each in found[name].shards:
            last = world.events.records(each.shard.id)[-1]
            assert (each.state, each.position) == (ShardState.READING, last.sequence_number)
            assert each.arrived_at == last.arrived_at
    assert not found["archive"].is_running
    assert {each.state for each in found["archive"].shards} == {ShardState.NOT_BEGUN}


def test_another_generation_of_core_is_not_running(world: SmallWorld) -> None:
    """Core counts per generation; the sender has one generation forever."""
    core, sender, _ = progress(world.items, world.events.shards(), "g2")
    assert not core.is_running
    assert sender.is_running
    assert (core.generation, sender.generation) == ("g2", "0")


def test_children_wait_for_their_parents(world: SmallWorld) -> None:
    """A child without a cursor may begin only when all its parents are closed."""
    first, second = world.events.shards()
    world.events.split(first.id)
    children = [each.id for each in world.events.shards() if first.id in each.parents]
    core = look(world)["core"]
    assert {core.of(each).state for each in children} == {ShardState.WAITING}  # type: ignore[union-attr]
    world.items.write(Update("cursors", {"cursor": f"core#g1#{first.id}"}, set={"closed": True}))
    core = look(world)["core"]
    assert {core.of(each).state for each in children} == {ShardState.NOT_BEGUN}  # type: ignore[union-attr]
    assert core.of(first.id).state is ShardState.CLOSED  # type: ignore[union-attr]
    assert core.of(second.id).state is ShardState.READING  # type: ignore[union-attr]
    assert core.of("shard-that-is-not-listed") is None


def test_the_archive_says_until_when_it_has_read(world: SmallWorld) -> None:
    """As core and sender do, when it commits a segment."""
    (shard, _) = world.events.shards()
    around = Surroundings(world.events, world.items, world.kept, "archive", world.clock)
    lane = ArchiveShard(shard, around, 0)
    lane.take_over()
    records = world.events.records(shard.id)
    lane.process(records)
    lane.tick()
    found = look(world)["archive"].of(shard.id)
    assert found is not None
    assert found == replace(
        found, position=records[-1].sequence_number, arrived_at=records[-1].arrived_at
    )
