"""The values that events are made of: the closed lists of reasons, kinds and statuses.

Times are whole microseconds since 1970 in UTC and their names end in ``_at``; durations name
their unit last (``_us``, ``_s``).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from schemas.structure import personal

SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60 * SECOND_US
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US
NO_CALL: Final = 0
"""The time of a call that was not made: an outcome that SES has no part in."""
BY_RULE: Final = "the rule "
"""Before the name of a rule that decided, where a person's name stands else."""


class DeferReason(enum.StrEnum):
    """Why a send did not happen, though it may happen later."""

    NOT_CALLED = "not_called"
    """Started, but the instant passed: SES was not called, the same attempt gets a next round."""
    THROTTLED = "throttled"
    """SES: "Maximum sending rate exceeded."."""
    DAILY_QUOTA = "daily_quota"
    """SES: "Daily message quota exceeded."."""
    STOPPED = "stopped"
    """The account is paused or suspended, or not set up: no fault of the mail."""
    UNVERIFIED = "unverified"
    """SES holds the domain that mail goes out from for not verified, or we may not send from it."""
    TRANSIENT = "transient"
    """SES answered with an error of its own (HTTP 5xx), or no connection was made."""


class UnknownPolicy(enum.StrEnum):
    """What to do with a send whose outcome nobody knows, after the time to wait has passed."""

    RESEND = "resend"
    """Send again: a mail twice is better than none."""
    PARK = "park"
    """Leave it to a person: a mail twice would be worse."""


class Status(enum.StrEnum):
    """Where a target stands, in the order in which a mail's status is the least finished one's."""

    RECEIVED = "received"
    """Taken in; not looked up yet."""
    DEFERRED = "deferred"
    """The repository did not answer; it is asked again."""
    HELD = "held"
    """Waits for a moderator."""
    SCHEDULED = "scheduled"
    """In the queue: now, later, or again."""
    SENDING = "sending"
    """A sender has announced the call."""
    UNKNOWN = "unknown"
    """The call's outcome is not known."""
    PARKED = "parked"
    """Ended, until a person decides otherwise."""
    EXPIRED = "expired"
    """Ended: its time was over."""
    REJECTED = "rejected"
    """Ended: refused by a moderator, or for good by SES."""
    UNROUTABLE = "unroutable"
    """Ended: nobody knows the alias."""
    BOUNCED = "bounced"
    """Ended: accepted, and came back."""
    COMPLETED = "completed"
    """Ended: accepted by SES."""


ENDED: Final = frozenset(
    {
        Status.PARKED,
        Status.EXPIRED,
        Status.REJECTED,
        Status.UNROUTABLE,
        Status.BOUNCED,
        Status.COMPLETED,
    }
)
"""The columns of the sum in which received = ended + open."""


class ModerationAction(enum.StrEnum):
    """What the moderation rules say of a mail."""

    PASS = "pass"  # noqa: S105 - no password
    """It may go."""
    HOLD = "hold"
    """It waits for a moderator."""
    TAG = "tag"
    """It gets a tag, and the next rules are asked."""
    REJECT = "reject"
    """It is not sent on."""


class OnExpiry(enum.StrEnum):
    """What becomes of a held mail that no moderator has decided about in time."""

    EXPIRE = "expire"
    """It is not sent on, and counts as expired."""
    APPROVE = "approve"
    """It goes."""
    REJECT = "reject"
    """It is not sent on, and counts as rejected."""


class SuppressionReason(enum.StrEnum):
    """Why nothing is sent to an address."""

    PERMANENT = "permanent bounce"
    """There is no such mailbox, or it takes nothing from us: at once, for long."""
    TRANSIENT = "repeated transient bounces"
    """Several mails in a short time came back, each perhaps for a passing reason."""
    COMPLAINT = "complaint"
    """Somebody there called a mail spam: at once, for long."""
    MANUAL = "by hand"
    """An operator wants it so."""


class Command(enum.StrEnum):
    """What a person may ask for."""

    APPROVE = "approve"
    """Let a held mail go."""
    REJECT = "reject"
    """Don't send a held mail on."""
    SEND_AT = "send-at"
    """Send a mail at a time."""
    SEND_NOW = "send-now"
    """Send a mail now, whatever its alias's schedule says."""
    RETRY = "retry"
    """Send again what has ended otherwise than well."""
    EXPIRE = "expire"
    """End what is open of a mail, as expired."""
    CANCEL = "cancel"
    """End what is open of a mail, as rejected."""
    PAUSE = "pause"
    """Send nothing more: of a tenant, to a domain, or at all."""
    DRAIN = "drain"
    """Send what has come in, and hold what comes in from now on."""
    RESUME = "resume"
    """Send again."""
    SUPPRESS = "suppress"
    """Send nothing more to an address."""
    RELEASE = "release"
    """Send to an address again."""


class TimerKind(enum.StrEnum):
    """What a timer is for."""

    LOOKUP = "lookup"
    """Ask the alias repository again."""
    CLAIM = "claim"
    """A sender's claim is over: what became of it?"""
    UNKNOWN = "unknown"
    """The provider's event did not come: let the policy decide."""
    MODERATION = "moderation"
    """No moderator has decided: let the rule's policy decide."""


class Observer(enum.StrEnum):
    """Who saw that SES accepted a mail."""

    CALL = "call"
    """The reply to our own call."""
    PROVIDER = "provider"
    """SES's event that carries the attempt's tag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """What SES's scanners say of a mail: PASS, FAIL, GRAY, PROCESSING_FAILED, DISABLED, or new.

    SES developer guide, "Contents of notifications for Amazon SES email receiving".
    """

    spam: str = ""
    virus: str = ""
    spf: str = ""
    dkim: str = ""
    dmarc: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSource:
    """Who sent a mail, for an address's own subject: by keyed digests, which tell no addresses.

    Attributes:
        digest: of the envelope sender, without what follows a ``+``; empty for the null sender.
        domain_digest: of the envelope sender's domain; empty for the null sender.
        spf: what SES's scanner said of the envelope sender (see :class:`Verdicts`).
    """

    digest: str = ""
    domain_digest: str = ""
    spf: str = ""


UNKNOWN_SOURCE: Final = MailSource()
"""The sender of a mail that was told of before senders were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One address that an alias stands for.

    ``route`` names the way out by which mail to it leaves; it is empty for the default one.
    """

    address: str = personal()
    route: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When an alias's mail may leave.

    ``not_before``: microseconds UTC; ``delay_us``: after its receipt; ``window``: days and hours
    with a time zone (:func:`processors.sending.schedule.parse_window`), "" for always.
    """

    not_before: int = 0
    delay_us: int = 0
    window: str = ""


ALWAYS: Final = Schedule()
"""At once, at any time."""

PERMANENT: Final = "Permanent"
"""SES's word for a bounce that is final (SES developer guide, "Bounce types")."""
