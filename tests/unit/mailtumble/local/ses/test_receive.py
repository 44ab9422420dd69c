"""The receipt of a mail."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from botocore.exceptions import EndpointConnectionError

from mailtumble.local.ses.receive import Receiver
from mailtumble.local.ses.rules import ReceiptRule
from tests.unit.mailtumble.local.ses.fake_aws import InMemoryS3, InMemorySns

ARN = "arn:aws:sns:us-east-1:000000000000:inbound"
RULE = ReceiptRule(name="all", bucket="bucket", object_prefix="in/", topic_arn=ARN)


def test_mail_is_stored_byte_for_byte_and_then_announced(
    s3: InMemoryS3, sns: InMemorySns, real_mails: dict[str, bytes]
) -> None:
    """The object named by the message id holds exactly what came; the notification names it."""
    receiver = Receiver(s3, sns, [RULE])
    for raw in real_mails.values():
        message_id = receiver.receive(raw, "s@x.example", ["r@y.example"])
        assert re.fullmatch(r"[0-9a-z]{40}", message_id)
        assert s3.objects["bucket", f"in/{message_id}"] == raw
        topic, text = sns.messages[-1]
        notification = json.loads(text)
        assert topic == ARN
        assert notification["receipt"]["action"]["objectKey"] == f"in/{message_id}"
        assert notification["receipt"]["recipients"] == ["r@y.example"]
    assert len(s3.objects) == len(sns.messages) == len(real_mails)


def test_mail_that_cannot_be_stored_is_not_announced(s3: InMemoryS3, sns: InMemorySns) -> None:
    """A failed put raises before anything is published."""
    s3.failures = 1
    with pytest.raises(EndpointConnectionError):
        Receiver(s3, sns, [RULE]).receive(b"\r\n", "s@x.example", ["r@y.example"])
    assert sns.messages == []


def test_mail_that_cannot_be_announced_is_not_received(s3: InMemoryS3, sns: InMemorySns) -> None:
    """A failed publication raises, so that whoever sent the mail tries again."""
    sns.failures = 1
    with pytest.raises(EndpointConnectionError):
        Receiver(s3, sns, [RULE]).receive(b"\r\n", "s@x.example", ["r@y.example"])
    assert sns.messages == []


@pytest.mark.parametrize("null", ["", "<>"])
def test_null_reverse_path_is_shown_as_such(s3: InMemoryS3, sns: InMemorySns, null: str) -> None:
    """A bounce's sender is ``<>``."""
    Receiver(s3, sns, [RULE]).receive(b"Subject: x\r\n\r\n", null, ["r@y.example"])
    assert json.loads(sns.messages[0][1])["mail"]["source"] == "<>"


def test_each_rule_stores_and_announces_for_its_own_recipients_under_one_id(
    s3: InMemoryS3, sns: InMemorySns
) -> None:
    """A mail for two domains with a rule each: two objects, two notifications, one message id."""
    one = replace(RULE, name="one", object_prefix="one/", recipients=["one.example"])
    two = replace(RULE, name="two", object_prefix="two/", recipients=["two.example"])
    other = replace(RULE, name="other", recipients=["other.example"])
    receiver = Receiver(s3, sns, [one, two, other])
    recipients = ["a@one.example", "b@two.example", "c@two.example"]
    message_id = receiver.receive(b"Subject: x\r\n\r\n", "s@x.example", recipients)
    assert set(s3.objects) == {("bucket", f"one/{message_id}"), ("bucket", f"two/{message_id}")}
    told = [json.loads(text)["receipt"]["recipients"] for _, text in sns.messages]
    assert told == [["a@one.example"], ["b@two.example", "c@two.example"]]
    assert receiver.accepts("c@two.example")
    assert not receiver.accepts("c@three.example")
