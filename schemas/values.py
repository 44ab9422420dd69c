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


class DeferReason(enum.StrEnum):
    """Why a send did not happen, though it may happen later."""

    NOT_CALLED = "not_called"
    """Started, but the instant passed: SES was not called, the same attempt gets a next round."""
    THROTTLED = "throttled"
    """SES: "Maximum sending rate exceeded."."""
    DAILY_QUOTA = "daily_quota"
    """SES: "Daily message quota exceeded."."""
    STOPPED = "stopped"
    """The account is paused or suspended, or its domain is not verified: no fault of the mail."""
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


class TimerKind(enum.StrEnum):
    """What a timer is for."""

    LOOKUP = "lookup"
    """Ask the alias repository again."""
    CLAIM = "claim"
    """A sender's claim is over: what became of it?"""
    UNKNOWN = "unknown"
    """The provider's event did not come: let the policy decide."""


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
class Target:
    """One address that an alias stands for."""

    address: str = personal()
