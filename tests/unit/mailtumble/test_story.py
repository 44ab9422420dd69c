"""The story is plain: a sentence for every event, with the times between."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtumble.history import judged
from mailtumble.ports.stream import StoredRecord
from mailtumble.story import duration, later, listed, sentence, tell
from schemas import codec
from schemas.envelope import GENESIS, EventEnvelope, Head
from schemas.events import (
    EVENT_TYPES,
    AddressBounced,
    AddressComplained,
    AddressReleased,
    AddressSuppressed,
    AliasChanged,
    AliasRemoved,
    CommandAnswered,
    CommandGiven,
    Event,
    MailApproved,
    MailExpired,
    MailHeld,
    MailRejected,
    ModerationDecided,
    RouteDeferred,
    RouteReopened,
    SendCancelled,
    SendingPaused,
    SendingResumed,
    SendRescheduled,
    SendSuppressed,
    SendTimeSet,
    SendUnknown,
    TargetReopened,
    WorkerStarted,
)
from schemas.ids import fingerprint, padded
from schemas.values import (
    DAY_US,
    SECOND_US,
    Command,
    DeferReason,
    ModerationAction,
    OnExpiry,
    Schedule,
    SuppressionReason,
    TimerKind,
)
from tests.event_strategies import values_of
from tests.samples import (
    RECEIVED_AT,
    SUBJECT,
    accepted,
    after,
    bounced,
    decision,
    deferred,
    fact,
    fired,
    received,
    resolved,
    scheduled,
    started,
    unknown,
)

PEOPLE = ("bob@example.org", "eve@example.org")


def _stored(*records: EventEnvelope | bytes) -> list[tuple[str, StoredRecord]]:
    return [
        (
            "shard-0",
            StoredRecord(
                padded(str(place)),
                SUBJECT,
                record if isinstance(record, bytes) else codec.encode(record),
                after(2),
            ),
        )
        for place, record in enumerate(records)
    ]


def test_a_story_from_receipt_to_acceptance() -> None:
    """The first step has its time, the others how much later they came."""
    told = tell(
        judged(
            "m",
            _stored(
                fact(received(), at=after(0.25)),
                decision(resolved(*PEOPLE), scheduled(), name="d-1", builds_on=GENESIS),
                fact(started(), name="f-2", at=after(0.65)),
                fact(accepted(), name="f-3", at=after(200)),
                fact(bounced(), name="f-4", at=after(8000)),
            ),
        )
    )
    assert told == [
        (
            "2025-10-09T08:53:20.250000Z: received from ann@example.net for sales@example.com: "
            '"Hello", 2048 bytes; SES took it in 0.2 s before'
        ),
        (
            "at once: looked up; sales@example.com stands for bob@example.org and eve@example.org "
            "(version 1)"
        ),
        "    bob@example.org: scheduled, attempt 1, due now",
        "0.4 s later: bob@example.org: sender-1 calls SES in 0.3 s",
        "3 min 19 s later: bob@example.org: SES accepted it as 01000157c44f053b-61b59c11",
        (
            "2 h 10 min later: bob@example.org: it came back (Permanent/General: "
            "smtp; 550 5.1.1 user unknown)"
        ),
    ]


def test_what_has_no_effect_is_marked() -> None:
    """Void decisions, repeated facts, and bytes that nobody can read."""
    first = decision(resolved(), name="d-1", builds_on=GENESIS)
    head = Head("d-1", fingerprint(codec.encode(first)))
    arrival = fact(received())
    told = tell(
        judged(
            "m",
            _stored(
                arrival,
                first,
                decision(resolved(), scheduled(), name="d-2", builds_on=GENESIS),
                arrival,
                b"garbage",
                decision(scheduled(), name="d-3", builds_on=head),
            ),
        )
    )
    assert told[2] == (
        "at once: mail decided RouteResolved and SendScheduled; this came second, void"
    )
    assert told[3] == "at once: intake told MailReceived once more; this came second, void"
    assert told[4].startswith("2.0 s later: a record that can't be read was quarantined (not msg")
    assert told[5] == "at once: bob@example.org: scheduled, attempt 1, due now"


@pytest.mark.parametrize("kind", EVENT_TYPES)
@given(data=st.data())
def test_every_event_has_a_sentence(kind: Any, data: st.DataObject) -> None:  # noqa: ANN401 - an event's class
    """None is forgotten, whatever its fields say and whether the target is known or not."""
    assert sentence(data.draw(values_of(kind)), RECEIVED_AT, PEOPLE)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (
            RouteDeferred(reason="no answer", number=2, retry_at=after(4)),
            "look-up 2 failed (no answer); it is tried again in 4.0 s",
        ),
        (scheduled(due_at=after(90), number=2, possible_duplicate=True),
         "bob@example.org: scheduled, attempt 2, due in 1 min 30 s; it may become a duplicate"),
        (deferred(DeferReason.THROTTLED),
         "bob@example.org: not sent this time (throttled: said SES)"),
        (deferred(DeferReason.NOT_CALLED),
         "bob@example.org: SES was not called; back into the queue (said SES)"),
        (unknown(),
         ("bob@example.org: nobody knows whether SES has it (the connection broke); decided "
         "in 1 min, unless SES's own event tells before")),
        (received(envelope_sender=""),
         'received from nobody (a bounce or a report) for sales@example.com: "Hello", 2048 bytes'),
        (SendUnknown(target=7, attempt_id="a", round=0, reason="lost", decide_at=0),
         ("target 7: nobody knows whether SES has it (lost); decided now, unless SES's own event "
         "tells before")),
    ],
)  # fmt: skip
def test_sentences_tell_times_and_reasons(event: Event, words: str) -> None:
    """In whole words, from the record's own time on."""
    assert sentence(event, RECEIVED_AT, PEOPLE) == words


LATER = RECEIVED_AT + 3 * DAY_US
PLAN = Schedule(not_before=RECEIVED_AT, delay_us=90 * SECOND_US, window="daily 08:00-18:00 UTC")


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (ModerationDecided(action=ModerationAction.HOLD, rule="big", reason="10 MB", tags=("a",)),
         "the rule big says hold (10 MB); tagged a"),
        (ModerationDecided(action=ModerationAction.PASS, rule="", reason="", tags=("a", "b")),
         "no rule stops it; tagged a and b"),
        (MailHeld(rule="big", reason="10 MB", expires_at=LATER, on_expiry=OnExpiry.EXPIRE),
         "held for a moderator (10 MB); unless one decides, it expires in 3 d"),
        (MailHeld(rule="big", reason="", expires_at=LATER, on_expiry=OnExpiry.APPROVE),
         "held for a moderator; unless one decides, it goes in 3 d"),
        (MailHeld(rule="big", reason="", expires_at=LATER, on_expiry=OnExpiry.REJECT),
         "held for a moderator; unless one decides, it is rejected in 3 d"),
        (MailApproved(by="ann", why="a customer"), "approved by ann (a customer)"),
        (MailRejected(by="ann", why=""), "rejected by ann"),
        (MailExpired(by="the rule big", why="nobody decided in time"),
         "expired by the rule big (nobody decided in time)"),
        (CommandGiven(command_id="c", command=Command.SEND_AT, by="ann", why="", at=LATER,
                      detail=""),
         "ann wants: send-at at 2025-10-12T08:53:20.000000Z"),
        (CommandGiven(command_id="c", command=Command.SUPPRESS, by="ann", why="asked", at=0,
                      detail="joe@example.com"),
         "ann wants: suppress joe@example.com (asked)"),
        (CommandAnswered(command_id="c", accepted=True, answer="its time is set"),
         "done: its time is set"),
        (CommandAnswered(command_id="c", accepted=False, answer="it has ended"),
         "refused: it has ended"),
        (SendTimeSet(at=LATER, by="ann"),
         "to be sent at 2025-10-12T08:53:20.000000Z, as ann wants it"),
        (SendRescheduled(target=1, attempt_id="a", due_at=LATER, expires_at=LATER),
         "eve@example.org: moved; due in 3 d"),
        (TargetReopened(target=1, by="ann"), "eve@example.org: to be tried again, as ann wants it"),
        (RouteReopened(by="ann", expires_at=LATER), "to be looked up again, as ann wants it"),
        (SendSuppressed(target=0, attempt_id="a", reason="the address is suppressed: complaint"),
         "bob@example.org: not sent: the address is suppressed: complaint"),
        (SendCancelled(target=0, attempt_id="a"),
         "bob@example.org: taken out of the queue; SES was not called"),
        (AddressBounced(address="joe@x", mail_id="m", bounce_type="Permanent", happened_at=0,
                        enhanced_status="5.1.1", diagnostic="550 no"),
         "mail m came back for good (5.1.1: 550 no)"),
        (WorkerStarted(application="core", release="0.1", settings_digest="ab12", rules_digest=""),
         "core 0.1 started with settings ab12"),
        (WorkerStarted(application="core", release="0.1", settings_digest="ab12",
                       rules_digest="cd34"),
         "core 0.1 started with settings ab12 and rules cd34"),
        (AddressComplained(address="joe@x", mail_id="m", happened_at=0),
         "somebody called mail m spam"),
        (AddressSuppressed(address="joe@x", reason=SuppressionReason.MANUAL, detail="ann",
                           until=LATER),
         "suppressed (by hand: ann), until 2025-10-12T08:53:20.000000Z"),
        (AddressReleased(address="joe@x", detail="a mail was delivered"),
         "released (a mail was delivered)"),
        (SendingPaused(scope="", since=0, by="ann", why="lunch"),
         "ann pauses sending of the whole fleet (lunch)"),
        (SendingResumed(scope="shop", by="ann", why=""), "ann resumes sending of shop"),
        (AliasChanged(alias="a@x", version=3, tenant="t", targets=("b@x", "c@x"), moderated=True,
                      schedule=PLAN, by="ann"),
         ("ann puts a@x for b@x and c@x (version 3), moderated, sent not before "
          "2025-10-09T08:53:20.000000Z, 1 min 30 s after its receipt and in "
          "daily 08:00-18:00 UTC")),
        (AliasRemoved(alias="a@x", version=4, by="ann"), "ann removes a@x (version 4)"),
        (fired(TimerKind.MODERATION), "the moderators' time is over"),
    ],
)  # fmt: skip
def test_what_people_and_rules_do_is_told(event: Event, words: str) -> None:
    """Who, what and why."""
    assert sentence(event, RECEIVED_AT, PEOPLE) == words


@pytest.mark.parametrize("at", [2**63 - 1, -(2**63), 10**18])
def test_a_time_beyond_the_calendar_is_a_number(at: int) -> None:
    """Whatever stands on the log can be told."""
    words = f"{at} microseconds after 1970"
    assert sentence(SendTimeSet(at=at, by="ann"), RECEIVED_AT, PEOPLE) == (
        f"to be sent at {words}, as ann wants it"
    )
    (line,) = tell(judged("m", _stored(fact(fired(TimerKind.LOOKUP), at=at))))
    assert line == f"{words}: time to look it up again"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0004, "at once"),
        (-3, "at once"),
        (0.012, "0.012 s later"),
        (0.4, "0.4 s later"),
        (9.94, "9.9 s later"),
        (12, "12 s later"),
        (60, "1 min later"),
        (200, "3 min 20 s later"),
        (3600, "1 h later"),
        (3605, "1 h later"),
        (190_000, "2 d 4 h later"),
    ],
)
def test_times_between_have_the_units_that_matter(seconds: float, words: str) -> None:
    """Milliseconds for what is quick, days for what is not; clocks that differ don't go back."""
    assert later(round(seconds * SECOND_US)) == words


@given(st.integers(min_value=0, max_value=10**15))
def test_every_duration_has_words(elapsed_us: int) -> None:
    """Never an empty text."""
    assert duration(elapsed_us)[0].isdigit()


def test_lists_read_as_sentences() -> None:
    """With commas and one ``and``."""
    assert [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "nothing",
        "a",
        "a and b",
        "a, b and c",
    ]
