"""What the demo plays: the aliases, and the mails with how each is to end. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from schemas.values import Status

ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "info@house.example": ("jane@example.com",),
    "team@house.example": ("ann@example.com", "bob@example.net", "cho@example.org"),
    "@shop.example": ("owner@example.com",),
    "gone@house.example": ("bounce@simulator.amazonses.com",),
    "angry@house.example": ("complaint@simulator.amazonses.com",),
}
"""Alias -> targets. The simulator's addresses bounce and complain as they do at SES."""

SENDER: Final = "sender@elsewhere.example"


@dataclass(frozen=True, slots=True)
class Scene:
    """One mail handed in by SMTP: to each recipient, and how it is to end for each.

    ``targets``: how many targets each recipient's mail has (1 where nobody knows the alias: the
    mail itself is then what ends).
    """

    title: str
    file: str
    recipients: Mapping[str, Status]
    targets: int = 1


SCENES: Final = (
    Scene("A plain mail", "plain_emails/basic_email.eml", {"info@house.example": Status.COMPLETED}),
    Scene(
        "A PDF with a name that is not ASCII",
        "attachment_emails/attachment_pdf_non_ascii.eml",
        {"info@house.example": Status.COMPLETED},
    ),
    Scene(
        "Japanese, in ISO-2022-JP",
        "multi_charset/japanese_iso_2022.eml",
        {"info+japan@house.example": Status.COMPLETED},
    ),
    Scene(
        "Text and HTML side by side",
        "mime_emails/raw_email7.eml",
        {"info@house.example": Status.COMPLETED},
    ),
    Scene(
        "One alias, three targets",
        "attachment_emails/attachment_message_rfc822.eml",
        {"team@house.example": Status.COMPLETED},
        targets=3,
    ),
    Scene(
        "Two recipients: two mails",
        "plain_emails/raw_email_reply.eml",
        {"info@house.example": Status.COMPLETED, "angry@house.example": Status.COMPLETED},
    ),
    Scene(
        "An address that only its domain's alias takes",
        "rfc2822/example08.eml",
        {"whoever@shop.example": Status.COMPLETED},
    ),
    Scene(
        "An alias that nobody knows",
        "plain_emails/raw_email_simple.eml",
        {"nobody@house.example": Status.UNROUTABLE},
    ),
    Scene(
        "A target that bounces",
        "attachment_emails/attachment_only_email.eml",
        {"gone@house.example": Status.BOUNCED},
    ),
)
