"""Mail that is stuck is named, although the stream has dropped its first records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mailtumble.audit.comparison import Kind
from mailtumble.audit.overdue import GRACE_US
from schemas.values import DAY_US, MINUTE_US, SECOND_US
from tests.unit.mailtumble.audit.faults import (
    BOB,
    DEADLINE_S,
    HELD,
    OPEN,
    claim_without_a_word,
    items,
    only_one,
    remove,
)

if TYPE_CHECKING:
    from tests.unit.mailtumble.audit.conftest import Verify
    from tests.unit.mailtumble.cli.small_world import SmallWorld


@pytest.fixture(autouse=True)
def forgotten(world: SmallWorld) -> None:
    """Let the stream drop everything but the last record of each shard."""
    forget(world)


def forget(world: SmallWorld) -> None:
    """Append a record about other mail to each shard, and drop all records before it."""
    number = 20
    shards = world.events.shards()
    ends = {each.id: len(world.events.records(each.id)) for each in shards}
    while any(len(world.events.records(each.id)) == ends[each.id] for each in shards):
        world.receive(number, recipient="nobody@nowhere.example")
        number += 1
    for each in shards:
        records = world.events.records(each.id)
        world.events.trim(each.id, records[ends[each.id]].sequence_number)


def test_a_vanished_queue_entry_is_named(world: SmallWorld, verify: Verify) -> None:
    """At once, and not only when its lifetime has ended."""
    assert verify().ok
    (entry,) = items(world, "queue", OPEN, address=BOB)
    remove(world, "queue", entry)
    found = only_one(verify(), OPEN)
    assert (found.kind, found.table) == (Kind.MISSING, "queue")
    assert found.expected == entry


def test_a_mail_that_stays_open_for_40_days_is_named(world: SmallWorld, verify: Verify) -> None:
    """Its queue entries are there or not: it should have expired after three days."""
    for entry in items(world, "queue", OPEN):
        remove(world, "queue", entry)
    world.clock.advance(40 * DAY_US / SECOND_US)
    verdict = verify()
    assert not verdict.ok
    mine = [each for each in verdict.overdue if OPEN in each.name]
    assert [each.name for each in mine] == [f"mail {OPEN} (target 0)", f"mail {OPEN} (target 1)"]
    assert {each.what for each in mine} == {"it has to be sent, or to expire"}


def test_a_mail_has_its_grace_after_its_lifetime(world: SmallWorld, verify: Verify) -> None:
    """Nobody paces the sender; nothing is said before the lifetime and the grace are over."""
    (entry,) = items(world, "queue", OPEN, address=BOB)
    over_at = int(str(entry["expires_at"])) + GRACE_US
    world.clock.advance((over_at - world.clock.now()) / SECOND_US)
    assert not [each for each in verify().overdue if OPEN in each.name]
    world.clock.advance(MINUTE_US / SECOND_US)
    assert [each for each in verify().overdue if OPEN in each.name]


def test_a_claim_that_has_its_deadline_is_no_fault(world: SmallWorld, verify: Verify) -> None:
    """The entry is gone because the attempt is claimed; without its timer it would stay so."""
    claim_without_a_word(world)
    assert not items(world, "queue", OPEN, address=BOB)
    assert verify().ok
    (timer,) = items(world, "timers", OPEN, kind="claim")
    remove(world, "timers", timer)
    found = only_one(verify(), OPEN)
    assert (found.kind, found.table) == (Kind.MISSING, "timers")


def test_a_claim_that_ends_is_no_fault(world: SmallWorld, verify: Verify) -> None:
    """The sender writes that nothing was called, and queues the attempt again."""
    claim_without_a_word(world)
    world.clock.advance(DEADLINE_S)
    world.tick()
    assert verify().ok


def test_a_held_mail_past_the_moderators_time_is_named(world: SmallWorld, verify: Verify) -> None:
    """Even if its timer has vanished."""
    (timer,) = items(world, "timers", HELD)
    world.clock.advance(8 * DAY_US / SECOND_US)
    remove(world, "timers", timer)
    mine = [each for each in verify().overdue if HELD in each.name]
    assert [each.name for each in mine] == [f"mail {HELD}"]
    assert "a moderator has to decide" in mine[0].what
