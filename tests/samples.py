"""One mail and what can be told of it: ready-made events, of which a test changes what it is about.

The mail goes to ``sales@example.com``, an alias of tenant ``shop``; times are seconds after its
receipt at :data:`RECEIVED_AT`.
"""

from __future__ import annotations

from typing import Any, Final

from schemas.envelope import EventEnvelope, Head
from schemas.events import (
    BounceReceived,
    CommandAnswered,
    CommandGiven,
    ComplaintReceived,
    DeliveryConfirmed,
    DeliveryDelayed,
    Event,
    MailReceived,
    RecordQuarantined,
    RouteResolved,
    SendAccepted,
    SendDeferred,
    SendFailed,
    SendRejected,
    SendScheduled,
    SendStarted,
    SendUnknown,
    TimerFired,
)
from schemas.ids import mail_id, mail_subject
from schemas.values import (
    ALWAYS,
    DAY_US,
    SECOND_US,
    Command,
    DeferReason,
    Schedule,
    Target,
    TimerKind,
    UnknownPolicy,
    Verdicts,
)

RECEIVED_AT: Final = 1_760_000_000 * SECOND_US
SES_MESSAGE_ID: Final = "d6iitobk75ur44p8kdnnp7g2n800"
RECIPIENT: Final = "sales@example.com"
MAIL_ID: Final = mail_id(SES_MESSAGE_ID, RECIPIENT)
SUBJECT: Final = mail_subject(MAIL_ID)
SES_ID: Final = "01000157c44f053b-61b59c11"

QUARANTINED = RecordQuarantined(
    application="core",
    shard_id="shardId-000000000000",
    sequence_number="1",
    partition_key="mail:1",
    reason="not msgpack",
    bucket="mail",
    object_key="quarantine/1",
)
"""A record of the mail that core could not read."""


def after(seconds: float) -> int:
    """A time so many seconds after the receipt, in microseconds UTC."""
    return RECEIVED_AT + round(seconds * SECOND_US)


def received(**changes: Any) -> MailReceived:  # noqa: ANN401 - the event's fields
    """The mail arrives."""
    fields: dict[str, Any] = {
        "ses_message_id": SES_MESSAGE_ID,
        "recipient": RECIPIENT,
        "envelope_sender": "ann@example.net",
        "subject_line": "Hello",
        "size_bytes": 2048,
        "bucket": "mail",
        "object_key": f"inbound/{SES_MESSAGE_ID}",
        "notification_key": f"notifications/{SES_MESSAGE_ID}.json",
        "received_at": RECEIVED_AT,
        "verdicts": Verdicts(spam="PASS", virus="PASS"),
    }
    return MailReceived(**{**fields, **changes})


def resolved(
    *addresses: str,
    on_unknown: UnknownPolicy = UnknownPolicy.RESEND,
    moderated: bool = False,
    schedule: Schedule = ALWAYS,
) -> RouteResolved:
    """The alias stands for these addresses (one, where none is given)."""
    return RouteResolved(
        alias=RECIPIENT,
        alias_version=1,
        tenant="shop",
        targets=tuple(Target(address=each) for each in addresses or ("bob@example.org",)),
        on_unknown=on_unknown,
        moderated=moderated,
        schedule=schedule,
    )


def scheduled(attempt: str = "attempt-1", **changes: Any) -> SendScheduled:  # noqa: ANN401 - fields
    """An attempt at the first target, due at once."""
    fields: dict[str, Any] = {
        "target": 0,
        "address": "bob@example.org",
        "number": 1,
        "attempt_id": attempt,
        "due_at": RECEIVED_AT,
        "expires_at": RECEIVED_AT + 3 * DAY_US,
        "tenant": "shop",
    }
    return SendScheduled(**{**fields, **changes})


def started(
    attempt: str = "attempt-1", round_: int = 0, target: int = 0, *, watched: bool = False
) -> SendStarted:
    """A sender announces a call."""
    return SendStarted(
        target=target,
        attempt_id=attempt,
        round=round_,
        instant_at=after(1),
        send_before=after(5),
        owner="sender-1",
        watched=watched,
    )


def accepted(attempt: str = "attempt-1", target: int = 0, **changes: Any) -> SendAccepted:  # noqa: ANN401 - fields
    """SES replied with its id."""
    fields: dict[str, Any] = {
        "target": target,
        "attempt_id": attempt,
        "provider_message_id": SES_ID,
        "called_at": after(1),
        "size_bytes": 2100,
    }
    return SendAccepted(**{**fields, **changes})


def deferred(
    reason: DeferReason, attempt: str = "attempt-1", round_: int = 0, target: int = 0
) -> SendDeferred:
    """No mail went out this time."""
    return SendDeferred(
        target=target,
        attempt_id=attempt,
        round=round_,
        reason=reason,
        detail="said SES",
        called_at=after(1),
    )


def failed(attempt: str = "attempt-1", target: int = 0) -> SendFailed:
    """SES refuses the message for good."""
    return SendFailed(
        target=target,
        attempt_id=attempt,
        code="MessageRejected",
        detail="said SES",
        called_at=after(1),
    )


def unknown(attempt: str = "attempt-1", round_: int = 0, target: int = 0) -> SendUnknown:
    """The reply was lost; wait for the provider's event until a minute is over."""
    return SendUnknown(
        target=target,
        attempt_id=attempt,
        round=round_,
        reason="the connection broke",
        decide_at=after(60),
    )


def delivered(attempt: str = "attempt-1", target: int = 0) -> DeliveryConfirmed:
    """The receiving server took it."""
    return DeliveryConfirmed(
        target=target,
        attempt_id=attempt,
        provider_message_id=SES_ID,
        happened_at=after(3),
        smtp_response="250 ok",
    )


def delayed(attempt: str = "attempt-1", target: int = 0) -> DeliveryDelayed:
    """The receiving server doesn't take it yet."""
    return DeliveryDelayed(
        target=target,
        attempt_id=attempt,
        provider_message_id=SES_ID,
        happened_at=after(2),
        delay_type="MailboxFull",
        enhanced_status="4.2.2",
        diagnostic="smtp; 452 4.2.2 mailbox full",
    )


def bounced(attempt: str = "attempt-1", target: int = 0) -> BounceReceived:
    """It came back."""
    return BounceReceived(
        target=target,
        attempt_id=attempt,
        provider_message_id=SES_ID,
        happened_at=after(4),
        bounce_type="Permanent",
        bounce_subtype="General",
        diagnostic="smtp; 550 5.1.1 user unknown",
        enhanced_status="5.1.1",
    )


def complained(attempt: str = "attempt-1", target: int = 0) -> ComplaintReceived:
    """It was called spam."""
    return ComplaintReceived(
        target=target,
        attempt_id=attempt,
        provider_message_id=SES_ID,
        happened_at=after(5),
        feedback_type="abuse",
    )


def rejected(attempt: str = "attempt-1", target: int = 0) -> SendRejected:
    """SES found a virus in what it had accepted."""
    return SendRejected(
        target=target,
        attempt_id=attempt,
        provider_message_id=SES_ID,
        happened_at=after(2),
        reason="Bad content",
    )


def fired(kind: TimerKind, attempt: str = "", number: int = 0, due_at: int = 0) -> TimerFired:
    """A timer is due."""
    return TimerFired(kind=kind, attempt_id=attempt, number=number, due_at=due_at)


def ordered(command: Command, name: str = "command-1", **changes: Any) -> CommandGiven:  # noqa: ANN401 - fields
    """Ann wants something done."""
    fields: dict[str, Any] = {"command_id": name, "by": "ann", "why": "", "detail": ""}
    return CommandGiven(command=command, **{**fields, **changes})


def obeyed(answer: str, name: str = "command-1") -> CommandAnswered:
    """It is done."""
    return CommandAnswered(command_id=name, accepted=True, answer=answer)


def refused(answer: str, name: str = "command-1") -> CommandAnswered:
    """It can't be done."""
    return CommandAnswered(command_id=name, accepted=False, answer=answer)


def fact(
    *events: Event, name: str = "fact-1", subject: str = SUBJECT, at: int = 0
) -> EventEnvelope:
    """A record that builds on nothing."""
    return EventEnvelope(
        id=name,
        subject=subject,
        cause="outside",
        after=None,
        recorded_at=at or RECEIVED_AT,
        decider="intake",
        rule_version=0,
        events=events,
    )


def decision(
    *events: Event, name: str, builds_on: Head, subject: str = SUBJECT, decider: str = "mail"
) -> EventEnvelope:
    """A record that builds on another."""
    return EventEnvelope(
        id=name,
        subject=subject,
        cause="fact-1",
        after=builds_on,
        recorded_at=RECEIVED_AT,
        decider=decider,
        rule_version=1,
        events=events,
    )
