"""The notification of a receipt."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mailtumble.local.ses.notification import (
    SNS_MESSAGE_BYTES_MAX,
    ReceiptContext,
    received_notification,
)

RECEIPT = ReceiptContext(
    message_id="o3vrnil0e2ic28trm7dfhrc2v0clambda4nbp0g1",
    envelope_sender="bounces@sender.example",
    recipients=("hidden@here.example",),
    received_at=datetime(2015, 9, 11, 20, 32, 33, 936_400, UTC),
    processing_time_ms=222,
    topic_arn="arn:aws:sns:us-east-1:012345678912:example-topic",
    bucket="my-S3-bucket",
    object_prefix="inbound/",
)


def test_notification_of_an_s3_action_has_the_shape_of_a_real_one(
    sample: Callable[[str], Any],
) -> None:
    """Keys and types are those of Amazon's samples: S3 action, and no content."""
    sns_sample = sample("received-notification-of-an-sns-action")
    s3_sample = sample("ses-s3-event")["Records"][0]["ses"]
    notification = json.loads(received_notification(sns_sample["content"].encode(), RECEIPT))

    assert notification.keys() == sns_sample.keys() - {"content"}
    assert notification["mail"].keys() == sns_sample["mail"].keys()
    assert notification["mail"]["commonHeaders"].keys() == s3_sample["mail"]["commonHeaders"].keys()
    # objectKeyPrefix may be there (developer guide).
    assert notification["receipt"].keys() == s3_sample["receipt"].keys()
    assert notification["receipt"]["action"].keys() == {
        *s3_sample["receipt"]["action"],
        "objectKeyPrefix",
    }
    types = {key: type(value) for key, value in s3_sample["mail"].items()}
    assert {key: type(value) for key, value in notification["mail"].items()} == types


def test_notification_repeats_the_headers_of_the_sample_mail(sample: Callable[[str], Any]) -> None:
    """The sample's own content gives the headers that Amazon shows for it, but for the reordered.

    SES's sample notification differs from its content in Return-Path alone.
    """
    sns_sample = sample("received-notification-of-an-sns-action")
    notification = json.loads(received_notification(sns_sample["content"].encode(), RECEIPT))
    ours, theirs = notification["mail"]["headers"][1:], sns_sample["mail"]["headers"][1:]
    assert [(field["name"], field["value"].split()) for field in ours] == [
        (field["name"], field["value"].split()) for field in theirs
    ]


def test_notification_tells_smtp_envelope_and_headers_apart() -> None:
    """Recipients are those of RCPT TO; destination is what the headers say."""
    raw = b"From: Jo <jo@x.example>\r\nTo: L <list@x.example>\r\nCc: list@x.example, c@y\r\n\r\n"
    notification = json.loads(received_notification(raw, RECEIPT))
    assert notification["receipt"]["recipients"] == ["hidden@here.example"]
    assert notification["mail"]["destination"] == ["list@x.example", "c@y"]
    assert notification["mail"]["source"] == "bounces@sender.example"
    assert notification["mail"]["commonHeaders"] == {
        "returnPath": "bounces@sender.example",
        "from": ["Jo <jo@x.example>"],
        "to": ["L <list@x.example>"],
        "cc": ["list@x.example", "c@y"],
    }
    assert notification["mail"]["timestamp"] == "2015-09-11T20:32:33.936Z"
    assert notification["receipt"]["action"] == {
        "type": "S3",
        "topicArn": RECEIPT.topic_arn,
        "bucketName": "my-S3-bucket",
        "objectKeyPrefix": "inbound/",
        "objectKey": "inbound/" + RECEIPT.message_id,
    }


def test_every_real_mail_can_be_announced(real_mails: dict[str, bytes]) -> None:
    """No mail of the fixtures, however broken, fails the notification."""
    for path, raw in real_mails.items():
        notification = json.loads(received_notification(raw, RECEIPT))
        assert notification["mail"]["messageId"] == RECEIPT.message_id, path


@given(st.binary(max_size=2000))
def test_any_bytes_can_be_announced(raw: bytes) -> None:
    """No bytes at all fail the notification, and it is ASCII."""
    assert received_notification(raw, RECEIPT).isascii()


def test_headers_above_10_kb_are_truncated_whole() -> None:
    """Of 200 fields of 100 bytes, 102 fit into 10 KB; the common headers are still complete."""
    field = b"X-Long: " + b"x" * 90 + b"\r\n"
    raw = field * 200 + b"Subject: found\r\n\r\n"
    mail = json.loads(received_notification(raw, RECEIPT))["mail"]
    assert mail["headersTruncated"] is True
    assert len(mail["headers"]) == 102
    assert mail["commonHeaders"]["subject"] == "found"


def test_notification_fits_into_sns_however_long_the_headers_are() -> None:
    """Fields made of hundreds of kilobytes are cut; the SMTP envelope is not."""
    addresses = b", ".join(b"recipient%05d@very-long-domain-name.example" % n for n in range(9000))
    raw = b"To: " + addresses + b"\r\nCc: " + addresses + b"\r\nSubject: " + b"\0" * 300_000
    text = received_notification(raw, RECEIPT)
    notification = json.loads(text)
    assert len(text) <= SNS_MESSAGE_BYTES_MAX
    assert notification["mail"]["headersTruncated"] is True
    assert notification["mail"]["destination"][0] == "recipient00000@very-long-domain-name.example"
    assert notification["receipt"]["recipients"] == ["hidden@here.example"]
