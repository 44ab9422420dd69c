"""What SES tells afterwards, and what follows for the addresses that it is about."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.structure import personal
from schemas.values import SuppressionReason


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryConfirmed:
    """The receiving mail server took the mail."""

    target: int
    attempt_id: str
    provider_message_id: str
    happened_at: int
    smtp_response: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryDelayed:
    """The receiving mail server doesn't take the mail yet; SES goes on trying."""

    target: int
    attempt_id: str
    provider_message_id: str
    happened_at: int
    delay_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BounceReceived:
    """The mail came back: SES has given up, be the bounce permanent or transient."""

    target: int
    attempt_id: str
    provider_message_id: str
    happened_at: int
    bounce_type: str
    bounce_subtype: str
    diagnostic: str = personal()


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplaintReceived:
    """The person at the target called the mail spam."""

    target: int
    attempt_id: str
    provider_message_id: str
    happened_at: int
    complaint_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRejected:
    """SES accepted the call and then found a virus: nothing was sent (SES's "Reject")."""

    target: int
    attempt_id: str
    provider_message_id: str
    happened_at: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressBounced:
    """A mail to the address came back, for good or perhaps not."""

    address: str = personal()
    mail_id: str
    permanent: bool
    happened_at: int
    diagnostic: str = personal()


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressComplained:
    """Somebody at the address called a mail spam."""

    address: str = personal()
    mail_id: str
    happened_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressDelivered:
    """A mail reached the address, of which bounces were on record."""

    address: str = personal()
    mail_id: str
    happened_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressSuppressed:
    """Nothing is sent to the address until ``until`` (0: until it is released)."""

    address: str = personal()
    reason: SuppressionReason
    detail: str = personal()
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressReleased:
    """The address may be sent to again, and its bounces are forgotten."""

    address: str = personal()
    detail: str = personal()
