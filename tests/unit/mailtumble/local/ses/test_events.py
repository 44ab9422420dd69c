"""The events about sent mail, beside Amazon's samples."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mailtumble.local.ses.events import (
    AcceptedMail,
    AccountIdentity,
    Outcome,
    outcome_of,
    sending_events,
)
from mailtumble.local.ses.headers import parse_fields
from mailtumble.local.ses.notification import SNS_MESSAGE_BYTES_MAX

ACCEPTED_AT = datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)
IDENTITY = AccountIdentity.of_topic("arn:aws:sns:eu-west-1:123456789012:feedback")
RAW = (
    b"From: Sender Name <sender@x.example>\r\nTo: recipient@y.example\r\n"
    b"Subject: =?utf-8?Q?=C3=A4?=\r\nMessage-ID: <own@x.example>\r\n\r\n"
)


def _events(*recipients: str, raw: bytes = RAW) -> list[dict[str, Any]]:
    mail = AcceptedMail(
        message_id="0100-id",
        accepted_at=ACCEPTED_AT,
        source="Sender Name <sender@x.example>",
        recipients=recipients,
        tags=(("attempt", "a-1"), ("mail", "m-1")),
        configuration_set="events",
        source_ip="127.0.0.1",
        fields=parse_fields(raw),
    )
    numbers = itertools.count(1)
    now = ACCEPTED_AT + timedelta(milliseconds=250)
    texts = sending_events(mail, IDENTITY, now, lambda: f"feedback-{next(numbers)}")
    assert all(len(text) <= SNS_MESSAGE_BYTES_MAX for text in texts)
    return [json.loads(text) for text in texts]


@pytest.mark.parametrize(
    ("address", "outcome"),
    [
        ("anyone@y.example", Outcome.DELIVERED),
        ("bounce@y.example", Outcome.DELIVERED),
        ("success@simulator.amazonses.com", Outcome.DELIVERED),
        ("ooto+x@simulator.amazonses.com", Outcome.DELIVERED),
        ("Bounce+label-1@Simulator.AmazonSES.com", Outcome.BOUNCED),
        ("complaint@simulator.amazonses.com", Outcome.COMPLAINED),
        ("suppressionlist@simulator.amazonses.com", Outcome.SUPPRESSED),
        ("unknown@simulator.amazonses.com", Outcome.DELIVERED),
    ],
)
def test_simulator_addresses_decide_the_outcome(address: str, outcome: Outcome) -> None:
    """Only the simulator's own domain simulates; labels and case don't matter."""
    assert outcome_of(address) is outcome


@pytest.mark.parametrize(
    ("recipient", "types"),
    [
        ("anyone@y.example", ["Send", "Delivery"]),
        ("success@simulator.amazonses.com", ["Send", "Delivery"]),
        ("ooto@simulator.amazonses.com", ["Send", "Delivery"]),
        ("bounce@simulator.amazonses.com", ["Send", "Bounce"]),
        ("suppressionlist@simulator.amazonses.com", ["Send", "Bounce"]),
        ("complaint@simulator.amazonses.com", ["Send", "Delivery", "Complaint"]),
    ],
)
def test_events_follow_in_the_order_of_the_outcome(
    recipient: str, types: list[str], sample: Callable[[str], Any]
) -> None:
    """Each event has the keys of Amazon's sample of its type."""
    events = _events(recipient)
    assert [event["eventType"] for event in events] == types
    for event in events:
        kind = event["eventType"].lower()
        expected = sample(f"feedback-{kind}-record")
        assert event.keys() == expected.keys()
        assert event[kind].keys() == expected[kind].keys()
        assert event["mail"].keys() == expected["mail"].keys()
        assert event["mail"]["commonHeaders"].keys() == expected["mail"]["commonHeaders"].keys()
        ours = {key for key in event["mail"]["tags"] if key.startswith("ses:")}
        assert ours == {key for key in expected["mail"]["tags"] if key.startswith("ses:")}


def test_mail_is_described_with_its_tags_as_arrays() -> None:
    """Tags, identity and SES's own message id are those of the call."""
    mail = _events("recipient@y.example")[0]["mail"]
    assert mail["timestamp"] == "2026-01-02T03:04:05.678Z"
    assert mail["messageId"] == mail["commonHeaders"]["messageId"] == "0100-id"
    assert mail["sourceArn"] == "arn:aws:ses:eu-west-1:123456789012:identity/sender@x.example"
    assert mail["sendingAccountId"] == "123456789012"
    assert mail["commonHeaders"]["subject"] == "ä"
    assert mail["tags"] == {
        "ses:configuration-set": ["events"],
        "ses:source-ip": ["127.0.0.1"],
        "ses:from-domain": ["x.example"],
        "ses:caller-identity": ["local"],
        "attempt": ["a-1"],
        "mail": ["m-1"],
    }


def test_bounces_tell_unknown_users_from_suppressed_addresses() -> None:
    """Both are permanent; the sub-type differs."""
    unknown = _events("bounce@simulator.amazonses.com")[1]["bounce"]
    suppressed = _events("suppressionlist@simulator.amazonses.com")[1]["bounce"]
    assert (unknown["bounceType"], unknown["bounceSubType"]) == ("Permanent", "General")
    assert (suppressed["bounceType"], suppressed["bounceSubType"]) == (
        "Permanent",
        "OnAccountSuppressionList",
    )
    assert [r["emailAddress"] for r in unknown["bouncedRecipients"]] == [
        "bounce@simulator.amazonses.com"
    ]


def test_recipients_share_the_event_of_their_outcome() -> None:
    """A mail to several has one Send and one event for each outcome; feedback ids differ."""
    events = _events(
        "a@y.example",
        "bounce+1@simulator.amazonses.com",
        "complaint@simulator.amazonses.com",
        "bounce+2@simulator.amazonses.com",
        "suppressionlist@simulator.amazonses.com",
    )
    kinds = [event["eventType"] for event in events]
    assert kinds == ["Send", "Delivery", "Bounce", "Bounce", "Complaint"]
    assert events[1]["delivery"]["recipients"] == [
        "a@y.example",
        "complaint@simulator.amazonses.com",
    ]
    assert events[1]["delivery"]["processingTimeMillis"] == 250
    assert len(events[2]["bounce"]["bouncedRecipients"]) == 2
    ids = [event[event["eventType"].lower()].get("feedbackId") for event in events[2:]]
    assert len(set(ids)) == 3


def test_event_of_a_mail_with_endless_headers_fits_into_sns() -> None:
    """Header fields are cut, as they are for received mail."""
    raw = b"To: " + b", ".join(b"recipient%05d@y.example" % n for n in range(20_000)) + b"\r\n\r\n"
    assert _events("a@y.example", raw=raw)[0]["mail"]["headersTruncated"] is True


@pytest.mark.parametrize("arn", ["", "feedback", "arn:aws:sqs:eu-west-1:123456789012:feedback"])
def test_what_is_no_topic_has_no_identity(arn: str) -> None:
    """Only a topic's ARN tells account and region."""
    with pytest.raises(ValueError, match="ARN of an SNS topic"):
        AccountIdentity.of_topic(arn)
