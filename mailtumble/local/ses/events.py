"""The events that SES publishes about a mail that it accepted. Pure.

Shapes: SES developer guide, "Examples of event data that Amazon SES publishes
to Amazon SNS". What becomes of a mail is decided by the recipient's address, as
with the SES mailbox simulator; every other address gets its mail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from mailtumble.local.ses.headers import HeaderField
from mailtumble.local.ses.identifiers import timestamp
from mailtumble.local.ses.notification import JsonObject, common_headers, encode, header_lists
from mailtumble.local.ses.send_request import address_of

SIMULATOR_DOMAIN = "simulator.amazonses.com"
_REMOTE_MTA = "mta.local"
_SUPPRESSED = (
    "Amazon SES did not send the message to this address because it is on the"
    " suppression list for your account."
)


class Outcome(Enum):
    """What becomes of the mail to one recipient."""

    DELIVERED = "delivered"
    BOUNCED = "bounced"
    SUPPRESSED = "suppressed"
    COMPLAINED = "complained"
    """Delivered, and then marked as junk."""


_SIMULATED = {
    "success": Outcome.DELIVERED,
    "ooto": Outcome.DELIVERED,
    "bounce": Outcome.BOUNCED,
    "complaint": Outcome.COMPLAINED,
    "suppressionlist": Outcome.SUPPRESSED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedMail:
    """What the events about a mail tell of it."""

    message_id: str
    accepted_at: datetime
    source: str
    recipients: tuple[str, ...]
    tags: tuple[tuple[str, str], ...]
    configuration_set: str
    source_ip: str
    fields: Sequence[HeaderField]


@dataclass(frozen=True, slots=True)
class AccountIdentity:
    """Whose events they are: account and region, out of the topic's ARN."""

    account_id: str
    region: str

    @classmethod
    def of_topic(cls, topic_arn: str) -> AccountIdentity:
        """Read ``arn:aws:sns:REGION:ACCOUNT:NAME``. Raises ValueError."""
        match topic_arn.split(":"):
            case ["arn", _, "sns", region, account_id, _]:
                return cls(account_id, region)
            case _:
                raise ValueError(f"{topic_arn!r} is not the ARN of an SNS topic")


def outcome_of(recipient: str) -> Outcome:
    """Return what becomes of a mail to this address; labels (``bounce+x@``) don't matter."""
    local_part, _, domain = recipient.lower().rpartition("@")
    if domain != SIMULATOR_DOMAIN:
        return Outcome.DELIVERED
    return _SIMULATED.get(local_part.partition("+")[0], Outcome.DELIVERED)


def sending_events(
    mail: AcceptedMail, identity: AccountIdentity, now: datetime, new_feedback_id: Callable[[], str]
) -> tuple[str, ...]:
    """Return the events of a mail as JSON, in the order in which SES publishes them.

    One ``Send``, then one event for each outcome with the recipients that had it.
    """
    described = {"mail": _mail(mail, identity)}
    by_outcome: dict[Outcome, list[str]] = {}
    for recipient in mail.recipients:
        by_outcome.setdefault(outcome_of(recipient), []).append(recipient)
    complained = by_outcome.get(Outcome.COMPLAINED, [])
    delivered = [*by_outcome.get(Outcome.DELIVERED, []), *complained]

    events: list[JsonObject] = [{"eventType": "Send", **described, "send": {}}]
    if delivered:
        events.append(_delivery(described, delivered, mail.accepted_at, now))
    events.extend(
        _bounce(described, outcome, by_outcome[outcome], now, new_feedback_id())
        for outcome in (Outcome.BOUNCED, Outcome.SUPPRESSED)
        if outcome in by_outcome
    )
    if complained:
        events.append(_complaint(described, complained, now, new_feedback_id()))
    return tuple(encode(event) for event in events)


def _mail(mail: AcceptedMail, identity: AccountIdentity) -> JsonObject:
    address = address_of(mail.source)
    tags: dict[str, list[str]] = {
        "ses:configuration-set": [mail.configuration_set],
        "ses:source-ip": [mail.source_ip],
        "ses:from-domain": [address.rpartition("@")[2]],
        "ses:caller-identity": ["local"],
    }
    for name, value in mail.tags:
        tags.setdefault(name, []).append(value)
    return {
        "timestamp": timestamp(mail.accepted_at),
        "source": mail.source,
        "sourceArn": f"arn:aws:ses:{identity.region}:{identity.account_id}:identity/{address}",
        "sendingAccountId": identity.account_id,
        "messageId": mail.message_id,
        "destination": list(mail.recipients),
        **header_lists(mail.fields),
        # SES replaces the Message-ID by one of its own.
        "commonHeaders": {**common_headers(mail.fields), "messageId": mail.message_id},
        "tags": tags,
    }


def _delivery(
    described: JsonObject, recipients: Sequence[str], accepted_at: datetime, now: datetime
) -> JsonObject:
    mail = described["mail"]
    return {
        "eventType": "Delivery",
        "mail": {**mail, "tags": {**mail["tags"], "ses:outgoing-ip": ["127.0.0.1"]}},
        "delivery": {
            "timestamp": timestamp(now),
            "processingTimeMillis": int((now - accepted_at).total_seconds() * 1000),
            "recipients": list(recipients),
            "smtpResponse": "250 2.6.0 Message received",
            "reportingMTA": _REMOTE_MTA,
        },
    }


def _bounce(
    described: JsonObject,
    outcome: Outcome,
    recipients: Iterable[str],
    now: datetime,
    feedback_id: str,
) -> JsonObject:
    suppressed = outcome is Outcome.SUPPRESSED
    diagnostic = _SUPPRESSED if suppressed else "smtp; 550 5.1.1 user unknown"
    bounced = [
        {
            "emailAddress": recipient,
            "action": "failed",
            "status": "5.1.1",
            "diagnosticCode": diagnostic,
        }
        for recipient in recipients
    ]
    bounce = {
        "bounceType": "Permanent",
        "bounceSubType": "OnAccountSuppressionList" if suppressed else "General",
        "bouncedRecipients": bounced,
        "timestamp": timestamp(now),
        "feedbackId": feedback_id,
        "reportingMTA": "dns; amazonses.com" if suppressed else f"dsn; {_REMOTE_MTA}",
    }
    return {"eventType": "Bounce", "bounce": bounce, **described}


def _complaint(
    described: JsonObject, recipients: Iterable[str], now: datetime, feedback_id: str
) -> JsonObject:
    complaint = {
        "complainedRecipients": [{"emailAddress": recipient} for recipient in recipients],
        "timestamp": timestamp(now),
        "feedbackId": feedback_id,
        "userAgent": "Amazon SES Mailbox Simulator",
        "complaintFeedbackType": "abuse",
        "arrivalDate": timestamp(now),
    }
    return {"eventType": "Complaint", "complaint": complaint, **described}
