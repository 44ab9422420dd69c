"""A shard that waits for an upgrade is not stalled, until it has waited for too long."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from mailtumble.audit.reading import UPGRADE_SLACK_US
from mailtumble.audit.sender import Limits
from mailtumble.cli.verify_text import plain, wrong_with
from mailtumble.worker.upgrades import UPGRADE_WAIT_US, AwaitsUpgrade
from mailtumble.worker.views import iso
from schemas.events import MailReceived, Versions
from schemas.ids import mail_id, mail_subject
from schemas.values import MINUTE_US, SECOND_US
from tests.newer import AHEAD, newer
from tests.samples import fact, received
from tests.unit.mailtumble.cli.small_world import HOUSE

if TYPE_CHECKING:
    from tests.unit.mailtumble.audit.conftest import Verify
    from tests.unit.mailtumble.cli.small_world import SmallWorld


def meet_a_newer_record(world: SmallWorld) -> None:
    """Append a record of a newer release, and let core and sender read up to it."""
    world.asleep = True
    name = mail_id("ses-in-8", HOUSE)
    world.events.append([newer(fact(received(), name="newer", subject=mail_subject(name)))])
    for shard_id, lane in world._lanes:
        with suppress(AwaitsUpgrade):
            lane.process(world.events.records(shard_id))


def test_a_shard_that_waits_for_an_upgrade_is_not_stalled(
    world: SmallWorld, verify: Verify
) -> None:
    """The verdict names the events that the upgrade must read, and since when the shard waits."""
    meet_a_newer_record(world)
    since = world.clock.now()
    verdict = verify()
    assert verdict.ok
    assert wrong_with(verdict, ()) == []
    event = f"MailReceived version {Versions.current[MailReceived] + AHEAD}"
    core, sender, _ = verdict.reading
    for reading in (core, sender):
        (shard,) = reading.awaiting
        assert (shard.awaited, shard.at.awaited_since) == (event, since)
    shards = plain(verdict, (), ok=True)["reading"][0]["shards"]
    assert [each["awaits_upgrade"] for each in shards if each["awaits_upgrade"]] == [
        {"events": event, "since": iso(since)}
    ]


def test_a_shard_that_waits_for_too_long_is_stalled(world: SmallWorld, verify: Verify) -> None:
    """The worker should have quarantined the record and continued."""
    meet_a_newer_record(world)
    world.clock.advance((UPGRADE_WAIT_US + UPGRADE_SLACK_US - 2 * MINUTE_US) / SECOND_US)
    assert verify().ok
    world.clock.advance(2 * MINUTE_US / SECOND_US)
    verdict = verify()
    assert {each.application for each in verdict.reading if each.stalled} == {"core", "sender"}
    assert all(not each.awaiting for each in verdict.reading)


def test_the_wait_of_the_settings_counts(world: SmallWorld, verify: Verify) -> None:
    """``upgrade_wait_s`` may be shorter or longer."""
    meet_a_newer_record(world)
    world.clock.advance((MINUTE_US + UPGRADE_SLACK_US) / SECOND_US)
    assert not verify(limits=Limits(upgrade_wait_us=MINUTE_US)).ok
    assert verify().ok
