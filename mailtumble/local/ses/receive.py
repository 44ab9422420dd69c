"""The receipt of a mail: S3 object first, then the notification."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol

from mailtumble.local.ses.identifiers import inbound_message_id
from mailtumble.local.ses.notification import ReceiptContext, received_notification

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
    """An SES receipt rule with one action: S3, with a topic.

    The bytes are stored exactly as they came. SES on AWS puts ``Return-Path``
    and ``Received`` fields of its own before the mail; this doesn't, so that
    a mail can be compared byte for byte with what was sent. The headers in the
    notification are those of the stored bytes too.
    """

    def __init__(
        self, s3: ObjectStore, sns: Topic, bucket: str, topic_arn: str, prefix: str = "inbound/"
    ) -> None:
        """Store to ``bucket`` below ``prefix`` and publish to ``topic_arn``."""
        self._s3 = s3
        self._sns = sns
        self._bucket = bucket
        self._topic_arn = topic_arn
        self._prefix = prefix

    def receive(self, raw: bytes, envelope_sender: str, recipients: Sequence[str]) -> str:
        """Store and announce one mail; return the message id that it was given.

        Raises what the clients raise. The mail has then not been received: if
        the object was stored already, it stays unannounced, and the next try
        gets an id of its own.
        """
        started = time.monotonic()
        received_at = datetime.now(UTC)
        message_id = inbound_message_id()
        self._s3.put_object(Bucket=self._bucket, Key=self._prefix + message_id, Body=raw)
        receipt = ReceiptContext(
            message_id=message_id,
            envelope_sender=envelope_sender or NULL_REVERSE_PATH,
            recipients=recipients,
            received_at=received_at,
            processing_time_ms=int((time.monotonic() - started) * 1000),
            topic_arn=self._topic_arn,
            bucket=self._bucket,
            object_prefix=self._prefix,
        )
        notification = received_notification(raw, receipt)
        self._sns.publish(TopicArn=self._topic_arn, Message=notification)
        return message_id
