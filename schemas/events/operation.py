"""Time, the fleet, people at the command line, and what can not be read."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.structure import personal
from schemas.values import Command, Schedule, TimerKind


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerFired:
    """What was due has come; the decision is made when this record is read."""

    kind: TimerKind
    attempt_id: str
    number: int
    due_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStarted:
    """A worker started with these settings, for the first time on a day (UTC).

    Further starts of the same application with the same release, settings and rules on that day say
    nothing new, and have the same id.

    Attributes:
        application: which one.
        release: mailtumble's version.
        settings_digest: of all settings except the secret ones.
        rules_digest: of the file of moderation rules; empty without one.
    """

    application: str
    release: str
    settings_digest: str
    rules_digest: str


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


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandGiven:
    """A person wants something done with what the record is about. ``at``: for ``send_at``.

    ``detail``: whose sending is paused (the scope), the address that is suppressed, or of a retry
    in bulk the status of what is tried again; empty for all that failed of a mail that was named.
    """

    command_id: str
    command: Command
    by: str = personal()
    why: str
    at: int = 0
    detail: str = personal()


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandAnswered:
    """What became of a person's command, in words for that person."""

    command_id: str
    accepted: bool
    answer: str = personal()


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingPaused:
    """Nothing more leaves of what came in since a moment; 0: of all there is.

    ``scope``: a tenant; ``@`` and the domain that mail goes to; empty for the whole fleet.
    """

    scope: str
    since: int
    by: str = personal()
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingResumed:
    """Mail of a scope (see :class:`SendingPaused`) leaves again."""

    scope: str
    by: str = personal()
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingStopped:
    """SES lets nothing out: of the account, or (``scope``) of a domain that mail goes out from."""

    scope: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingRestored:
    """SES lets mail out again, after ``SendingStopped`` of the same scope."""

    scope: str
    stopped_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasChanged:
    """Somebody put an alias, whose ``version`` it is from then on."""

    alias: str = personal()
    version: int
    tenant: str
    targets: tuple[str, ...] = personal()
    moderated: bool
    schedule: Schedule
    by: str = personal()


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasRemoved:
    """Somebody took an alias away."""

    alias: str = personal()
    version: int
    by: str = personal()
