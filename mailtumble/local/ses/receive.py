"""The receipt of a mail: S3 object first, then the notification."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

from mailtumble.local.ses.identifiers import inbound_message_id
from mailtumble.local.ses.notification import ReceiptContext, received_notification
from mailtumble.local.ses.rules import ReceiptRule

NULL_REVERSE_PATH = "<>"
"""How a mail without a sender (RFC 5321, section 4.5.5) is shown in a notification."""


class ObjectStore(Protocol):
    """What is needed of a boto3 S3 client."""

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> object:  # noqa: N803
        """Store the bytes, or raise."""


class Topic(Protocol):
    """What is needed of a boto3 SNS client."""

    def publish(self, *, TopicArn: str, Message: str) -> object:  # noqa: N803
        """Publish the message, or raise."""


class Receiver:
    """Carries out receipt rules.

    The bytes are stored exactly as they came. SES on AWS puts ``Return-Path``
    and ``Received`` fields of its own before the mail; this doesn't, so that
    a mail can be compared byte for byte with what was sent. The headers in the
    notification are those of the stored bytes too.
    """

    def __init__(self, s3: ObjectStore, sns: Topic, rules: Sequence[ReceiptRule]) -> None:
        """Store and announce by these rules."""
        self._s3 = s3
        self._sns = sns
        self._rules = tuple(rules)

    def accepts(self, address: str) -> bool:
        """Whether any rule is for this recipient."""
        return any(rule.matches(address) for rule in self._rules)

    def receive(self, raw: bytes, envelope_sender: str, recipients: Sequence[str]) -> str:
        """Store and announce one mail; return the message id that it was given.

        Each rule stores and announces for its own recipients, all under that one id.

        Raises what the clients raise. The mail has then not been received: if
        the object was stored already, it stays unannounced, and the next try
        gets an id of its own.
        """
        started = time.monotonic()
        received_at = datetime.now(UTC)
        message_id = inbound_message_id()
        for rule in self._rules:
            matched = [each for each in recipients if rule.matches(each)]
            if not matched:
                continue
            key = rule.object_prefix + message_id
            self._s3.put_object(Bucket=rule.bucket, Key=key, Body=raw)
            receipt = ReceiptContext(
                message_id=message_id,
                envelope_sender=envelope_sender or NULL_REVERSE_PATH,
                recipients=matched,
                received_at=received_at,
                processing_time_ms=int((time.monotonic() - started) * 1000),
                topic_arn=rule.topic_arn,
                bucket=rule.bucket,
                object_prefix=rule.object_prefix,
            )
            self._sns.publish(TopicArn=rule.topic_arn, Message=received_notification(raw, receipt))
        return message_id
