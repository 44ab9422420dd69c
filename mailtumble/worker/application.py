"""What makes one consumer application (core, sender) different from another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from mailtumble.ports.store import Delete, Put, Update
from mailtumble.ports.stream import Shard, StoredRecord
from processors.kernel import Timer
from processors.routing.decider import Answer
from schemas.envelope import EventEnvelope
from schemas.events import Event

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Fact:
    """An event to append by itself, under an id that follows from its cause."""

    id: str
    subject: str
    cause: str
    decider: str
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """Where a subject's accepted records lie in one shard (sequence numbers, padded)."""

    shard_id: str
    first: str
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted(Generic[S]):
    """An accepted record, the state before and after it, and where the subject's records lie."""

    record: EventEnvelope
    stored: StoredRecord
    shard_id: str
    before: S
    after: S
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """What an accepted record leads to besides decisions: all of it data.

    ``facts`` are appended before, ``writes`` committed with the cursor.
    """

    facts: tuple[Fact, ...] = ()
    writes: tuple[Put | Delete | Update, ...] = ()
    timers: tuple[Timer, ...] = ()
    timers_done: tuple[Timer, ...] = ()


NOTHING = Reaction()


class Application(Protocol[S]):
    """One reader of the stream. Everything here is quick and free of I/O, save :meth:`answers`.

    ``name`` and ``generation`` tell its cursors, subjects and timers from those of others.
    ``decider`` is the decider whose decisions it makes, or "" where it makes none.
    """

    name: str
    generation: str
    decider: str
    state_type: type[S]
    initial: S

    def evolve(self, state: S, event: Event) -> S:
        """Fold one event."""

    def asks(self, state: S, record: EventEnvelope) -> Sequence[str]:
        """Names to look up outside before this fact can be decided."""

    def answers(self, asked: Sequence[Sequence[str]]) -> Sequence[Answer]:
        """Look up for a whole batch at once; an outage is an answer too."""

    def decide(
        self, state: S, fact: Event, answer: Answer | None, *, decision_id: str, now: int
    ) -> tuple[Event, ...]:
        """What the decider says to a fact."""

    def react(self, accepted: Accepted[S]) -> Reaction:
        """Writes, timers and facts that follow from an accepted record."""

    def put_aside(self, subject: str, state: S) -> tuple[S, Sequence[Put | Delete | Update]]:
        """What is safe to believe of a subject that has a record in quarantine, and its writes.

        The record's events are not folded; ``RecordQuarantined`` is read later, in its turn.
        """

    def committed(
        self, shard: Shard, writes: Mapping[tuple[str, str], Put | Delete | Update]
    ) -> None:
        """Hear what has just been committed (an application may keep some of it in memory)."""
