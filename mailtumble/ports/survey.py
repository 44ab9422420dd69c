"""What stands in AWS, looked at and never changed: for ``mailtumble doctor``.

Every method gives None for what does not exist.

Raises, each of them: NotOffered where this AWS (an emulator) lacks the API; RetryableError without
an answer; PermanentError where AWS refuses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mailtumble.definition import Table
from schemas.errors import MailtumbleError


class NotOffered(MailtumbleError):  # noqa: N818 - what was found
    """This AWS has no such API."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose credentials these are."""

    account: str
    arn: str


@dataclass(frozen=True, slots=True)
class StandingStream:
    """A stream. ``status``: AWS's own word; shards that are open."""

    status: str
    shards: int
    retention_hours: int


@dataclass(frozen=True, slots=True)
class StandingTable:
    """A table with its status, and its shape in the definition's own form."""

    status: str
    shape: Table


@dataclass(frozen=True, slots=True)
class StandingQueue:
    """A queue; ``dead_letters`` is the name of that queue, ``waiting`` an estimate."""

    dead_letters: str | None
    receives_max: int
    waiting: int


@dataclass(frozen=True, slots=True)
class ReceiptRule:
    """A receipt rule: where it stores mail, and which topic it tells. "" where it does not."""

    name: str
    enabled: bool
    bucket: str
    topic_arn: str
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The active receipt rule set."""

    name: str
    rules: tuple[ReceiptRule, ...]


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a configuration set's events go; ``events`` are SES's words in upper case."""

    name: str
    enabled: bool
    topic_arn: str
    events: frozenset[str]


@dataclass(frozen=True, slots=True)
class Identity:
    """A domain that SES may send for. ``dkim``: SES's word, SUCCESS where it signs."""

    verified: bool
    dkim: str


@dataclass(frozen=True, slots=True)
class SendingAccount:
    """What the account may. None: this API does not tell. Rates are recipients a second."""

    production: bool | None
    enabled: bool | None
    max_send_rate: float
    max_24h: float
    sent_24h: float


class Survey(Protocol):
    """Looks at one region of one account."""

    def is_emulated(self, service: str) -> bool:
        """Whether a service (upper case) is somewhere else than at AWS."""

    def knows_region(self, region: str) -> bool:
        """Whether there is such a region, as far as boto knows."""

    def caller(self) -> Caller:
        """Whose credentials these are."""

    def clock_skew_us(self) -> int:
        """How far this machine's clock is ahead of AWS's, to half a second."""

    def stream(self, name: str) -> StandingStream | None:
        """A Kinesis stream, by its physical name, as all that follow."""

    def table(self, name: str) -> StandingTable | None:
        """A DynamoDB table."""

    def bucket(self, name: str) -> bool:
        """Whether a bucket is there."""

    def queue(self, name: str) -> StandingQueue | None:
        """An SQS queue."""

    def active_rule_set(self) -> RuleSet | None:
        """The receipt rule set that SES goes by."""

    def destinations(self, configuration_set: str) -> tuple[Destination, ...] | None:
        """Where a configuration set's events go."""

    def identity(self, domain: str) -> Identity | None:
        """A domain in SES."""

    def account(self) -> SendingAccount:
        """What the account may send."""
