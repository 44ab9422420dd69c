"""A queue entry, timer or claim that is gone or wrong is named, with the mail's id."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mailtumble.audit.comparison import Kind
from mailtumble.ports.store import Put
from schemas.errors import RetryableError
from schemas.events import DeliveryConfirmed, SendUnknown
from schemas.values import SECOND_US, Command
from tests.unit.mailtumble.audit.faults import (
    DEADLINE_S,
    HELD,
    OPEN,
    claim_without_a_word,
    claimed,
    items,
    only_one,
    order,
    remove,
)

if TYPE_CHECKING:
    from tests.unit.mailtumble.audit.conftest import Verify
    from tests.unit.mailtumble.cli.small_world import SmallWorld


def test_a_removed_queue_entry_is_named_and_can_be_mended(
    world: SmallWorld, verify: Verify
) -> None:
    """What verify advises queues the attempt again: then nothing is wrong, and it is sent."""
    entry = items(world, "queue", OPEN)[0]
    remove(world, "queue", entry)
    found = only_one(verify(), OPEN)
    assert (found.kind, found.table) == (Kind.MISSING, "queue")
    assert str(entry["attempt_id"]) in found.key
    order(world, OPEN, Command.SEND_NOW)
    assert verify().ok
    world.send()
    assert verify().ok
    assert items(world, "queue", OPEN) == []


@pytest.mark.parametrize(
    ("attribute", "value"), [("address", "else@far.example"), ("expires_at", 1), ("round", 1)]
)
def test_a_changed_queue_entry_is_named(
    world: SmallWorld, verify: Verify, attribute: str, value: str | int
) -> None:
    """With what it should be."""
    entry = items(world, "queue", OPEN)[0]
    world.items.write(Put("queue", {**entry, attribute: value}))
    found = only_one(verify(), OPEN)
    assert (found.kind, found.attribute, found.expected) == (
        Kind.DIFFERENT,
        attribute,
        entry[attribute],
    )


def test_a_queue_entry_that_nothing_leads_to_is_named(world: SmallWorld, verify: Verify) -> None:
    """One that came back with a backup, say: its mail was sent long ago."""
    entry = items(world, "queue", OPEN)[0]
    world.send()
    assert verify().ok
    world.items.write(Put("queue", entry))
    found = only_one(verify(), OPEN)
    assert (found.kind, found.table) == (Kind.UNEXPECTED, "queue")


def test_an_entry_of_a_mail_that_never_was_is_named(world: SmallWorld, verify: Verify) -> None:
    """No record is about it at all."""
    entry = items(world, "queue", OPEN)[0]
    made_up = {**entry, "subject": "mail:made-up", "mail_id": "made-up", "position": "x#1#y"}
    world.items.write(Put("queue", made_up))
    assert only_one(verify(), "made-up").kind is Kind.UNEXPECTED


def test_a_removed_moderation_timer_is_named(world: SmallWorld, verify: Verify) -> None:
    """Nobody would ever end the held mail."""
    (timer,) = items(world, "timers", HELD)
    remove(world, "timers", timer)
    found = only_one(verify(), HELD)
    assert (found.kind, found.table) == (Kind.MISSING, "timers")
    assert found.key == f"moderation of mail {HELD}"
    order(world, HELD, Command.APPROVE)
    world.items.write(Put("timers", found.expected))  # type: ignore[arg-type]
    assert verify().ok


def test_a_removed_lookup_timer_is_named(
    world: SmallWorld, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The alias would never be looked up again."""

    def out(names: object) -> None:
        raise RetryableError(f"no answer about {names}")

    monkeypatch.setattr(world.repository, "find", out)
    mail = world.receive(7)
    assert world.status(mail) == "deferred"
    assert verify().ok
    (timer,) = items(world, "timers", mail, kind="lookup")
    remove(world, "timers", timer)
    assert only_one(verify(), mail).key == f"lookup of mail {mail}"


def test_a_removed_timer_of_an_unknown_outcome_is_named(world: SmallWorld, verify: Verify) -> None:
    """The policy would never decide."""
    job = claimed(world)
    unknown = SendUnknown(
        target=job.entry.target,
        attempt_id=job.entry.attempt_id,
        round=0,
        reason="no reply",
        decide_at=world.clock.now() + 600 * SECOND_US,
    )
    world.append(OPEN, unknown)
    world.work()
    assert verify().ok
    (timer,) = items(world, "timers", OPEN, kind="unknown")
    remove(world, "timers", timer)
    assert only_one(verify(), OPEN).key.startswith(f"unknown of mail {OPEN}")


def test_a_timer_that_nothing_leads_to_is_named(world: SmallWorld, verify: Verify) -> None:
    """It would fire for nothing."""
    (timer,) = items(world, "timers", HELD)
    world.items.write(Put("timers", {**timer, "position": f"{timer['position']}x"}))
    assert only_one(verify(), HELD).kind is Kind.UNEXPECTED


def test_the_removed_deadline_of_a_claim_is_named(world: SmallWorld, verify: Verify) -> None:
    """A sender that dies now leaves the attempt claimed forever."""
    job = claimed(world)
    assert verify().ok
    (timer,) = items(world, "timers", OPEN, kind="claim", attempt_id=job.entry.attempt_id)
    remove(world, "timers", timer)
    found = only_one(verify(), OPEN)
    assert (found.kind, found.table) == (Kind.MISSING, "timers")
    world.items.write(Put("timers", found.expected))  # type: ignore[arg-type]
    assert verify().ok
    world.clock.advance(DEADLINE_S)
    world.tick()
    assert world.status(OPEN) == "unknown"


def test_the_removed_claim_of_an_announced_call_is_named(world: SmallWorld, verify: Verify) -> None:
    """Before its deadline, after it, after the timer has fired, and when the mail has ended."""
    entry = claimed(world).entry
    (claim,) = items(world, "claims", OPEN, attempt_id=entry.attempt_id)
    remove(world, "claims", claim)
    missing = (Kind.MISSING, "claims")
    found = only_one(verify(), OPEN)
    assert (found.kind, found.table) == missing
    world.clock.advance(DEADLINE_S)
    assert only_one(verify(), OPEN).key == found.key
    world.tick()
    assert world.status(OPEN) == "unknown"
    assert only_one(verify(), OPEN).key == found.key
    world.append(
        OPEN,
        DeliveryConfirmed(
            target=entry.target,
            attempt_id=entry.attempt_id,
            provider_message_id="p",
            happened_at=world.clock.now(),
            smtp_response="250",
        ),
    )
    world.work()
    assert only_one(verify(), OPEN).key == found.key
    world.items.write(Put("claims", claim))
    assert verify().ok


def test_the_removed_claim_of_a_call_that_was_not_announced_is_named(
    world: SmallWorld, verify: Verify
) -> None:
    """The attempt is in no queue, and no claim says who has taken it out."""
    claim_without_a_word(world)
    assert verify().ok
    world.clock.advance(DEADLINE_S)
    claim = items(world, "claims", OPEN)[0]
    remove(world, "claims", claim)
    found = only_one(verify(), OPEN)
    assert (found.kind, found.table) == (Kind.MISSING, "queue")
    world.tick()
    found = only_one(verify(), OPEN)
    assert (found.kind, found.table) == (Kind.MISSING, "claims")


def test_a_claim_of_an_earlier_round_is_named(world: SmallWorld, verify: Verify) -> None:
    """As after a restored backup: the stream proves that a later round was claimed."""
    claim_without_a_word(world)
    world.clock.advance(DEADLINE_S)
    world.tick()
    claimed(world)
    assert verify().ok
    (claim,) = (each for each in items(world, "claims", OPEN) if each["round"] == 1)
    world.items.write(Put("claims", {**claim, "round": 0}))
    found = only_one(verify(), OPEN)
    assert (found.table, found.kind, found.attribute) == ("claims", Kind.DIFFERENT, "round")
    assert (found.stored, found.expected) == (0, 1)
