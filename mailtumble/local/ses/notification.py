"""The JSON of SES's notifications, as far as receiving and sending share it.

The shapes are those of the SES developer guide, "Contents of notifications for
Amazon SES email receiving". Pure: ids and times are given.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailtumble.local.ses.headers import (
    HeaderField,
    decoded,
    first_value,
    mailbox,
    mailboxes,
    parse_fields,
)
from mailtumble.local.ses.identifiers import timestamp

JsonObject = dict[str, Any]

HEADERS_BYTES_MAX = 10 * 1024
"""SES cuts the list of headers here and says so in ``headersTruncated``."""

SNS_MESSAGE_BYTES_MAX = 256 * 1024
"""The longest message that SNS publishes."""

_CUT_FIELD_BYTES = 8 * 1024
_VERDICTS = ("spamVerdict", "virusVerdict", "spfVerdict", "dkimVerdict", "dmarcVerdict")
_ADDRESS_HEADERS = {"from": "From", "to": "To", "cc": "Cc", "bcc": "Bcc", "replyTo": "Reply-To"}


@dataclass(frozen=True, slots=True)
class ReceiptContext:
    """What SES knows of a receipt beside the mail: the SMTP envelope and the S3 action."""

    message_id: str
    envelope_sender: str
    recipients: Sequence[str]
    received_at: datetime
    processing_time_ms: int
    topic_arn: str
    bucket: str
    object_prefix: str


def received_notification(raw: bytes, receipt: ReceiptContext) -> str:
    """Write the ``Received`` notification of an S3 action, at most 256 KB of ASCII JSON.

    Never fails on account of the mail. Header values that would burst SNS's
    limit (a To field of thousands of addresses) are cut; the recipients of the
    SMTP envelope never are. The headers are those of the stored bytes.
    """
    fields = parse_fields(raw)
    mail = {
        "timestamp": timestamp(receipt.received_at),
        "source": receipt.envelope_sender,
        "messageId": receipt.message_id,
        "destination": _distinct(address for _, address in mailboxes(fields, "To", "Cc")),
        **header_lists(fields),
    }
    mail["commonHeaders"] = {"returnPath": receipt.envelope_sender, **common_headers(fields)}
    return encode({"notificationType": "Received", "receipt": _receipt(receipt), "mail": mail})


def encode(notification: JsonObject) -> str:
    """Write a notification or event as ASCII JSON that SNS takes: at most 256 KB.

    One that is longer gets its ``mail`` cut: what header fields can make long.
    """
    text = json.dumps(notification)
    if len(text) > SNS_MESSAGE_BYTES_MAX:
        text = json.dumps({**notification, "mail": _cut(notification["mail"])})
    return text


def header_lists(fields: Sequence[HeaderField]) -> JsonObject:
    """Return ``headersTruncated`` and ``headers``, whole fields up to 10 KB."""
    kept: list[JsonObject] = []
    size_bytes = 0
    for field in fields:
        size_bytes += field.size_bytes
        if size_bytes > HEADERS_BYTES_MAX:
            return {"headersTruncated": True, "headers": kept}
        kept.append({"name": field.name, "value": field.value})
    return {"headersTruncated": False, "headers": kept}


def common_headers(fields: Sequence[HeaderField]) -> JsonObject:
    """Return ``commonHeaders``: decoded, only those that the mail has."""
    common: JsonObject = {}
    for key, name in _ADDRESS_HEADERS.items():
        found = [mailbox(*pair) for pair in mailboxes(fields, name)]
        if found:
            common[key] = found
    for key, name in (
        ("sender", "Sender"),
        ("date", "Date"),
        ("messageId", "Message-ID"),
        ("subject", "Subject"),
    ):
        value = first_value(fields, name)
        if value is not None:
            common[key] = decoded(value)
    return common


def _receipt(receipt: ReceiptContext) -> JsonObject:
    verdicts = {verdict: {"status": "PASS"} for verdict in _VERDICTS}
    return {
        "timestamp": timestamp(receipt.received_at),
        "processingTimeMillis": receipt.processing_time_ms,
        "recipients": list(receipt.recipients),
        **verdicts,
        "dmarcPolicy": "none",
        "action": {
            "type": "S3",
            "topicArn": receipt.topic_arn,
            "bucketName": receipt.bucket,
            "objectKeyPrefix": receipt.object_prefix,
            "objectKey": receipt.object_prefix + receipt.message_id,
        },
    }


def _cut(mail: JsonObject) -> JsonObject:
    """Bring everything that a header field can make long below 8 KB."""
    common = {name: _cut_value(value) for name, value in mail["commonHeaders"].items()}
    return {
        **mail,
        "source": _cut_value(mail["source"]),
        "destination": _cut_value(mail["destination"]),
        "commonHeaders": common,
        "headersTruncated": True,
    }


def _cut_value(value: str | list[str]) -> str | list[str]:
    if isinstance(value, str):
        # A character takes at most 12 bytes in ASCII JSON: a pair of \uXXXX.
        return value[: _CUT_FIELD_BYTES // 12]
    kept: list[str] = []
    size_bytes = 0
    for item in value:
        size_bytes += len(json.dumps(item)) + 2
        if size_bytes > _CUT_FIELD_BYTES:
            break
        kept.append(item)
    return kept


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
