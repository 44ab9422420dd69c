"""What people and the sender look at: items that follow from folded states."""

from __future__ import annotations

from typing import Any

import pytest

from mailtumble.ports.store import Delete, Put, Update
from mailtumble.worker import views
from mailtumble.worker.application import Span
from mailtumble.worker.views import ANSWERS_KEPT_US
from mailtumble.worker.writes import ACTIONS_MAX, address
from processors import mail
from processors.bounces.decider import Address
from processors.fleet.decider import Fleet, Pause
from processors.routing.decider import TARGETS_MAX
from schemas.events import (
    Event,
    MailApproved,
    MailHeld,
    ModerationDecided,
    SendCancelled,
    SendingPaused,
    SendParked,
)
from schemas.values import SECOND_US, ModerationAction, OnExpiry, SuppressionReason
from tests.samples import (
    RECEIVED_AT,
    SUBJECT,
    accepted,
    after,
    bounced,
    fact,
    failed,
    obeyed,
    received,
    refused,
    resolved,
    scheduled,
)

ADDRESS = "address:0123456789abcdef"
HELD = MailHeld(rule="strangers", reason="unknown", expires_at=after(60), on_expiry=OnExpiry.EXPIRE)
TAGGED = ModerationDecided(action=ModerationAction.HOLD, rule="r", reason="", tags=("list", "x"))


def _mail(*events: Event) -> dict[str, Any]:
    state = mail.fold(mail.INITIAL, events)
    return dict(views.mail_item("g1", SUBJECT, state, (Span("shard-0", "1", "2"),)).item)


def _item(write: Put | Delete) -> dict[str, Any]:
    assert isinstance(write, Put)
    return dict(write.item)


def test_a_held_mail_is_in_the_moderators_list() -> None:
    """By generation and by when its time is over; with the rule that holds it, and its tags."""
    item = _mail(received(), resolved(), TAGGED, HELD)
    assert item["status"] == "held"
    assert item["held"] == "g1"
    assert item["held_until"] == "2025-10-09T08:54:20.000000Z"
    assert (item["held_rule"], item["held_reason"]) == ("strangers", "unknown")
    assert item["tags"] == ["list", "x"]


@pytest.mark.parametrize("event", [MailApproved(by="ann", why=""), SendParked(target=0, reason="")])
def test_a_mail_that_is_decided_about_leaves_the_list(event: Event) -> None:
    """The index is sparse: an item without its attributes is not in it."""
    item = _mail(received(), resolved(), HELD, event)
    assert not [name for name in item if name.startswith("held")]


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ((failed(),), "MessageRejected: said SES"),
        ((accepted(), bounced()), "Permanent bounce: smtp; 550 5.1.1 user unknown"),
        ((SendParked(target=0, reason="a record"),), "a record"),
        ((SendCancelled(target=0, attempt_id="attempt-1"),), "it was called off"),
        ((accepted(),), None),
        ((), None),
    ],
)
def test_a_target_shows_why_it_ended(told: tuple[Event, ...], reason: str | None) -> None:
    """In words; nothing where it is open, or all is well."""
    (target,) = _mail(received(), resolved(), scheduled(), *told)["targets"]
    assert target["reason"] == reason


def test_an_address_with_a_record_has_an_item() -> None:
    """Suppressed or not."""
    item = _item(
        views.address_item(
            "g1",
            ADDRESS,
            Address(
                address="bob@example.org",
                bounces=(after(1), after(2)),
                reason=SuppressionReason.TRANSIENT,
                detail="smtp; 450",
                until=after(60),
            ),
        )
    )
    assert item == {
        "address_key": f"g1#{ADDRESS}",
        "address": "bob@example.org",
        "bounces": 2,
        "reason": "repeated transient bounces",
        "detail": "smtp; 450",
        "until": after(60),
    }
    watched = _item(views.address_item("g1", ADDRESS, Address(bounces=(after(1),))))
    assert (watched["reason"], watched["until"]) == (None, 0)


def test_a_clean_address_has_none() -> None:
    """So that the sender finds nothing for nearly every address."""
    write = views.address_item("g1", ADDRESS, Address(address="bob@example.org"))
    assert write == Delete("addresses", {"address_key": f"g1#{ADDRESS}"})


def test_pauses_are_one_item() -> None:
    """With who paused what; beside the quota, which has another name."""
    fleet = Fleet({"": Pause("ann"), "shop": Pause("bea: spam run", 9)})
    assert _item(views.pauses_item("g1", fleet)) == {
        "name": "pauses#g1",
        "paused": [
            {"scope": "", "told": "ann", "since": 0},
            {"scope": "shop", "told": "bea: spam run", "since": 9},
        ],
    }


def test_when_a_scope_was_paused_is_told_beside_it() -> None:
    """An attribute a scope: a pause tells of its own moment alone, and a resume of none."""
    for scope in ("", "shop", "@far.example"):
        paused = SendingPaused(scope=scope, since=0, by="ann", why="")
        assert views.paused_at_item("g1", paused, 7) == Update(
            "fleet", {"name": "paused_at#g1"}, set={f"at:{scope}": 7}
        )


@pytest.mark.parametrize(("event", "yes"), [(obeyed("done"), True), (refused("no"), False)])
def test_an_answer_waits_for_whoever_asked(event: Any, yes: bool) -> None:  # noqa: ANN401, FBT001
    """By the command's id, for fifteen days; DynamoDB's clock counts in seconds."""
    item = _item(views.answer_item("g1", fact(event), event))
    assert item == {
        "command_id": "g1#command-1",
        "accepted": yes,
        "answer": event.answer,
        "expires_at": (RECEIVED_AT + ANSWERS_KEPT_US) // SECOND_US,
    }


def test_every_view_has_a_place_of_its_own() -> None:
    """The batch folds an item's writes by its key."""
    places = {
        address(views.mail_item("g1", SUBJECT, mail.INITIAL, ())),
        address(views.address_item("g1", ADDRESS, Address())),
        address(views.pauses_item("g1", Fleet())),
        address(views.answer_item("g1", fact(), obeyed(""))),
    }
    assert len(places) == 4
    assert address(views.address_item("g1", ADDRESS, Address(bounces=(1,)))) in places


def test_a_mail_with_as_many_targets_as_may_be_fits_its_transactions() -> None:
    """Of each the sender may take an entry out of its queue and put another; and the subject."""
    assert TARGETS_MAX + 1 <= ACTIONS_MAX
