"""In a rolling deployment, an old ``verify`` meets states that new workers have stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtumble.cli.verify_text import plain
from schemas.ids import FLEET_SUBJECT, mail_subject
from tests.newer_states import store_as_newer
from tests.unit.mailtumble.audit.faults import BOB, OPEN, items, remove

if TYPE_CHECKING:
    from tests.unit.mailtumble.audit.conftest import Verify
    from tests.unit.mailtumble.cli.small_world import SmallWorld


def test_a_newer_state_of_the_fleet_is_unchecked(world: SmallWorld, verify: Verify) -> None:
    """Whether the stream has all of its records is not known."""
    store_as_newer(world.items, "core#g1", FLEET_SUBJECT)
    verdict = verify()
    assert verdict.ok
    assert verdict.unreadable == {FLEET_SUBJECT}
    assert verdict.unchecked > 0
    assert plain(verdict, (), ok=True)["unreadable"] == [FLEET_SUBJECT]


def test_a_newer_state_of_the_sender_is_unchecked(world: SmallWorld, verify: Verify) -> None:
    """What seems to be wrong may be an effect of what only the newer release knows."""
    (entry,) = items(world, "queue", OPEN, address=BOB)
    remove(world, "queue", entry)
    assert not verify().ok
    store_as_newer(world.items, "sender#0", mail_subject(OPEN))
    verdict = verify()
    assert verdict.ok
    assert verdict.unreadable == {mail_subject(OPEN)}


def test_a_newer_state_of_forgotten_mail_is_unchecked(world: SmallWorld, verify: Verify) -> None:
    """Neither core's state nor the sender's can be read."""
    for owner in ("core#g1", "sender#0"):
        store_as_newer(world.items, owner, mail_subject(OPEN))
    for shard in world.events.shards():
        world.events.trim(shard.id, world.events.records(shard.id)[-1].sequence_number)
    verdict = verify()
    assert verdict.ok
    assert mail_subject(OPEN) in verdict.unreadable
