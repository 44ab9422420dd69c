"""What the demo plays: the aliases, and the mails with how each is to end. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mailtumble.ports.world import AliasEntry
from schemas.values import SECOND_US, Command, Schedule, Status

HOUSE: Final = "house.example"
SENDER: Final = "sender@elsewhere.example"
OTHER_SENDER: Final = "another@elsewhere.example"
"""Of mail that comes back: the breaker would hold what else its sender sends."""
LATER_S: Final = 5
BUSY_S: Final = 3


def _alias(name: str, *targets: str, moderated: bool = False, delay_s: int = 0) -> AliasEntry:
    schedule = Schedule(delay_us=delay_s * SECOND_US)
    return AliasEntry(name, 0, HOUSE, targets, moderated=moderated, schedule=schedule)


ALIASES: Final = (
    _alias(f"info@{HOUSE}", "jane@example.com"),
    _alias(f"team@{HOUSE}", "ann@example.com", "bob@example.net", "cho@example.org"),
    _alias("@shop.example", "owner@example.com"),
    _alias(f"gone@{HOUSE}", "bounce@simulator.amazonses.com"),
    _alias(f"angry@{HOUSE}", "complaint@simulator.amazonses.com"),
    _alias(f"news@{HOUSE}", "list@example.com", moderated=True),
    _alias(f"later@{HOUSE}", "jane@example.com", delay_s=LATER_S),
    _alias(f"busy@{HOUSE}", "jane@example.com", delay_s=BUSY_S),
)
"""The simulator's addresses bounce and complain as they do at SES."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One mail handed in by SMTP: to each recipient, and how it is to end for each.

    ``targets``: how many targets each recipient's mail has (1 where nobody knows the alias: the
    mail itself is then what ends). ``moderator``: what a moderator says once it is held.
    ``attempts``: it takes so many at least. ``sender``: in the envelope.
    """

    title: str
    file: str
    recipients: Mapping[str, Status]
    targets: int = 1
    moderator: Command | None = None
    attempts: int = 0
    sender: str = SENDER


def _done(title: str, file: str, *recipients: str, targets: int = 1) -> Scene:
    each = recipients or (f"info@{HOUSE}",)
    return Scene(title, file, dict.fromkeys(each, Status.COMPLETED), targets)


FIRST_ACT: Final = (
    _done("A plain mail", "plain_emails/basic_email.eml"),
    _done("Line ends without CR", "plain_emails/basic_email_lf.eml"),
    _done("A reply in a thread", "plain_emails/raw_email_reply.eml"),
    _done("A PDF attached", "attachment_emails/attachment_pdf.eml"),
    _done("A name that is not ASCII", "attachment_emails/attachment_pdf_non_ascii.eml"),
    _done("Nothing but an attachment", "attachment_emails/attachment_only_email.eml"),
    _done("A mail in a mail", "attachment_emails/attachment_message_rfc822.eml"),
    _done("Japanese, in ISO-2022-JP", "multi_charset/japanese_iso_2022.eml"),
    _done("Japanese, in Shift JIS", "multi_charset/japanese_shift_jis.eml"),
    _done("Korean", "multi_charset/ks_c_5601-1987.eml"),
    _done("A header in UTF-8", "rfc6532/utf8_headers.eml"),
    _done("Text and HTML side by side", "mime_emails/raw_email7.eml"),
    _done("Parts nested in parts", "mime_emails/raw_email_with_nested_attachment.eml"),
    _done("A bounce report", "multipart_report_emails/report_422.eml"),
    _done("A date that is none", "error_emails/bad_date_header.eml"),
    _done("36 kB of eight-bit text", "error_emails/content_transfer_encoding_with_8bits.eml"),
    _done("To a tagged address", "rfc2822/example08.eml", f"info+tag@{HOUSE}"),
    _done("One alias, three targets", "mime_emails/raw_email2.eml", f"team@{HOUSE}", targets=3),
    _done(
        "Two recipients: two mails, one called spam",
        "plain_emails/raw_email_with_at_display_name.eml",
        f"info@{HOUSE}",
        f"angry@{HOUSE}",
    ),
    _done("Only its domain's alias takes it", "rfc2822/example01.eml", "whoever@shop.example"),
    _done("Sent later", "rfc2822/example05.eml", f"later@{HOUSE}"),
    Scene(
        "An alias that nobody knows",
        "plain_emails/raw_email_simple.eml",
        {f"nobody@{HOUSE}": Status.UNROUTABLE},
    ),
    Scene(
        "It bounces",
        "rfc2822/example02.eml",
        {f"gone@{HOUSE}": Status.BOUNCED},
        sender=OTHER_SENDER,
    ),
    Scene(
        "Held, and approved",
        "plain_emails/raw_email8.eml",
        {f"news@{HOUSE}": Status.COMPLETED},
        moderator=Command.APPROVE,
    ),
    Scene(
        "Held, and rejected",
        "plain_emails/raw_email6.eml",
        {f"news@{HOUSE}": Status.REJECTED},
        moderator=Command.REJECT,
    ),
)

SECOND_ACT: Final = (
    Scene(
        "To the address that bounced: it is suppressed",
        "rfc2822/example04.eml",
        {f"gone@{HOUSE}": Status.REJECTED},
    ),
    Scene(
        "Throttled, and tried again",
        "rfc2822/example10.eml",
        {f"busy@{HOUSE}": Status.COMPLETED},
        attempts=2,
    ),
)
"""While the second of them is due, somebody else uses the account up."""

SCENES: Final = (*FIRST_ACT, *SECOND_ACT)
