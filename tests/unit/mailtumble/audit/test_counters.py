"""Counters are deleted after some days: a verification does not miss them then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailtumble import throughput
from mailtumble.audit.comparison import Kind
from mailtumble.ports.store import Delete
from processors.throughput.projection import Grain

if TYPE_CHECKING:
    from tests.unit.mailtumble.audit.conftest import Verify
    from tests.unit.mailtumble.cli.small_world import SmallWorld

HOUR_S: Final = 60 * 60
DAY_S: Final = 24 * HOUR_S
MISSING: Final = {(Kind.MISSING, "throughput")}


def lose(world: SmallWorld, grain: Grain) -> None:
    """Delete all counters of a grain."""
    for each in world.items.scan("throughput"):
        key = {"shard": str(each["shard"]), "minute": str(each["minute"])}
        if throughput.beginning(key["minute"])[0] is grain:
            world.items.write(Delete("throughput", key))


def test_counters_whose_time_is_over_may_be_gone(world: SmallWorld, verify: Verify) -> None:
    """DynamoDB deletes them some time after; until then minutes and hours have to be there."""
    world.clock.advance(2 * DAY_S)
    lose(world, Grain.MINUTE)
    assert {(each.kind, each.table) for each in verify().differences} == MISSING
    world.clock.advance(DAY_S + HOUR_S)
    verdict = verify()
    assert verdict.differences == ()
    assert verdict.unchecked > 0
    lose(world, Grain.HOUR)
    assert {(each.kind, each.table) for each in verify().differences} == MISSING
    world.clock.advance(12 * DAY_S)
    assert verify().differences == ()
