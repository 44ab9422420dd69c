"""Attempts at targets: what core decides about them, and what the sender reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.structure import personal
from schemas.values import DeferReason, Observer, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class SendScheduled:
    """One attempt at one target may be made from ``due_at`` on, and not after ``expires_at``.

    ``route`` names the way out that it is to leave by; it is empty for the default one.
    """

    target: int
    address: str = personal()
    number: int
    attempt_id: str
    due_at: int
    expires_at: int
    tenant: str
    possible_duplicate: bool = False
    route: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SendCancelRequested:
    """The attempt is not wanted any more; the sender says whether that came in time."""

    target: int
    attempt_id: str
    reason: str
    ends_as: Status = Status.PARKED


@dataclass(frozen=True, slots=True, kw_only=True)
class SendTimeSet:
    """A person wants the mail sent at a time (microseconds UTC), whatever its alias says."""

    at: int
    by: str = personal()


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRescheduled:
    """The attempt may be made from ``due_at`` on, if it was not made yet."""

    target: int
    attempt_id: str
    due_at: int
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetReopened:
    """A person wants it tried again, though the target had ended."""

    target: int
    by: str = personal()


@dataclass(frozen=True, slots=True, kw_only=True)
class SendParked:
    """A person has to decide what becomes of the target."""

    target: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailCompleted:
    """Every target has ended: how many of them, and how."""

    ended: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SendStarted:
    """SES will be called at ``instant_at`` and in no case after ``send_before``.

    ``watched``: bounces of the address are on record, so that a delivery is worth telling.
    ``route`` names the way out that the call is made by; it is empty for the default one.
    """

    target: int
    attempt_id: str
    round: int
    instant_at: int
    send_before: int
    owner: str
    watched: bool = False
    route: str = ""


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
    """No mail went out, and another try is worth it. ``called_at``: 0 where SES was not called."""

    target: int
    attempt_id: str
    round: int
    reason: DeferReason
    detail: str
    called_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SendFailed:
    """SES refuses this message for good, or the mail can't be forwarded at all.

    ``called_at``: 0 where SES was not called.
    """

    target: int
    attempt_id: str
    code: str
    detail: str
    called_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SendUnknown:
    """SES may or may not have the mail: the reply was lost, or the sender died in between.

    SES's own event with the attempt's tag settles it; after ``decide_at`` the route's policy does.
    ``called_at``: 0 where nobody is left who knows.
    """

    target: int
    attempt_id: str
    round: int
    reason: str
    decide_at: int
    called_at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SendExpired:
    """The attempt was still waiting when its time was over; SES was not called."""

    target: int
    attempt_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendSuppressed:
    """The address is suppressed; SES was not called."""

    target: int
    attempt_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendHeldBack:
    """A rule keeps the scheduled attempt from being made; SES was not called in this round.

    The attempt has ended; whoever lets the mail go has it scheduled anew.
    """

    target: int
    attempt_id: str
    round: int
    rule: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendCancelled:
    """The attempt was taken out of the queue before SES was called."""

    target: int
    attempt_id: str
