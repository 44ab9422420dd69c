"""A fault in the fold that counts calls or lists the quarantine is named by the model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mailtumble.audit.comparison import Kind
from mailtumble.audit.verification import Verification
from mailtumble.worker import core, views
from mailtumble.worker.application import Fact
from mailtumble.worker.records import outgoing
from processors.throughput.projection import Grain, count
from schemas.events import Event, RecordRedriven, SendAccepted, SendFailed
from schemas.ids import mail_subject
from tests.samples import failed
from tests.unit.mailtumble.audit.conftest import attempts, eventful
from tests.unit.mailtumble.audit.faults import OPEN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailtumble.audit.verification import Verdict
    from processors.throughput.projection import Count
    from tests.unit.mailtumble.cli.small_world import SmallWorld


def check(world: SmallWorld) -> Verdict:
    """Verify a world."""
    return Verification(world.stream(), world.store(), "g1", world.clock).run()


def refuse(world: SmallWorld) -> None:
    """Let SES refuse a call of the open mail for good."""
    event = replace(failed(attempts(world, OPEN)[0]), called_at=world.clock.now())
    world.append(OPEN, event)
    world.work()


def nothing(event: Event, recorded_at: int) -> Sequence[Count]:  # noqa: ARG001 - a fault
    """Count nothing at all."""
    return ()


def twice(event: Event, recorded_at: int) -> Sequence[Count]:
    """Count accepted calls twice."""
    return count(event, recorded_at) * (2 if isinstance(event, SendAccepted) else 1)


def without_failures(event: Event, recorded_at: int) -> Sequence[Count]:
    """Forget the calls that failed."""
    return () if isinstance(event, SendFailed) else count(event, recorded_at)


def without_hours(event: Event, recorded_at: int) -> Sequence[Count]:
    """Count by the minute only."""
    return [each for each in count(event, recorded_at) if each.grain is Grain.MINUTE]


def without_seconds(event: Event, recorded_at: int) -> Sequence[Count]:
    """Count only the totals of a minute."""
    return [
        replace(each, amounts={k: v for k, v in each.amounts.items() if "_" not in k})
        if each.grain is Grain.MINUTE
        else each
        for each in count(event, recorded_at)
    ]


@pytest.mark.parametrize(
    "fault", [nothing, twice, without_failures, without_hours, without_seconds]
)
def test_a_wrong_count_of_calls_is_named(
    monkeypatch: pytest.MonkeyPatch, fault: Callable[..., Sequence[Count]]
) -> None:
    """Worker and replay share the fault, so the tables agree with the replay."""
    monkeypatch.setattr(core, "count", fault)
    world = eventful()
    refuse(world)
    verdict = check(world)
    assert not verdict.ok
    assert {(each.kind, each.table) for each in verdict.differences} == {
        (Kind.DISPUTED, "throughput")
    }
    kinds = {str(each.attribute).partition(" ")[0] for each in verdict.differences}
    assert ("failed" in kinds) is (fault is not twice)
    assert ("accepted" in kinds) is (fault is not without_failures)


def test_every_kind_of_outcome_is_counted_alike(world: SmallWorld) -> None:
    """Without a fault there is nothing to name."""
    refuse(world)
    assert any("failed" in each for each in world.items.scan("throughput"))
    assert check(world).ok


def test_a_redriven_record_that_stays_open_in_the_view_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The fold forgets redrives."""
    right = views.quarantine_item

    def wrong(generation: str, record: Any, event: Any) -> Any:  # noqa: ANN401 - a fault
        update = right(generation, record, event)
        if isinstance(event, RecordRedriven):
            return replace(update, set={"state": "open"})
        return update

    monkeypatch.setattr(views, "quarantine_item", wrong)
    world = eventful()
    (item,) = [each for each in world.items.scan("quarantine") if each["application"] == "core"]
    redriven = RecordRedriven(quarantined=str(item["id"]), by="op")
    subject = mail_subject("unreadable")
    told = Fact("r1", subject, "r1", "operator", (redriven,))
    world.events.append([outgoing(told, world.clock.now())])
    world.work()
    (found,) = check(world).differences
    assert (found.kind, found.table, found.key) == (Kind.DISPUTED, "quarantine", item["id"])
    assert (found.stored, found.expected) == ("open", "redriven")
