"""Whatever is open has a moment by which it must have moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from processors.audit.model import MailModel
from schemas.events import (
    MailCompleted,
    MailHeld,
    RouteDeferred,
    RouteNotFound,
    SendCancelled,
    SendCancelRequested,
    SendHeldBack,
    SendParked,
    TargetReopened,
)
from schemas.values import Command, DeferReason, OnExpiry, Status, TimerKind
from tests.samples import (
    QUARANTINED,
    RECEIVED_AT,
    accepted,
    after,
    deferred,
    fact,
    fired,
    obeyed,
    ordered,
    received,
    resolved,
    scheduled,
    started,
    unknown,
)

if TYPE_CHECKING:
    from schemas.events import Event

ROUTED = (received(), resolved())
QUEUED = (*ROUTED, scheduled())
EXPIRES_AT = scheduled().expires_at
HELD = MailHeld(rule="r", reason="", expires_at=after(30), on_expiry=OnExpiry.REJECT)
RETRY = RouteDeferred(reason="", number=1, retry_at=after(2))
COMPLETED = MailCompleted(ended={"completed": 1})
HELD_BACK = SendHeldBack(target=0, attempt_id="attempt-1", round=0, rule="r", reason="")
CANCEL = SendCancelRequested(target=0, attempt_id="attempt-1", reason="", ends_as=Status.REJECTED)


def due(*events: Event) -> list[tuple[int, int, str]]:
    """What is due after these events, each in a record of its own."""
    mail = MailModel()
    for number, event in enumerate(events):
        mail.take(fact(event, name=f"fact-{number}"), arrived_at=RECEIVED_AT)
    return [(each.target, each.at, each.what) for each in mail.due()]


@pytest.mark.parametrize(
    ("events", "at", "what"),
    [
        ((received(),), 0, "looked up"),
        ((received(), RETRY), after(2), "looked up again"),
        ((received(), RETRY, fired(TimerKind.LOOKUP, "", 1, after(2))), 0, "looked up again"),
        ((received(), RouteNotFound(tried=())), 0, "completion"),
        (ROUTED, 0, "scheduled"),
        ((*ROUTED, HELD), after(30), "reject"),
        ((*ROUTED, HELD, fired(TimerKind.MODERATION, due_at=after(30))), 0, "reject"),
        (QUEUED, EXPIRES_AT, "sent, or to expire"),
        ((*QUEUED, started()), after(5), "outcome of its call"),
        ((*QUEUED, started(), deferred(DeferReason.NOT_CALLED)), EXPIRES_AT, "sent, or to expire"),
        ((*QUEUED, started(), deferred(DeferReason.TRANSIENT)), 0, "scheduled again"),
        ((*QUEUED, started(), unknown()), after(60), "unknown outcomes"),
        (
            (*QUEUED, unknown(), fired(TimerKind.UNKNOWN, "attempt-1", 0, after(60))),
            0,
            "unknown outcomes",
        ),
        ((*QUEUED, HELD_BACK), 0, "moderator"),
        ((*QUEUED, CANCEL), RECEIVED_AT, "leave the queue"),
        ((*QUEUED, started(), accepted()), 0, "completion"),
        ((*QUEUED, accepted(), COMPLETED, ordered(Command.RETRY)), 0, "retry"),
    ],
)
def test_what_is_open_has_to_move_by_a_moment(
    events: tuple[Event, ...], at: int, what: str
) -> None:
    """At once, where core has only to decide."""
    [(_, when, words)] = due(*events)
    assert when == at
    assert what in words


@pytest.mark.parametrize(
    "events",
    [
        (*QUEUED, started(), accepted(), COMPLETED),
        (*QUEUED, CANCEL, SendCancelled(target=0, attempt_id="attempt-1"), COMPLETED),
        (*QUEUED, accepted(), COMPLETED, ordered(Command.RETRY), obeyed("no")),
        (received(), RouteNotFound(tried=()), MailCompleted(ended={"unroutable": 1})),
        (received(), QUARANTINED),
    ],
)
def test_nothing_is_due_of_what_has_ended(events: tuple[Event, ...]) -> None:
    """Unroutable, completed, cancelled or parked: each is an end."""
    assert due(*events) == []


def test_a_quarantined_record_has_to_park_what_is_open() -> None:
    """Until a decision answers it."""
    assert any("quarantined" in what for _, _, what in due(*QUEUED, QUARANTINED))
    parked = SendParked(target=0, reason="")
    found = due(*QUEUED, QUARANTINED, CANCEL, parked, COMPLETED)
    assert [what for _, _, what in found] == ["it has to leave the queue"]


def test_an_attempt_is_cancelled_when_an_earlier_one_turns_out_to_be_accepted() -> None:
    """Otherwise the message is sent twice without need."""
    second = scheduled("attempt-2", number=2, possible_duplicate=True)
    found = due(*QUEUED, unknown(), second, accepted(), COMPLETED)
    assert [what for _, _, what in found] == [
        "an earlier attempt was accepted: it has to be cancelled"
    ]


def test_a_reopened_target_is_open_again() -> None:
    """Its next end has to be announced, too."""
    reopened = TargetReopened(target=0, by="ann")
    assert due(*QUEUED, accepted(), COMPLETED, reopened) == [(0, 0, "it has to be scheduled")]
