"""What makes one consumer application (core, sender) different from another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

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


NOTHING: Final = Reaction()
FORGOTTEN: Final = Reaction()
"""As NOTHING, where not even the record's id need be kept: a repeat of it would do nothing either.

Not for decisions: the next one builds on them.
"""


@dataclass(frozen=True, slots=True)
class Question:
    """What has to be asked outside before a fact can be decided.

    ``names`` are alias names, the most particular first; ``object_key`` is the mail's, in
    ``bucket``, where its header is needed, else "". ``source``: the mail's envelope sender.
    """

    names: tuple[str, ...]
    bucket: str = ""
    object_key: str = ""
    source: str = ""


class Aggregate(Protocol[S]):
    """What one kind of subject is about: its state, and who decides about it.

    ``decider`` is "" where nobody does. ``name`` is that of its stored states, whose version
    :data:`processors.states.VERSIONS` has. Everything here is quick and free of I/O.
    """

    decider: str
    rule_version: int
    name: str
    state_type: type[S]
    initial: S

    def evolve(self, state: S, event: Event) -> S:
        """Fold one event."""

    def asks(self, state: S, fact: EventEnvelope) -> Question | None:
        """What to ask outside before this fact can be decided."""

    def decide(
        self, state: S, fact: Event, answer: Answer | None, *, decision_id: str, now: int
    ) -> tuple[Event, ...]:
        """What the decider says to a fact."""


class Application(Protocol):
    """One reader of the stream.

    ``name`` and ``generation`` tell its cursors, subjects and timers from those of others.
    """

    name: str
    generation: str

    def aggregate(self, subject: str) -> Aggregate[Any]:
        """What a subject is about."""

    def answers(self, asked: Sequence[Question]) -> Sequence[Answer]:
        """Ask outside for a whole batch at once; an outage is an answer too."""

    def react(self, accepted: Accepted[Any]) -> Reaction:
        """Writes, timers and facts that follow from an accepted record."""

    def put_aside(
        self,
        subject: str,
        state: Any,  # noqa: ANN401 - of that subject's aggregate
    ) -> tuple[Any, Sequence[Put | Delete | Update]]:
        """What is safe to believe of a subject that has a record in quarantine, and its writes.

        The record's events are not folded; ``RecordQuarantined`` is read later, in its turn.
        """

    def committed(
        self, shard: Shard, writes: Mapping[tuple[str, str], Put | Delete | Update]
    ) -> None:
        """Hear what has just been committed (an application may keep some of it in memory)."""
