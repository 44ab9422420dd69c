"""Which records count, what may leave, and what has to be in the tables."""

from __future__ import annotations

import doctest
from dataclasses import replace

import pytest

from processors.audit import model as package
from processors.audit.model import Conditions, Model, Taken
from schemas.envelope import GENESIS, EventEnvelope, Head
from schemas.events import (
    AddressReleased,
    AddressSuppressed,
    MailHeld,
    RouteDeferred,
    SendCancelRequested,
    SendingPaused,
    SendingResumed,
    SendRescheduled,
)
from schemas.ids import FLEET_SUBJECT, address_subject
from schemas.values import Command, DeferReason, OnExpiry, SuppressionReason, TimerKind
from tests.samples import (
    MAIL_ID,
    QUARANTINED,
    RECEIVED_AT,
    SUBJECT,
    accepted,
    after,
    decision,
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

BOB = "bob@example.org"
OPEN = Conditions()


def taken(model: Model, *records: EventEnvelope) -> list[Taken]:
    """Let a model take records, each a second after the one before."""
    return [
        model.take(record, record.id.encode(), after(number), ("shard", str(number)))
        for number, record in enumerate(records)
    ]


def facts(*events: object, subject: str = SUBJECT) -> list[EventEnvelope]:
    """A record for each event."""
    return [
        fact(event, name=f"{subject}-{number}", subject=subject)  # type: ignore[arg-type]
        for number, event in enumerate(events)
    ]


def queued(application: str = "sender", *more: object) -> Model:
    """A model that has taken a message up to its first attempt, and more."""
    model = Model(application)
    taken(model, *facts(received(), resolved(), scheduled(), *more))
    return model


def test_the_example_in_the_docstring_runs() -> None:
    """It is what people copy."""
    result = doctest.testmod(package)
    assert result.attempted > 5
    assert result.failed == 0


def test_a_fact_counts_once_for_ever() -> None:
    """However late it is repeated (rule 2)."""
    first = fact(received())
    assert taken(Model("core"), first, first) == [Taken.ACCEPTED, Taken.REPEATED]


def test_a_decision_counts_if_it_builds_on_the_last_one() -> None:
    """The first on the stream wins; what builds on it comes next."""
    one = decision(resolved(), name="d1", builds_on=GENESIS)
    rival = decision(resolved(), name="d1-rival", builds_on=GENESIS)
    two = decision(scheduled(), name="d2", builds_on=Head("d1", b"d1"))
    forged = decision(scheduled(), name="d3", builds_on=Head("d2", b"other"))
    found = taken(Model("core"), one, rival, two, one, forged)
    assert found == [Taken.ACCEPTED, Taken.VOID, Taken.ACCEPTED, Taken.VOID, Taken.VOID]


def test_a_quarantined_decision_changes_nothing_but_the_head() -> None:
    """The other readers have taken it, and all must agree about what is void."""
    one = decision(resolved(), name="d1", builds_on=GENESIS)
    two = decision(scheduled(), name="d2", builds_on=Head("d1", b"d1"))
    model = Model("core", aside={("shard", "0")})
    assert taken(model, one, two) == [Taken.ASIDE, Taken.ACCEPTED]
    assert model.mails[MAIL_ID].targets == []
    assert list(model.mails[MAIL_ID].attempts) == ["attempt-1"]


def test_a_quarantined_fact_counts_when_it_is_driven_again() -> None:
    """It was not accepted the first time."""
    model = Model("core", aside={("shard", "0")})
    assert taken(model, fact(received()), fact(received())) == [Taken.ASIDE, Taken.ACCEPTED]


def test_the_sender_takes_what_waits_for_sent_once_it_cannot_use_a_record() -> None:
    """The record may say that it was; core reads on as if nothing had happened."""
    sender, core = queued("sender"), queued("core")
    sender.take_unreadable(SUBJECT)
    core.take_unreadable(SUBJECT)
    now = after(1)
    assert sender.mails[MAIL_ID].may_leave("attempt-1", now, OPEN) == "its outcome is unknown"
    assert core.mails[MAIL_ID].may_leave("attempt-1", now, OPEN) == ""


def test_core_learns_from_the_log_what_the_sender_took_out_of_its_queue() -> None:
    """The sender reports nothing about such an attempt."""
    aside = replace(QUARANTINED, application="sender")
    mail = queued("core", CANCELLED, aside).mails[MAIL_ID]
    assert not any("queue" in due.what for due in mail.due())
    assert any("queue" in due.what for due in queued("core", CANCELLED).mails[MAIL_ID].due())


CANCELLED = SendCancelRequested(target=0, attempt_id="attempt-1", reason="")
LATER = SendRescheduled(target=0, attempt_id="attempt-1", due_at=after(9), expires_at=after(99))


@pytest.mark.parametrize(
    ("more", "at", "why"),
    [
        ((), 1, ""),
        ((), -1, "it is not due"),
        ((), 3 * 86_400, "it has expired"),
        ((CANCELLED,), 1, "it is cancelled"),
        ((LATER,), 1, "it is not due"),
        ((LATER,), 9, ""),
        ((LATER,), 99, "it has expired"),
        ((started(), unknown()), 1, "its outcome is unknown"),
        ((started(), fired(TimerKind.CLAIM, "attempt-1")), 1, "its outcome is unknown"),
        ((fired(TimerKind.CLAIM, "attempt-1"),), 1, ""),
        ((started(), deferred(DeferReason.NOT_CALLED)), 1, ""),
        ((started(), deferred(DeferReason.TRANSIENT)), 1, "it is settled"),
        ((started(), accepted()), 1, "it is settled"),
    ],
)
def test_an_attempt_leaves_only_while_nothing_speaks_against_it(
    more: tuple[object, ...], at: int, why: str
) -> None:
    """And the model says what does."""
    mail = queued("sender", *more).mails[MAIL_ID]
    assert mail.may_leave("attempt-1", after(at), OPEN) == why


@pytest.mark.parametrize(
    ("conditions", "why"),
    [
        (Conditions(paused={"": 0}), "sending of the fleet is paused"),
        (Conditions(paused={"shop": 0}), "sending of shop is paused"),
        (Conditions(paused={"@example.org": 0}), "sending of @example.org is paused"),
        (Conditions(paused={"other": 0, "@elsewhere.example": 0}), ""),
        (Conditions(paused={"": RECEIVED_AT}), "sending of the fleet is paused"),
        (Conditions(paused={"": RECEIVED_AT + 1}), ""),
        (Conditions(suppressed={BOB: 0}), "its address is suppressed"),
        (Conditions(suppressed={BOB: after(2)}), "its address is suppressed"),
        (Conditions(suppressed={BOB: after(1)}), ""),
        (Conditions(suppressed={"ann@example.org": 0}), ""),
    ],
)
def test_pauses_and_suppressions_keep_an_attempt_back(conditions: Conditions, why: str) -> None:
    """A drain keeps back what arrived since it began; a suppression may end."""
    mail = queued().mails[MAIL_ID]
    assert mail.may_leave("attempt-1", after(1), conditions) == why


def test_conditions_are_those_of_a_moment() -> None:
    """By when the records about them had arrived."""
    model = Model("core")
    paused = SendingPaused(scope="shop", since=0, by="ann", why="")
    resumed = SendingResumed(scope="shop", by="ann", why="")
    suppressed = AddressSuppressed(
        address="Bob@example.org", reason=SuppressionReason.MANUAL, detail="", until=0
    )
    released = AddressReleased(address=BOB, detail="")
    taken(model, *facts(paused, resumed, subject=FLEET_SUBJECT))
    taken(model, *facts(suppressed, released, subject=address_subject(BOB, "")))
    assert model.conditions(after(-1)) == Conditions()
    assert model.conditions(after(0)) == Conditions({"shop": 0}, {BOB: 0})
    assert model.conditions(after(1)) == Conditions()


def test_core_has_a_timer_for_everything_that_it_waits_for() -> None:
    """Until it has fired."""
    retry = RouteDeferred(reason="", number=1, retry_at=after(2))
    held = MailHeld(rule="r", reason="", expires_at=after(30), on_expiry=OnExpiry.EXPIRE)
    model = queued("core", retry, held, unknown(), fired(TimerKind.LOOKUP, "", 1, after(2)))
    assert {(each.kind, each.attempt_id, each.number, each.due_at) for each in model.timers} == {
        (TimerKind.MODERATION, "", 0, after(30)),
        (TimerKind.UNKNOWN, "attempt-1", 0, after(60)),
    }


def test_an_attempt_waits_or_has_an_open_claim_or_an_outcome() -> None:
    """An announced round is no longer in the queue."""
    waits = queued()
    assert [(each.subject, each.attempt.round) for each in waits.waiting()] == [(SUBJECT, 0)]
    assert list(waits.claims()) == []
    announced = queued("sender", started())
    assert list(announced.waiting()) == []
    assert [(each.attempt_id, each.round, each.send_before) for each in announced.claims()] == [
        ("attempt-1", 0, after(5))
    ]
    again = queued("sender", started(), deferred(DeferReason.NOT_CALLED))
    assert [each.attempt.round for each in again.waiting()] == [1]
    done = queued("sender", started(), accepted())
    assert [*done.waiting(), *done.claims()] == []


def test_an_attempt_whose_message_the_sender_does_not_know_is_not_queued() -> None:
    """Its receipt is in quarantine, and driving it again comes too late for this attempt."""
    model = Model("sender", aside={("shard", "0")})
    records = facts(received(), resolved(), scheduled())
    taken(model, *records)
    model.take(records[0], b"", after(9), ("shard", "9"))
    assert model.mails[MAIL_ID].received == received()
    assert list(model.waiting()) == []


def test_commands_to_the_fleet_have_to_be_answered() -> None:
    """As those about a message."""
    model = Model("core")
    given, answered = facts(ordered(Command.PAUSE), obeyed("done"), subject=FLEET_SUBJECT)
    taken(model, given)
    assert [(subject, due.what) for subject, due in model.due()] == [
        (FLEET_SUBJECT, "the command pause has to be answered")
    ]
    taken(model, replace(answered, id="answer"))
    assert list(model.due()) == []
