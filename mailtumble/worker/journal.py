"""A mail's way, line by line in the logs: what a worker has read of it, and what it did with it.

A line an event, at DEBUG: 50,000 mails a minute are some 10,000 events a second; a line takes
16 us, and 2 us where DEBUG is off (benchmarks/logging_cost.py). What did not go as hoped is told
at INFO or above, once: by core, which decides about it, or by the sender, who heard it from SES.
Only ids, numbers and words of our own are told, never SES's: those may name addresses.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from mailtumble.worker.metrics import Tally
from processors.fleet.decider import AT
from processors.kernel import Judgement
from schemas.envelope import EventEnvelope
from schemas.events import (
    AddressSuppressed,
    BounceReceived,
    ComplaintReceived,
    Event,
    MailRejected,
    QuotaObserved,
    RouteDeferred,
    RouteNotFound,
    SendAccepted,
    SendDeferred,
    SendExpired,
    SendFailed,
    SendingPaused,
    SendingRestored,
    SendingResumed,
    SendingStopped,
    SendParked,
    SendSuppressed,
    SendUnknown,
)
from schemas.ids import mail_of

NOTABLE: Final = (
    AddressSuppressed,
    BounceReceived,
    ComplaintReceived,
    MailRejected,
    QuotaObserved,
    RouteDeferred,
    RouteNotFound,
    SendExpired,
    SendParked,
    SendSuppressed,
    SendingPaused,
    SendingRestored,
    SendingResumed,
    SendingStopped,
)
TELLER: Final = "core"
"""Every application reads every event; one of them tells the notable ones."""
FIELDS: Final = {
    "target": "target",
    "attempt_id": "attempt",
    "round": "round",
    "kind": "kind",
    "bounce_type": "bounce_type",
}
"""Attributes of events that are told, and by which names: none of them is personal."""

logger = logging.getLogger("mailtumble.mail")


def subject_fields(subject: str, sequence_number: str) -> dict[str, object]:
    """What a record is about: the mail's id (of other subjects their kind), and where it stands."""
    mail = mail_of(subject)
    about = {"subject": subject.partition(":")[0]} if mail is None else {"mail": mail}
    return {**about, "sequence": sequence_number.lstrip("0")}


def event_fields(event: Event) -> dict[str, object]:
    """What else a line about an event says."""
    found = {"event": type(event).__name__}
    for name, told in FIELDS.items():
        if (value := getattr(event, name, None)) is not None:
            found[told] = value
    if (scope := _scope(event)) is not None:
        found["scope"] = scope
    return found  # type: ignore[return-value]


def _scope(event: Event) -> str | None:
    """What was paused or stopped, by its kind: a tenant's name may be an address."""
    match event:
        case SendingPaused(scope=scope) | SendingResumed(scope=scope):
            return "fleet" if not scope else "domain" if scope.startswith(AT) else "tenant"
        case SendingStopped(scope=scope) | SendingRestored(scope=scope):
            return "domain" if scope else "account"
        case _:
            return None


def accepted(application: str, record: EventEnvelope) -> None:
    """A record was folded."""
    tells = application == TELLER
    for event in record.events:
        level = logging.INFO if tells and isinstance(event, NOTABLE) else logging.DEBUG
        if logger.isEnabledFor(level):
            name = type(event).__name__
            logger.log(level, "%s was read", name, extra={"fields": event_fields(event)})


def appended(subject: str, sequence_number: str, events: Sequence[Event]) -> None:
    """Intake has taken something in."""
    if logger.isEnabledFor(logging.DEBUG):
        fields = {"application": "intake", **subject_fields(subject, sequence_number)}
        for event in events:
            more = {**fields, **event_fields(event)}
            logger.debug("%s was appended", type(event).__name__, extra={"fields": more})


def called(outcome: Event) -> None:
    """What came of a call to SES."""
    fields = event_fields(outcome)
    match outcome:
        case SendAccepted():
            level, told = logging.DEBUG, "SES accepted it"
        case SendDeferred(reason=reason):
            level, told = logging.INFO, f"not sent this time: {reason}"
            fields["reason"] = str(reason)
        case SendFailed(code=code):
            level, told = logging.WARNING, f"failed for good: {code}"
            fields["code"] = code
        case SendUnknown():
            level, told = logging.WARNING, "SES's answer was lost: the outcome is unknown"
        case _:
            level, told = logging.DEBUG, str(fields["event"])
    logger.log(level, "%s", told, extra={"fields": fields})


def not_accepted(judgement: Judgement, tally: Tally) -> None:
    """Count and log a record that changes nothing."""
    if judgement is Judgement.VOID:
        tally.void += 1
        logger.info("a decision is void: another one was quicker")
    else:
        tally.repeated += 1
        logger.debug("a record is a repeat")
