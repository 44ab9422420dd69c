"""A mail's way can be followed in the logs by its id, and its addresses stay out of them."""

from __future__ import annotations

import json
import logging

import pytest

from mailtumble.intake.service import Intake, IntakePorts
from mailtumble.logs import JsonLines, about
from mailtumble.worker import journal
from schemas.envelope import EventEnvelope
from schemas.events import (
    BounceReceived,
    Event,
    SendAccepted,
    SendDeferred,
    SendFailed,
    SendingPaused,
    SendingRestored,
    SendingResumed,
    SendingStopped,
    SendUnknown,
)
from schemas.ids import mail_id, mail_subject
from schemas.values import DeferReason
from tests.samples import received
from tests.simulation.notifications import received as notification
from tests.unit.mailtumble.cli.small_world import HOUSE, SmallWorld

MAIL = mail_id("ses-1", HOUSE)
ATTEMPT = {"target": 0, "attempt_id": "a-1"}


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Everything that is logged, as it would be written."""
    caplog.set_level(logging.DEBUG)
    caplog.handler.setFormatter(JsonLines())
    return caplog


def _lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    # By the text: fields are those of the time when a line was written.
    return [json.loads(line) for line in caplog.text.splitlines() if line.startswith("{")]


def test_every_step_of_a_mail_is_there_by_its_id(lines: pytest.LogCaptureFixture) -> None:
    """From intake's append to its completion; each with the record's sequence number."""
    world = SmallWorld()
    world.kept.put("mail", "inbound/ses-1", b"Subject: hello\r\n\r\nhello\r\n")
    world.intake.send([notification("ses-1", HOUSE, "hello", "mail", world.clock.now())])
    Intake(IntakePorts(world.intake, world.events, world.kept, "mail", world.clock)).step(0)
    world.work()
    world.clock.advance(1)
    world.send()
    mine = [line for line in _lines(lines) if line.get("mail") == MAIL]
    assert all(str(line["sequence"]).isdigit() for line in mine)
    told = {line.get("event") for line in mine}
    assert {"MailReceived", "RouteResolved", "SendScheduled", "SendStarted", "SendAccepted"} <= told
    assert {"MailCompleted"} <= told
    assert any(line["message"] == "MailReceived was appended" for line in mine)
    assert {line.get("target") for line in mine if line.get("event") == "SendAccepted"} == {0, 1}
    assert "@" not in lines.text


@pytest.mark.parametrize(
    ("outcome", "level", "told"),
    [
        (
            SendAccepted(**ATTEMPT, provider_message_id="p", called_at=1, size_bytes=2),
            "debug",
            {},
        ),
        (
            SendDeferred(
                **ATTEMPT,
                round=1,
                reason=DeferReason.THROTTLED,
                detail="joe@far.example is too fast",
                called_at=1,
            ),
            "info",
            {"reason": "throttled", "round": 1},
        ),
        (
            SendFailed(
                **ATTEMPT, code="MessageRejected", detail="joe@far.example: no", called_at=1
            ),
            "warning",
            {"code": "MessageRejected"},
        ),
        (
            SendUnknown(**ATTEMPT, round=1, reason="time-out to joe@far.example", decide_at=9),
            "warning",
            {},
        ),
    ],
)
def test_a_call_s_outcome_is_told_by_what_has_to_be_done_about_it(
    lines: pytest.LogCaptureFixture, outcome: Event, level: str, told: dict[str, object]
) -> None:
    """An acceptance is no news, a lost answer is. SES's own words stay out."""
    with about(mail="m-1", sequence="7"):
        journal.called(outcome)
    (line,) = _lines(lines)
    assert line["level"] == level
    assert {"mail": "m-1", "target": 0, "attempt": "a-1", **told}.items() <= line.items()
    assert "far.example" not in lines.text


@pytest.mark.parametrize(("application", "level"), [("core", "info"), ("sender", "debug")])
def test_what_is_notable_is_told_once(
    lines: pytest.LogCaptureFixture, application: str, level: str
) -> None:
    """Every application reads it; core tells it."""
    bounce = BounceReceived(
        target=0,
        attempt_id="a-1",
        provider_message_id="p-1",
        bounce_type="Permanent",
        bounce_subtype="General",
        diagnostic="550 joe@far.example unknown",
        happened_at=1,
    )
    journal.accepted(application, _record(bounce, received()))
    assert [line["level"] for line in _lines(lines)] == [level, "debug"]
    assert "far.example" not in lines.text


def test_of_other_subjects_the_kind_alone_is_told() -> None:
    """An alias's subject is its address."""
    assert journal.subject_fields("alias:info@house.example", "0012") == {
        "subject": "alias",
        "sequence": "12",
    }


def _record(*events: Event) -> EventEnvelope:
    return EventEnvelope(
        id="r-1",
        subject=mail_subject(MAIL),
        cause="c-1",
        after=None,
        recorded_at=1,
        decider="intake",
        rule_version=0,
        events=events,
    )


@pytest.mark.parametrize(
    ("event", "scope"),
    [
        (SendingPaused(scope="", since=0, by="ann", why="lunch"), "fleet"),
        (SendingPaused(scope="joe@far.example", since=0, by="ann", why="lunch"), "tenant"),
        (SendingResumed(scope="@far.example", by="ann", why=""), "domain"),
        (SendingStopped(scope="", why="suspended"), "account"),
        (SendingRestored(scope="far.example", stopped_at=1), "domain"),
    ],
)
def test_of_a_pause_and_a_stop_it_is_told_of_what_kind_of_thing(event: Event, scope: str) -> None:
    """Not its name: a tenant's may be an address."""
    fields = journal.event_fields(event)
    assert fields == {"event": type(event).__name__, "scope": scope}
