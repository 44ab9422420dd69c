"""SES's notifications into events. Pure: text in, facts or a clear complaint out.

Shapes: SES developer guide, "Contents of notifications for Amazon SES email receiving" and
"Examples of event data that Amazon SES publishes to Amazon SNS". Unknown fields are ignored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from mailtumble.intake.sns import NoVerification, Verifier
from mailtumble.sender.transmission import TAG_ATTEMPT, TAG_MAIL, TAG_TARGET
from mailtumble.worker.application import Fact
from schemas.errors import BadInput
from schemas.events import (
    BounceReceived,
    ComplaintReceived,
    DeliveryConfirmed,
    DeliveryDelayed,
    Event,
    MailReceived,
    SendAccepted,
    SendRejected,
)
from schemas.ids import derive, mail_id, mail_subject
from schemas.values import SECOND_US, Observer, Verdicts

SOURCE: Final = "intake"
NO_VERIFICATION: Final = NoVerification()
SET_UP: Final = "Successfully validated SNS topic for Amazon SES"
"""What SES publishes when a topic becomes an event destination: text, no JSON."""
ENHANCED_STATUS: Final = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.]*\d)")
"""A status code of RFC 3463, section 2."""
SURROGATE: Final = re.compile(r"[\ud800-\udfff]|\\u[dD][89a-fA-F]")
"""Half a character of UTF-16, itself or escaped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A mail that SES took in, for each recipient that matched a receipt rule."""

    ses_message_id: str
    envelope_sender: str
    recipients: tuple[str, ...]
    subject_line: str
    received_at: int
    bucket: str
    object_key: str
    verdicts: Verdicts
    dmarc_policy: str = ""

    def facts(self, size_bytes: int, notification_key: str) -> tuple[Fact, ...]:
        """One ``MailReceived`` a recipient, each about a mail of its own."""
        return tuple(self._fact(each, size_bytes, notification_key) for each in self.recipients)

    def _fact(self, recipient: str, size_bytes: int, notification_key: str) -> Fact:
        event = MailReceived(
            ses_message_id=self.ses_message_id,
            recipient=recipient,
            envelope_sender=self.envelope_sender,
            subject_line=self.subject_line,
            size_bytes=size_bytes,
            bucket=self.bucket,
            object_key=self.object_key,
            notification_key=notification_key,
            received_at=self.received_at,
            verdicts=self.verdicts,
            dmarc_policy=self.dmarc_policy,
        )
        subject = mail_subject(mail_id(self.ses_message_id, recipient))
        name = derive("received", self.ses_message_id, recipient.lower())
        return Fact(name, subject, self.ses_message_id, SOURCE, (event,))


@dataclass(frozen=True, slots=True)
class Feedback:
    """What SES tells of a mail that we sent."""

    fact: Fact


@dataclass(frozen=True, slots=True)
class Nothing:
    """A notification that asks for nothing (an opened mail, a click, SES trying a topic)."""

    kind: str


def parse(body: str, verifier: Verifier = NO_VERIFICATION) -> Arrival | Feedback | Nothing:
    """Read the body of an SQS message.

    Raises:
        BadInput: it is no notification of SES's, or lacks what is needed; the text says what.
        RetryableError: its signature can't be verified now.
    """
    message = _json(body, "the message", verifier)
    if message.get("Type") == "Notification" and isinstance(message.get("Message"), str):
        if message["Message"].startswith(SET_UP):
            return Nothing("validation")
        message = _json(message["Message"], "the SNS message text")
    kind = message.get("eventType") or message.get("notificationType")
    try:
        if kind == "Received":
            return _arrival(message)
        if kind in _FEEDBACK:
            return _feedback(str(kind), message)
        if kind in _IGNORED:
            return Nothing(str(kind))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        text = f"a {kind} notification that can't be read: {type(error).__name__} {error}"
        raise BadInput(text) from error
    text = f"not a notification of SES's: its type is {kind!r}"
    raise BadInput(text)


def _json(text: str, what: str, verifier: Verifier = NO_VERIFICATION) -> dict[str, Any]:
    """The object in a text; verified as it came, before anything in it is mended."""
    try:
        value = json.loads(text)
        if isinstance(value, dict):
            verifier.verify(value)
        if SURROGATE.search(text):
            # JSON may hold half a character, which no UTF-8 can: a mail is not lost for that.
            whole = json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass")
            value = json.loads(whole.decode("utf-16", "replace"))
    except ValueError as error:
        message = f"{what} is not JSON: {error}"
        raise BadInput(message) from error
    except RecursionError as error:
        message = f"{what} is JSON nested too deeply"
        raise BadInput(message) from error
    if not isinstance(value, dict):
        message = f"{what} is JSON, but no object"
        raise BadInput(message)
    return value


def _arrival(message: Mapping[str, Any]) -> Arrival:
    mail, receipt = message["mail"], message["receipt"]
    action = receipt["action"]
    if action.get("type") != "S3":
        text = f"the receipt rule's action is {action.get('type')}; only S3 keeps a mail's bytes"
        raise BadInput(text)
    recipients = tuple(dict.fromkeys(_text(each) for each in receipt["recipients"]))
    if not recipients:
        text = "a Received notification without recipients"
        raise BadInput(text)
    verdicts = {
        name: str((receipt.get(f"{name}Verdict") or {}).get("status", ""))
        for name in ("spam", "virus", "spf", "dkim", "dmarc")
    }
    return Arrival(
        ses_message_id=_text(mail["messageId"]),
        envelope_sender=_text(mail.get("source") or "").strip("<>"),
        recipients=recipients,
        subject_line=str((mail.get("commonHeaders") or {}).get("subject") or ""),
        received_at=_moment(receipt.get("timestamp") or mail["timestamp"]),
        bucket=_text(action["bucketName"]),
        object_key=_text(action["objectKey"]),
        verdicts=Verdicts(**verdicts),
        dmarc_policy=str(receipt.get("dmarcPolicy") or "").lower(),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        message = f"expected text, found {type(value).__name__}"
        raise TypeError(message)
    return value


def _moment(text: str) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        message = f"{text} has no time zone"
        raise ValueError(message)
    return round(moment.timestamp() * 1000) * (SECOND_US // 1000)


@dataclass(frozen=True, slots=True)
class _About:
    """Which attempt a feedback is about, by the tags of the call, and its SES message id."""

    mail_id: str
    target: int
    attempt_id: str
    provider_message_id: str


def _feedback(kind: str, message: Mapping[str, Any]) -> Feedback:
    mail = message["mail"]
    tags = mail.get("tags") or {}
    try:
        about = _About(
            tags[TAG_MAIL][0], int(tags[TAG_TARGET][0]), tags[TAG_ATTEMPT][0], mail["messageId"]
        )
    except KeyError as error:
        text = f"a {kind} notification of a mail that was not sent by mailtumble: no {error}"
        raise BadInput(text) from error
    field, build = _FEEDBACK[kind]
    detail = message.get(field) or {}
    happened_at = _moment(detail.get("timestamp") or mail["timestamp"])
    event = build(about, detail, happened_at)
    marker = detail.get("feedbackId") or str(happened_at)
    name = derive("feedback", kind, about.attempt_id, about.provider_message_id, marker)
    fact = Fact(name, mail_subject(about.mail_id), about.provider_message_id, SOURCE, (event,))
    return Feedback(fact)


def _sent(about: _About, detail: Mapping[str, Any], at: int) -> Event:  # noqa: ARG001
    return SendAccepted(
        target=about.target,
        attempt_id=about.attempt_id,
        provider_message_id=about.provider_message_id,
        called_at=at,
        observed_by=Observer.PROVIDER,
    )


def _delivered(about: _About, detail: Mapping[str, Any], at: int) -> Event:
    return DeliveryConfirmed(
        target=about.target,
        attempt_id=about.attempt_id,
        provider_message_id=about.provider_message_id,
        happened_at=at,
        smtp_response=str(detail.get("smtpResponse", "")),
    )


def _first(recipients: object) -> Mapping[str, Any]:
    """Return what is said of the recipient; a mail of ours has one."""
    return recipients[0] if isinstance(recipients, list) and recipients else {}


def _diagnostic(recipient: Mapping[str, Any]) -> str:
    return str(recipient.get("diagnosticCode") or "")


def _status(recipient: Mapping[str, Any]) -> str:
    """Return the enhanced status code (RFC 3463); where SES gives none, that of the diagnostic."""
    given = str(recipient.get("status") or "")
    found = ENHANCED_STATUS.fullmatch(given) or ENHANCED_STATUS.search(_diagnostic(recipient))
    return found[0] if found else ""


def _delayed(about: _About, detail: Mapping[str, Any], at: int) -> Event:
    recipient = _first(detail.get("delayedRecipients"))
    return DeliveryDelayed(
        target=about.target,
        attempt_id=about.attempt_id,
        provider_message_id=about.provider_message_id,
        happened_at=at,
        delay_type=str(detail.get("delayType", "")),
        enhanced_status=_status(recipient),
        diagnostic=_diagnostic(recipient),
    )


def _bounced(about: _About, detail: Mapping[str, Any], at: int) -> Event:
    recipient = _first(detail.get("bouncedRecipients"))
    return BounceReceived(
        target=about.target,
        attempt_id=about.attempt_id,
        provider_message_id=about.provider_message_id,
        happened_at=at,
        bounce_type=str(detail["bounceType"]),
        bounce_subtype=str(detail.get("bounceSubType", "")),
        diagnostic=_diagnostic(recipient),
        enhanced_status=_status(recipient),
    )


def _complained(about: _About, detail: Mapping[str, Any], at: int) -> Event:
    return ComplaintReceived(
        target=about.target,
        attempt_id=about.attempt_id,
        provider_message_id=about.provider_message_id,
        happened_at=at,
        feedback_type=str(detail.get("complaintFeedbackType") or ""),
        complaint_subtype=str(detail.get("complaintSubType") or ""),
    )


def _rejected(about: _About, detail: Mapping[str, Any], at: int) -> Event:
    return SendRejected(
        target=about.target,
        attempt_id=about.attempt_id,
        provider_message_id=about.provider_message_id,
        happened_at=at,
        reason=str(detail.get("reason", "")),
    )


_Build = Callable[[_About, Mapping[str, Any], int], Event]
_FEEDBACK: Final[dict[object, tuple[str, _Build]]] = {
    "Send": ("send", _sent),
    "Delivery": ("delivery", _delivered),
    "DeliveryDelay": ("deliveryDelay", _delayed),
    "Bounce": ("bounce", _bounced),
    "Complaint": ("complaint", _complained),
    "Reject": ("reject", _rejected),
}
"""eventType -> the field with the detail, and what makes an event of it."""

_IGNORED: Final = frozenset({"Open", "Click", "Subscription", "Rendering Failure"})
