"""A worker says on the log what it was started with: once a day, and never in its own way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import pytest

from mailtumble.moderation_rules import DIGEST_LENGTH
from mailtumble.ports.stream import OutgoingRecord
from mailtumble.settings import Settings
from mailtumble.worker.starts import (
    AGAIN_S,
    SECRET,
    TRIES_MAX,
    announce,
    settings_digest,
    started,
)
from schemas.codec import decode
from schemas.errors import PermanentError, RetryableError
from schemas.events import WorkerStarted
from schemas.ids import FLEET_SUBJECT
from schemas.values import DAY_US
from tests.fakes import InMemoryStream, VirtualClock
from tests.unit.mailtumble.worker.conftest import Place

NOON = 20_000 * DAY_US + DAY_US // 2


def test_the_fact_says_release_settings_and_rules() -> None:
    """On the fleet's subject, by the application itself."""
    fact = started("core", Settings(), "ab12", NOON)
    (event,) = fact.events
    assert isinstance(event, WorkerStarted)
    assert (event.application, event.rules_digest) == ("core", "ab12")
    assert event.settings_digest == settings_digest(Settings())
    assert len(event.settings_digest) == DIGEST_LENGTH
    assert event.release
    assert (fact.subject, fact.decider) == (FLEET_SUBJECT, "core")


def test_starts_of_one_day_that_say_the_same_are_one_fact() -> None:
    """A worker that dies every second must not fill the fleet's item."""
    fact = started("core", Settings(), "", NOON)
    assert started("core", Settings(), "", NOON + DAY_US // 2 - 1).id == fact.id
    others = {
        started("core", Settings(), "", NOON + DAY_US // 2).id,
        started("sender", Settings(), "", NOON).id,
        started("core", Settings(), "rules", NOON).id,
        started("core", Settings(lifetime_h=1.0), "", NOON).id,
    }
    assert len(others) == 4
    assert fact.id not in others


@pytest.mark.parametrize("name", [each.name for each in fields(Settings)])
def test_every_setting_but_the_secret_ones_is_in_the_digest(name: str) -> None:
    """A setting that is added later is in it too."""
    settings = Settings()
    object.__setattr__(settings, name, "another value")
    assert (settings_digest(settings) == settings_digest(Settings())) is (name in SECRET)


@dataclass
class Failing:
    """A stream that takes nothing at first."""

    error: Exception
    fails: int
    waits: list[float] = field(default_factory=list)
    taken: list[OutgoingRecord] = field(default_factory=list)

    def append(self, records: Sequence[OutgoingRecord]) -> Sequence[str]:
        """Fail, or take them."""
        if self.fails:
            self.fails -= 1
            raise self.error
        self.taken.extend(records)
        return ["1"]


@pytest.mark.parametrize(
    ("error", "fails", "told", "waits"),
    [
        (RetryableError("not now"), 0, True, 0),
        (RetryableError("not now"), 3, True, 3),
        (RetryableError("not now"), TRIES_MAX, False, TRIES_MAX),
        (PermanentError("access denied"), 1, False, 0),
    ],
)
def test_an_outage_is_waited_out_and_the_worker_never_ends_for_it(
    error: Exception,
    fails: int,
    told: bool,  # noqa: FBT001 - drawn by name
    waits: int,
) -> None:
    """For some minutes; what can't be written at all is not tried again."""
    stream = Failing(error, fails)
    fact = started("core", Settings(), "", NOON)
    arguments = (fact, stream, lambda: NOON, lambda: False, stream.waits.append)
    assert announce(*arguments) is told  # type: ignore[arg-type]
    assert stream.waits == [AGAIN_S] * waits
    assert [decode(each.data).events for each in stream.taken] == [fact.events] * told


def test_a_worker_that_stops_says_nothing() -> None:
    """It did not start."""
    stream = InMemoryStream(VirtualClock(), shards=1)
    fact = started("core", Settings(), "", NOON)
    assert not announce(fact, stream, lambda: NOON, lambda: True)
    assert not stream.records()


def test_core_reads_it_and_changes_nothing(place: Place) -> None:
    """It is history; nobody decides by it."""
    fact = started("core", Settings(), "", NOON)
    for _ in range(3):
        announce(fact, place.stream, place.clock.now, lambda: False)
    owner = place.owner()
    place.run(owner)
    assert (owner.tally.accepted, owner.tally.repeated, owner.tally.decided) == (1, 2, 0)
