"""What SES tells afterwards, and what follows for the addresses that it is about."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.structure import personal
from schemas.values import PERMANENT, UNKNOWN_SOURCE, MailSource, SuppressionReason


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
    """The receiving mail server doesn't take the mail yet; SES goes on trying.

    ``enhanced_status`` is the server's status code (RFC 3463), like ``4.4.1``; ``diagnostic`` is
    what the server said. Both are empty if SES did not tell.
    """

    target: int
    attempt_id: str
    provider_message_id: str
    happened_at: int
    delay_type: str
    enhanced_status: str = ""
    diagnostic: str = personal(default="")


@dataclass(frozen=True, slots=True, kw_only=True)
class BounceReceived:
    """The mail came back: SES has given up, be the bounce permanent or transient.

    ``enhanced_status`` is the receiving server's status code (RFC 3463), like ``5.1.1``, or empty
    if SES did not tell.
    """

    target: int
    attempt_id: str
    provider_message_id: str
    happened_at: int
    bounce_type: str
    bounce_subtype: str
    diagnostic: str = personal()
    enhanced_status: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplaintReceived:
    """The person at the target told their provider about the mail, as a rule that it is spam.

    ``feedback_type`` is what that person said (RFC 5965: ``abuse``, ``not-spam``, ...), empty if
    the provider did not tell. ``complaint_subtype`` is ``OnAccountSuppressionList`` if SES withheld
    the mail because of its own list, else empty.
    """

    target: int
    attempt_id: str
    provider_message_id: str
    happened_at: int
    feedback_type: str
    complaint_subtype: str = ""


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
    """A mail to the address came back, for good or perhaps not.

    What came back, and how, is as :class:`BounceReceived` has it; whose mail it was is as
    :class:`MailSource` says.
    """

    address: str = personal()
    mail_id: str
    happened_at: int
    bounce_type: str
    bounce_subtype: str = ""
    enhanced_status: str = ""
    diagnostic: str = personal()
    source: MailSource = UNKNOWN_SOURCE

    @property
    def permanent(self) -> bool:
        """Whether SES calls the bounce final."""
        return self.bounce_type == PERMANENT


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressComplained:
    """Somebody at the address complained about a mail; see :class:`ComplaintReceived`."""

    address: str = personal()
    mail_id: str
    happened_at: int
    feedback_type: str = ""
    complaint_subtype: str = ""
    source: MailSource = UNKNOWN_SOURCE


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressDelivered:
    """A mail reached the address, of which bounces were on record."""

    address: str = personal()
    mail_id: str
    happened_at: int
    source: MailSource = UNKNOWN_SOURCE


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
