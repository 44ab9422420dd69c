"""A mail comes in, finds its targets, and may have to wait for a moderator."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.structure import personal
from schemas.values import (
    ALWAYS,
    ModerationAction,
    OnExpiry,
    Schedule,
    Target,
    UnknownPolicy,
    Verdicts,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailReceived:
    """SES took a mail in for one envelope recipient; its bytes lie in S3.

    ``dmarc_policy`` is what the domain in From asks of receivers for mail that fails DMARC
    (``none``, ``quarantine`` or ``reject``); it is empty if SES did not tell.
    """

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
    dmarc_policy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteResolved:
    """The repository named the targets; a replay never asks it again."""

    alias: str = personal()
    alias_version: int
    tenant: str
    targets: tuple[Target, ...]
    on_unknown: UnknownPolicy
    moderated: bool = False
    schedule: Schedule = ALWAYS


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


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteReopened:
    """A person wants the mail looked up again, though that had ended."""

    by: str = personal()
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModerationDecided:
    """The rules that apply to the mail: it passes, is held or refused; and its tags.

    ``rules_digest`` names the version of the rules file (as ``WorkerStarted`` has it) and
    ``rule_line`` the line at which ``rule`` begins there. The digest is empty without a file; the
    line is 0 if no rule of the file decided.
    """

    action: ModerationAction
    rule: str
    reason: str
    tags: tuple[str, ...]
    rules_digest: str = ""
    rule_line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MailHeld:
    """The mail waits for a moderator, until ``expires_at``; then ``on_expiry`` holds."""

    rule: str
    reason: str
    expires_at: int
    on_expiry: OnExpiry


@dataclass(frozen=True, slots=True, kw_only=True)
class MailApproved:
    """The mail may go."""

    by: str = personal()
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRejected:
    """The mail is not sent on: a rule or a person refused it."""

    by: str = personal()
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailExpired:
    """The mail is not sent on: its time was over, or a person ended it."""

    by: str = personal()
    why: str
