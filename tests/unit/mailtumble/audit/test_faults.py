"""A wrong fold, a deadline that has passed, and a reader that stands still: each is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mailtumble.audit.comparison import Kind
from mailtumble.audit.overdue import GRACE_US
from mailtumble.audit.sender import Limits
from mailtumble.audit.verification import Verification
from mailtumble.ports.store import Delete, Update
from mailtumble.worker.aggregates import MailAggregate
from processors.bounces import decider as bounces
from processors.fleet import decider as fleet
from processors.sending import dispatch, targets
from processors.sending.dispatch import Changes
from schemas.events import (
    AddressSuppressed,
    BounceReceived,
    DeliveryConfirmed,
    Event,
    MailRejected,
    SendAccepted,
    SendingPaused,
    SendStarted,
)
from schemas.values import DAY_US, HOUR_US, MINUTE_US, SECOND_US, Command
from tests.samples import bounced
from tests.unit.mailtumble.audit.conftest import attempts, eventful
from tests.unit.mailtumble.audit.faults import DEADLINE_S, HELD, OPEN, claimed, named, order
from tests.unit.mailtumble.cli.small_world import NEWS, SmallWorld

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.mailtumble.audit.conftest import Verify


def folds_bounces_as_deliveries(monkeypatch: pytest.MonkeyPatch) -> None:
    """What came back counts as completed."""
    right = targets._settle

    def wrong(target: Any, event: Any) -> Any:  # noqa: ANN401 - a fault
        if isinstance(event, BounceReceived):
            event = DeliveryConfirmed(
                target=event.target,
                attempt_id=event.attempt_id,
                provider_message_id=event.provider_message_id,
                happened_at=event.happened_at,
                smtp_response="",
            )
        return right(target, event)

    monkeypatch.setattr(targets, "_settle", wrong)


def ignores_rejections(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a moderator refuses stays as it was."""
    right = targets._moderate

    def wrong(sending: Any, event: Any) -> Any:  # noqa: ANN401 - a fault
        return sending if isinstance(event, MailRejected) else right(sending, event)

    monkeypatch.setattr(targets, "_moderate", wrong)


@pytest.mark.parametrize(
    ("patch", "shown"), [(folds_bounces_as_deliveries, "completed"), (ignores_rejections, "parked")]
)
def test_a_wrong_fold_in_core_is_named(
    monkeypatch: pytest.MonkeyPatch,
    patch: Callable[[pytest.MonkeyPatch], None],
    shown: str,
) -> None:
    """Worker and replay share it: their items agree, and only the model knows better."""
    patch(monkeypatch)
    world = SmallWorld()
    returned, held = world.receive(1), world.receive(2, sender=NEWS)
    world.send()
    world.append(returned, bounced(attempts(world, returned)[0]))
    order(world, held, Command.REJECT)
    verdict = Verification(world.stream(), world.store(), "g1", world.clock).run()
    assert named(verdict) == {(Kind.DISPUTED, "mails")}
    wronged = returned if shown == "completed" else held
    assert {each.key for each in verdict.differences} == {wronged}
    assert {each.stored for each in verdict.differences} == {shown}
    assert "the independent model says" in verdict.differences[0].told()


@pytest.mark.parametrize(
    ("fold", "ignored", "table", "key"),
    [
        (bounces, AddressSuppressed, "addresses", "ann@far.example"),
        (fleet, SendingPaused, "fleet", "x"),
    ],
)
def test_a_wrong_fold_of_what_holds_mail_back_is_named(
    monkeypatch: pytest.MonkeyPatch,
    fold: Any,  # noqa: ANN401 - a module
    ignored: type[Event],
    table: str,
    key: str,
) -> None:
    """The sender would send to a suppressed address, or what is paused; the replay agrees."""
    right = fold.evolve

    def wrong(state: Any, event: Any) -> Any:  # noqa: ANN401 - a fault
        return state if isinstance(event, ignored) else right(state, event)

    monkeypatch.setattr(fold, "evolve", wrong)
    world = eventful()
    (found,) = Verification(world.stream(), world.store(), "g1", world.clock).run().differences
    assert (found.kind, found.table, found.key) == (Kind.DISPUTED, table, key)
    assert found.stored is None
    assert found.expected is not None


def test_a_wrong_fold_in_the_sender_is_named(
    world: SmallWorld, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes what SES has accepted for waiting, and would send it again."""
    right = dispatch._evolve_attempt

    def wrong(attempt: Any, event: Any) -> Any:  # noqa: ANN401 - a fault
        return attempt if isinstance(event, SendAccepted) else right(attempt, event)

    monkeypatch.setattr(dispatch, "_evolve_attempt", wrong)
    world.send()
    verdict = verify()
    assert (Kind.DISPUTED, "sender") in named(verdict)
    assert any(OPEN in each.key for each in verdict.differences)


def test_a_sender_that_forgets_to_queue_is_named(
    world: SmallWorld, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Worker and replay write the same nothing; the attempt waits all the same."""
    monkeypatch.setattr(dispatch, "changes", lambda before, after: Changes())  # noqa: ARG005
    mail = world.receive(8)
    verdict = verify()
    assert named(verdict) == {(Kind.MISSING, "queue")}
    assert all(mail in each.key for each in verdict.differences)


def test_a_mail_that_is_open_past_its_end_is_named(world: SmallWorld, verify: Verify) -> None:
    """Nobody paces the sender any more: it should have expired after three days."""
    world.clock.advance(3 * DAY_US / SECOND_US)
    assert verify().ok
    world.clock.advance(HOUR_US / SECOND_US)
    verdict = verify()
    assert not verdict.ok
    mine = [each for each in verdict.overdue if OPEN in each.name]
    assert [each.name for each in mine] == [f"mail {OPEN} (target 0)", f"mail {OPEN} (target 1)"]
    assert all("it has to be sent, or to expire" in each.told() for each in mine)
    assert verdict.differences == ()


def test_a_timer_that_does_not_fire_is_named(world: SmallWorld, verify: Verify) -> None:
    """Nobody ticks: the claims are past their deadline, and nothing says what became of them."""
    claimed(world)
    world.clock.advance(DEADLINE_S + (GRACE_US + MINUTE_US) / SECOND_US)
    verdict = verify()
    told = [each.told() for each in verdict.overdue]
    assert any(each.startswith(f"timer claim of mail {OPEN}") for each in told)
    assert any(each.startswith(f"mail {OPEN} (target 1)") for each in told)
    world.tick()
    assert verify().ok


def test_a_held_mail_past_the_moderators_time_is_named(world: SmallWorld, verify: Verify) -> None:
    """And its timer with it."""
    world.clock.advance(8 * DAY_US / SECOND_US)
    told = [each.told() for each in verify().overdue]
    assert any(f"mail {HELD} (target 0)" in each and "a moderator" in each for each in told)
    assert any(each.startswith(f"timer moderation of mail {HELD}") for each in told)


def test_a_mail_that_core_does_not_decide_about_is_named(
    world: SmallWorld, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Core has read it, and says nothing: it would be received forever."""
    monkeypatch.setattr(MailAggregate, "decide", lambda *_, **__: ())
    mail = world.receive(8)
    assert verify().ok
    world.clock.advance((GRACE_US + MINUTE_US) / SECOND_US)
    (found,) = verify().overdue
    assert found.name == f"mail {mail}"
    assert found.what == "its alias has to be looked up"


@pytest.mark.parametrize("grace_us", [0, MINUTE_US, 2 * GRACE_US])
def test_what_is_open_past_its_deadline_has_the_grace_that_was_asked_for(
    world: SmallWorld, verify: Verify, monkeypatch: pytest.MonkeyPatch, grace_us: int
) -> None:
    """``verify --grace``: nothing is named before, and the message is named after."""
    monkeypatch.setattr(MailAggregate, "decide", lambda *_, **__: ())
    mail = world.receive(8)
    claimed_for_us = Limits().claimed_for_us
    limits = Limits(grace_us=grace_us)
    world.clock.advance((grace_us + claimed_for_us - SECOND_US) / SECOND_US)
    assert verify(limits=limits).ok
    world.clock.advance(2)
    assert [each.name for each in verify(limits=limits).overdue] == [f"mail {mail}"]


@pytest.mark.parametrize("application", ["core", "sender"])
def test_an_application_that_is_stopped_is_named(
    world: SmallWorld, verify: Verify, application: str
) -> None:
    """The other one reads on, and is not."""
    stop(world, application)
    world.asleep = False
    world.receive(8)
    verdict = verify()
    assert not verdict.ok
    assert verdict.complaints() == []
    stalled = {each.application: each.stalled for each in verdict.reading if each.stalled}
    assert stalled.keys() == {application}
    (shard,) = stalled[application]
    assert shard.records - shard.read > 0


def test_an_application_that_only_lags_is_not_named(world: SmallWorld, verify: Verify) -> None:
    """It moves while it is watched."""
    world.asleep = False
    world.append(OPEN, started_again(world))
    verdict = verify()
    assert verdict.ok
    core = next(each for each in verdict.reading if each.application == "core")
    assert (core.records - core.read, core.stalled) == (1, ())


def test_a_removed_cursor_of_one_shard_is_named(world: SmallWorld, verify: Verify) -> None:
    """Its siblings have one, so core runs; on this shard nothing begins."""
    (first, _) = world.events.shards()
    world.items.write(Delete("cursors", {"cursor": f"core#g1#{first.id}"}))
    stop(world, "core")
    verdict = verify()
    core = next(each for each in verdict.reading if each.application == "core")
    assert [each.at.shard.id for each in core.stalled] == [first.id]
    assert not verdict.ok


def test_the_archive_may_gather_for_its_time(world: SmallWorld, verify: Verify) -> None:
    """It writes a segment a minute: only later is it named."""
    (first, _) = world.events.shards()
    world.items.write(Update("cursors", {"cursor": f"archive#0#{first.id}"}, add={"epoch": 1}))
    stop(world, "archive")
    assert verify().ok
    world.clock.advance(90)
    verdict = verify()
    assert [each.application for each in verdict.reading if each.stalled] == ["archive"]


def stop(world: SmallWorld, application: str) -> None:
    """Let an application read no more."""
    for shard_id, lane in list(world._lanes):
        processor = getattr(lane, "processor", lane)
        if processor.application.name == application:
            world._lanes.remove((shard_id, lane))


def started_again(world: SmallWorld) -> SendStarted:
    """A record that nobody has read yet, and that changes nothing."""
    return SendStarted(
        target=0,
        attempt_id="unknown",
        round=0,
        instant_at=world.clock.now(),
        send_before=world.clock.now(),
        owner="x",
    )
