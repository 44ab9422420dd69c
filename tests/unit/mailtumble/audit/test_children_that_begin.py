"""After a split, a child shard has some minutes to begin before it counts as stalled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mailtumble.audit.reading import BEGIN_US, WATCH_S
from mailtumble.ports.store import Update
from schemas.values import SECOND_US

if TYPE_CHECKING:
    from mailtumble.ports.store import Value
    from tests.unit.mailtumble.audit.conftest import Verify
    from tests.unit.mailtumble.cli.small_world import SmallWorld


def split(world: SmallWorld) -> str:
    """Split a shard, and put records on its children, which nobody reads; the parent's id."""
    world.asleep = True
    parent, _ = world.events.shards()
    world.events.split(parent.id)
    children = [each.id for each in world.events.shards() if parent.id in each.parents]
    number = 30
    while not any(world.events.records(each) for each in children):
        world.arrive(number)
        number += 1
    world.work()
    return parent.id


def close(world: SmallWorld, parent: str, **told: Value) -> None:
    """Let core and the sender have closed the parent."""
    for name in ("core#g1", "sender#0"):
        changes = {"closed": True, **told}
        world.items.write(Update("cursors", {"cursor": f"{name}#{parent}"}, set=changes))


def test_a_child_has_time_to_begin(world: SmallWorld, verify: Verify) -> None:
    """However long ago the last record of its parent arrived."""
    parent = split(world)
    world.clock.advance(3_600)
    close(world, parent, closed_at=world.clock.now())
    assert verify().ok
    world.clock.advance(BEGIN_US / SECOND_US - 1)
    assert verify().ok
    world.clock.advance(1)
    verdict = verify()
    assert {each.application for each in verdict.reading if each.stalled} == {"core", "sender"}


def test_without_the_time_of_closing_the_last_record_counts(
    world: SmallWorld, verify: Verify
) -> None:
    """A worker of an older release has closed the parent."""
    parent = split(world)
    close(world, parent)
    assert verify().ok
    world.clock.advance(BEGIN_US / SECOND_US)
    assert not verify().ok


@pytest.mark.parametrize("after_s", [2, WATCH_S // 2])
def test_a_parent_that_is_closed_while_it_is_watched_starts_the_time(
    world: SmallWorld, verify: Verify, monkeypatch: pytest.MonkeyPatch, after_s: int
) -> None:
    """The child was waiting for its parent at the first look."""
    parent, begun_at = split(world), world.clock.now()
    right = world.clock.sleep

    def sleep(seconds: float) -> None:
        right(seconds)
        if world.clock.now() >= begun_at + after_s * SECOND_US:
            close(world, parent, closed_at=world.clock.now())

    monkeypatch.setattr(world.clock, "sleep", sleep)
    assert verify().ok
