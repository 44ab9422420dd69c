"""What happens to each header field of a forwarded mail, and why: one table.

A field that isn't in the table is kept, however often it stands there. Fields that are kept
keep their order and their bytes.

Of a field that may stand once, **the first is kept**: mail readers show the first one, so the
recipient reads what he would have read without forwarding. Which fields those are is Amazon's
list ("Amazon SES header fields" in the SES developer guide: a duplicate is refused) and that
of RFC 5322 section 3.6.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple


class Treatment(Enum):
    """What is done with a header field."""

    KEEP = "kept, every one of them"
    KEEP_FIRST = "the first one is kept"
    REWRITE = "the first one is rewritten, the others go"
    DROP = "dropped"


class Rule(NamedTuple):
    """A rule for the fields of one name, or of one prefix when the name ends with ``*``."""

    name: str
    treatment: Treatment
    reason: str


_KEEP: Final = Treatment.KEEP
_FIRST: Final = Treatment.KEEP_FIRST
_REWRITE: Final = Treatment.REWRITE
_DROP: Final = Treatment.DROP

_SIGNED = "signs the header as it was: fails once From is rewritten, and SES signs anew"
_BRAND = "shows the brand of the domain in the original From beside the alias"
_REPORTS = "lets bounces go to the sender, who would learn the target behind the alias"
_ONCE = "SES refuses duplicates"
_ONCE_RFC = "may stand once by RFC 5322 section 3.6"

_REASONED: Final = (
    Rule("From", _REWRITE, "SES sends for verified addresses only: the alias"),
    Rule("Reply-To", _REWRITE, "answers go to who wrote the mail"),
    Rule("References", _REWRITE, "gets the original Message-ID, so that threads hold together"),
    Rule("Message-ID", _FIRST, "SES replaces it; X-Original-Message-ID keeps it"),
    Rule("Date", _FIRST, "SES replaces it; X-Original-Date keeps it"),
    Rule("X-Original-Message-ID", _FIRST, "set by the first passage, and true for the next ones"),
    Rule("X-Original-Date", _FIRST, "set by the first passage, and true for the next ones"),
    Rule("X-Mailtumble-Hop", _KEEP, "the loop guard counts them"),
    Rule("X-Mailtumble-Tags", _DROP, "says what rules said of it: this passage sets its own"),
    Rule("Received", _KEEP, "the mail's way, and the older loop guard (RFC 5321 section 6.3)"),
    Rule("Auto-Submitted", _FIRST, "tells responders not to answer (RFC 3834 section 5)"),
    Rule("DKIM-Signature", _DROP, _SIGNED),
    Rule("DomainKey-Signature", _DROP, _SIGNED),
    Rule("X-Google-DKIM-Signature", _DROP, _SIGNED),
    Rule("ARC-*", _DROP, "the chain's last signature covers From and fails now (RFC 8617)"),
    Rule(
        "Authentication-Results",
        _DROP,
        "judges the original From: a filter would credit the alias with it (RFC 8601 section 5)",
    ),
    Rule("BIMI-*", _DROP, _BRAND),
    Rule("VBR-Info", _DROP, "vouches for the domain in the original From (RFC 5518)"),
    Rule("Feedback-ID", _DROP, "the original sender's campaign; SES sets its own"),
    Rule("Return-Path", _DROP, "SES takes it for the bounce address, which must be verified"),
    Rule("Sender", _DROP, "SES demands that it be verified, and From has one mailbox"),
    Rule("Bcc", _DROP, "nobody may see it (RFC 5322 section 3.6.3)"),
    Rule("Resent-Bcc", _DROP, "nobody may see it (RFC 5322 section 3.6.6)"),
    Rule("Errors-To", _DROP, _REPORTS),
    Rule("Bounces-To", _DROP, _REPORTS),
    Rule(
        "Delivered-To",
        _DROP,
        "names deliveries before this one: SES takes one only, and a mail system that finds its "
        "own address there bounces the mail as a loop; X-Mailtumble-Hop guards against those",
    ),
    Rule("X-SES-*", _DROP, "steers SES (configuration set, tags, identity): not for outsiders"),
)

_KEPT_ONCE: Final = (
    *(Rule(name, _FIRST, _ONCE_RFC) for name in ("To", "Cc", "Subject", "In-Reply-To")),
    *(
        Rule(name, _FIRST, _ONCE)
        for name in (
            *("Accept-Language", "acceptLanguage", "Archived-At", "Comments"),
            *("Content-Alternative", "Content-Base", "Content-Class", "Content-Description"),
            *("Content-Disposition", "Content-Duration", "Content-ID", "Content-Language"),
            *("Content-Length", "Content-Location", "Content-MD5"),
            *("Content-Transfer-Encoding", "Content-Type"),
            *("Disposition-Notification-Options", "Disposition-Notification-To"),
            *("Importance", "Keywords"),
            *("List-Archive", "List-Help", "List-Id", "List-Owner", "List-Post"),
            *("List-Subscribe", "List-Unsubscribe", "List-Unsubscribe-Post"),
            *("Message-Context", "MIME-Version", "Organization", "Original-From"),
            *("Original-Message-ID", "Original-Recipient", "Original-Subject"),
            *("Precedence", "Priority", "Return-Receipt-To", "Solicitation", "Sensitivity"),
            *("Thread-Index", "Thread-Topic", "User-Agent"),
        )
    ),
)

RULES: Final[tuple[Rule, ...]] = (*_REASONED, *_KEPT_ONCE)

# An empty one says nothing and isn't allowed (RFC 5322 sections 3.6.2 and 3.6.3).
ADDRESS_FIELDS: Final = frozenset((b"from", b"reply-to", b"to", b"cc"))

_ANY_OTHER: Final = (_KEEP, "any other")


def _prepared(rule: Rule) -> tuple[Treatment, str]:
    return rule.treatment, "dropped " + rule.name if rule.treatment is _DROP else rule.name


_BY_PREFIX: Final = tuple(
    (rule.name[:-1].lower().encode(), _prepared(rule)) for rule in RULES if rule.name.endswith("*")
)
_PREFIXES: Final = tuple(prefix for prefix, _ in _BY_PREFIX)
_BY_NAME: Final = {
    rule.name.lower().encode(): _prepared(rule) for rule in RULES if not rule.name.endswith("*")
}


def treatment_of(key: bytes) -> tuple[Treatment, str]:
    """Return the treatment of a field, given its name in lower case, and the text to go with it.

    The text is the remark for a field that is dropped, for others the name in the table.
    """
    if key.startswith(_PREFIXES):
        return next(treatment for prefix, treatment in _BY_PREFIX if key.startswith(prefix))
    return _BY_NAME.get(key, _ANY_OTHER)


# What SES puts on every mail that it receives, and receivers before it on most.
_EVERYDAY: Final = (
    *(b"x-ses-receipt", b"x-ses-dkim-signature", b"x-ses-spam-verdict", b"x-ses-virus-verdict"),
    *(b"arc-seal", b"arc-message-signature", b"arc-authentication-results"),
    *(b"received-spf", b"x-mailer"),
)

TREATMENTS: Final = _BY_NAME | {key: treatment_of(key) for key in _EVERYDAY}
"""``treatment_of`` for the names that are looked up most: a dozen of them for every mail."""
