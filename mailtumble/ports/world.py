"""Clock, bytes of mails, look-ups, queues, and the way out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from schemas.errors import MailtumbleError, RetryableError
from schemas.values import ALWAYS, DeferReason, Schedule


class MailHeaders(Protocol):
    """The headers of mails that lie in S3."""

    def read(
        self, places: Sequence[tuple[str, str]]
    ) -> Mapping[tuple[str, str], tuple[tuple[str, str], ...]]:
        """Name and value of each field, by (bucket, key); a mail that is not there is left out.

        Raises:
            RetryableError: S3 does not answer.
        """


class Clock(Protocol):
    """Wall clock time and waiting."""

    def now(self) -> int:
        """Microseconds since 1970, UTC."""

    def sleep(self, seconds: float) -> None:
        """Wait on this thread."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object without its bytes; ``modified_at`` is microseconds UTC, by S3 in whole seconds."""

    key: str
    size_bytes: int
    modified_at: int


class ObjectStore(Protocol):
    """S3, as far as mailtumble uses it: raw mails, notifications, quarantined bytes."""

    def get(self, bucket: str, key: str) -> bytes:
        """The object's bytes. Raises ObjectMissing."""

    def head(self, bucket: str, key: str, size_bytes: int) -> bytes:
        """Its first bytes, as many as there are up to ``size_bytes``. Raises ObjectMissing."""

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """Write the object whole."""

    def listed(self, bucket: str, prefix: str) -> Iterator[StoredObject]:
        """All objects whose keys begin so, in the order of the keys."""

    def size(self, bucket: str, key: str) -> int:
        """Its length in bytes, without reading it. Raises ObjectMissing."""


class ObjectMissing(MailtumbleError):  # noqa: N818 - an answer
    """S3 has no such object."""


@dataclass(frozen=True, slots=True)
class QueueMessage:
    """A message taken from a queue; it comes again unless deleted by its ``receipt``."""

    id: str
    body: str
    receipt: str
    receive_count: int


BATCH_MAX: Final = 10
"""Messages that one call sends, receives or deletes at the most."""


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """About how many messages a queue holds; SQS's numbers may lag by a minute.

    Attributes:
        visible: those that the next receive may bring, or that are delayed.
        in_flight: those that were received and are not deleted yet.
    """

    visible: int
    in_flight: int


class MessageQueue(Protocol):
    """SQS, as far as mailtumble uses it."""

    def receive(self, wait_s: int) -> Sequence[QueueMessage]:
        """Up to 10 messages, waiting up to ``wait_s`` (20 at most) for the first."""

    def delete(self, messages: Sequence[QueueMessage]) -> None:
        """Remove messages, 10 a call."""

    def send(self, bodies: Sequence[str]) -> None:
        """Add messages, 10 a call."""

    def depth(self) -> QueueDepth:
        """Return about how many messages there are."""


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """One mail to one recipient, and the tags by which SES's events are told apart."""

    raw: bytes
    sender: str
    recipient: str
    tags: Mapping[str, str]


class SendRefused(MailtumbleError):  # noqa: N818 - an answer
    """The provider said no, surely nothing was sent, and it may be tried again."""

    def __init__(self, reason: DeferReason, detail: str) -> None:
        """Keep the reason as a value and what the provider said."""
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class SendImpossible(MailtumbleError):  # noqa: N818 - an answer
    """The provider refuses this very message for good."""

    def __init__(self, code: str, detail: str) -> None:
        """Keep the provider's code and what it said."""
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class OutcomeUnknown(MailtumbleError):  # noqa: N818 - an answer
    """No reply came: the provider may or may not have sent the mail."""


class Transport(Protocol):
    """The way out: SES v2 by default."""

    def send(self, mail: OutgoingMail) -> str:
        """Make one call, without any retry of its own; the provider's message id.

        Raises:
            SendRefused: nothing was sent; the reason says what to do next.
            SendImpossible: nothing was sent, and never will be.
            OutcomeUnknown: the reply was lost or timed out.
        """


@dataclass(frozen=True, slots=True)
class Quota:
    """What GetAccount says: recipients per second and per rolling 24 h (-1: no limit)."""

    max_send_rate: float
    max_24h: int
    sent_24h: int
    sending_enabled: bool


class Account(Protocol):
    """The provider's account: one poller a fleet may ask it once a second."""

    def quota(self) -> Quota:
        """The limits in force."""


@dataclass(frozen=True, slots=True)
class AliasEntry:
    """What the repository knows of a name."""

    alias: str
    version: int
    tenant: str
    targets: tuple[str, ...]
    moderated: bool = False
    schedule: Schedule = ALWAYS


class AliasUnreadable(RetryableError):  # noqa: N818 - reads as what it is
    """An alias exists, but its item has not the shape of one: its mail waits until it is mended.

    Attributes:
        problems: what is wrong, by alias.
        readable: the other entries that were found.
    """

    def __init__(
        self, problems: Mapping[str, str], readable: Mapping[str, AliasEntry] | None = None
    ) -> None:
        """Name the aliases and what is wrong with each."""
        told = "; ".join(f"alias {alias}: {problem}" for alias, problem in problems.items())
        super().__init__(f"{told}; put the alias anew")
        self.problems = dict(problems)
        self.readable = dict(readable or {})


class AliasRepository(Protocol):
    """Where aliases are looked up: DynamoDB by default."""

    def find(self, names: Sequence[str]) -> Mapping[str, AliasEntry]:
        """The entries that exist, by name, in one batch; names without one are left out.

        Answers or fails within the look-up's total time-out (1 s by default).

        Raises:
            AliasUnreadable: some entries are broken; the others are in ``readable``.
            RetryableError: the repository is unavailable; this says nothing about the names.
        """

    def list(self) -> Sequence[AliasEntry]:
        """Every alias by name. Raises as :meth:`find`."""


@runtime_checkable
class AliasEditor(AliasRepository, Protocol):
    """A repository that can be changed from here."""

    def put(
        self,
        alias: str,
        targets: Sequence[str],
        tenant: str,
        *,
        moderated: bool = False,
        schedule: Schedule = ALWAYS,
    ) -> int:
        """Create or replace an alias; its version, which grows by one with every change."""

    def remove(self, alias: str) -> int:
        """Take an alias away; the version of its absence, or 0 where it was not there."""
