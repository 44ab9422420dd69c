"""Everything that can happen: the events, as past-tense facts. These types are the storage format.

A class's name is its type on the log and ``VERSION`` its version (1 where not given). To change
one that has been written: raise ``VERSION`` and add an upcaster in :mod:`schemas.upcasters`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from schemas.structure import personal
from schemas.values import (
    DeferReason,
    Observer,
    Target,
    TimerKind,
    UnknownPolicy,
    Verdicts,
)

# ── intake ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class MailReceived:
    """SES took a mail in for one envelope recipient; its bytes lie in S3."""

    ses_message_id: str
    recipient: str = personal()
    envelope_sender: str = personal()
    subject_line: str = personal()
    size_bytes: int
    bucket: str
    object_key: str
    notification_key: str
    received_at: int
    verdicts: Verdicts


# ── routing ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteResolved:
    """The repository named the targets; a replay never asks it again."""

    alias: str = personal()
    alias_version: int
    tenant: str
    targets: tuple[Target, ...]
    on_unknown: UnknownPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteNotFound:
    """The repository answered, and knows none of the names that were tried."""

    tried: tuple[str, ...] = personal()


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteDeferred:
    """The repository did not answer: the mail waits and is looked up again."""

    reason: str
    number: int
    retry_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteExpired:
    """The repository did not answer until the mail's time was over."""

    reason: str


# ── sending: what core decides ──────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class SendScheduled:
    """One attempt at one target may be made from ``due_at`` on, and not after ``expires_at``."""

    target: int
    address: str = personal()
    number: int
    attempt_id: str
    due_at: int
    expires_at: int
    tenant: str
    possible_duplicate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SendCancelRequested:
    """The attempt is not wanted any more; the sender says whether that came in time."""

    target: int
    attempt_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendParked:
    """A person has to decide what becomes of the target."""

    target: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailCompleted:
    """Every target has ended: how many of them, and how."""

    ended: Mapping[str, int]


# ── sending: what the sender reports ────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class SendStarted:
    """SES will be called at ``instant_at`` and in no case after ``send_before``."""

    target: int
    attempt_id: str
    round: int
    instant_at: int
    send_before: int
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendAccepted:
    """SES has taken the mail over and given it an id."""

    target: int
    attempt_id: str
    provider_message_id: str
    called_at: int
    size_bytes: int = 0
    observed_by: Observer = Observer.CALL


@dataclass(frozen=True, slots=True, kw_only=True)
class SendDeferred:
    """No mail went out, and another try is worth it."""

    target: int
    attempt_id: str
    round: int
    reason: DeferReason
    detail: str
    called_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SendFailed:
    """SES refuses this message for good, or the mail can't be forwarded at all."""

    target: int
    attempt_id: str
    code: str
    detail: str
    called_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SendUnknown:
    """SES may or may not have the mail: the reply was lost, or the sender died in between.

    SES's own event with the attempt's tag settles it; after ``decide_at`` the route's policy does.
    """

    target: int
    attempt_id: str
    round: int
    reason: str
    decide_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SendExpired:
    """The attempt was still waiting when its time was over; SES was not called."""

    target: int
    attempt_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendCancelled:
    """The attempt was taken out of the queue before SES was called."""

    target: int
    attempt_id: str


# ── feedback: what SES tells afterwards ─────────────────────────────────────────────────────────


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


# ── time, fleet, quarantine ─────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerFired:
    """What was due has come; the decision is made when this record is read."""

    kind: TimerKind
    attempt_id: str
    number: int
    due_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaObserved:
    """GetAccount answered with other limits than before (-1: no limit)."""

    max_send_rate: float
    max_24h: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordQuarantined:
    """A record could not be read, or killed its worker: its bytes are kept, the shard goes on."""

    application: str
    shard_id: str
    sequence_number: str
    partition_key: str
    reason: str
    bucket: str
    object_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRedriven:
    """The bytes of a quarantined record were put back where they came from."""

    quarantined: str
    by: str


Event = (
    MailReceived
    | RouteResolved
    | RouteNotFound
    | RouteDeferred
    | RouteExpired
    | SendScheduled
    | SendCancelRequested
    | SendParked
    | MailCompleted
    | SendStarted
    | SendAccepted
    | SendDeferred
    | SendFailed
    | SendUnknown
    | SendExpired
    | SendCancelled
    | DeliveryConfirmed
    | DeliveryDelayed
    | BounceReceived
    | ComplaintReceived
    | SendRejected
    | TimerFired
    | QuotaObserved
    | RecordQuarantined
    | RecordRedriven
)

EVENT_TYPES: tuple[type[Event], ...] = Event.__args__
"""In the order in which the docs list them."""


class Versions:
    """The version in which each event is written today."""

    current: ClassVar[Mapping[type[Event], int]] = dict.fromkeys(EVENT_TYPES, 1)
