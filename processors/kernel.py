"""The vocabulary of the brain: decider, timer, and the judgement that every reader passes alike.

A decider is three functions over a state: ``initial``, ``evolve(state, event)``,
``decide(state, event, context)``. ``decide`` sees the state *after* the fact it reacts to was
folded, since facts hold whether or not we like them, and returns a tuple of events, perhaps
empty. What it may know of the world comes in as :class:`Context`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from schemas.envelope import GENESIS, EventEnvelope, Head
from schemas.events import CommandAnswered, CommandGiven, Event
from schemas.values import DAY_US, TimerKind

REMEMBERED_US: Final = 15 * DAY_US
"""How long the id of a fact is remembered, in arrival time: longer than SQS (14 days) or SNS may
redeliver it."""


@dataclass(frozen=True, slots=True)
class Timer:
    """Something due later; what it means is decided when its ``TimerFired`` is read."""

    subject: str
    kind: TimerKind
    attempt_id: str
    number: int
    due_at: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """What has been accepted on one subject: all that is needed to judge the next record.

    Attributes:
        heads: the last accepted decision of each decider.
        seen: the ids of accepted facts, with the arrival time at which each was accepted.
        arrived_at: the latest arrival time of any accepted record (microseconds UTC, by the
            stream's clock). It never goes back.
    """

    heads: Mapping[str, Head] = field(default_factory=dict)
    seen: Mapping[str, int] = field(default_factory=dict)
    arrived_at: int = 0

    def head(self, decider: str) -> Head:
        """What the next decision of ``decider`` has to build on."""
        return self.heads.get(decider, GENESIS)


class Judgement(enum.Enum):
    """What a record is worth to every reader."""

    ACCEPTED = "accepted"
    REPEATED = "repeated"
    """A fact that is already known by its id."""
    VOID = "void"
    """A decision that builds on something else than the head: another one came first."""


def judge(
    ledger: Ledger, record: EventEnvelope, fingerprint: bytes, arrived_at: int
) -> tuple[Judgement, Ledger]:
    """Judge a record against the accepted records of its subject, in stream order.

    A decision must build on its decider's head; a fact must have a new id. Time is the stream's:
    the latest arrival of an accepted record so far. The writer's clock (``recorded_at``) plays no
    part, so a record from a clock that is weeks ahead makes no reader forget an id. The stream may
    stamp a record slightly earlier than the one before it, so the maximum is taken here. It is
    kept per subject, in the ledger, and not per shard: a reader of a single subject (history, the
    archive), a reader that starts in the middle of a shard, and the owner of a child shard all
    know it exactly, and it is stored with the subject, so it survives a change of owner. Void and
    repeated records leave the ledger as it is.

    Args:
        ledger: what has been accepted on the record's subject so far.
        record: the record to judge.
        fingerprint: the hash of the record's bytes, as they are on the stream.
        arrived_at: when the record arrived, in microseconds UTC by the stream's clock, in whole
            milliseconds (:class:`mailtumble.ports.stream.StoredRecord` ensures it).

    Returns:
        The judgement, and the ledger for the subject's next record.
    """
    newest = max(ledger.arrived_at, arrived_at)
    if record.after is not None:
        if record.after != ledger.head(record.decider):
            return Judgement.VOID, ledger
        heads = {**ledger.heads, record.decider: Head(record.id, fingerprint)}
        return Judgement.ACCEPTED, replace(ledger, heads=heads, arrived_at=newest)
    if record.id in ledger.seen:
        return Judgement.REPEATED, ledger
    oldest = newest - REMEMBERED_US
    seen = {known: at for known, at in ledger.seen.items() if at >= oldest}
    seen[record.id] = newest
    return Judgement.ACCEPTED, replace(ledger, seen=seen, arrived_at=newest)


@dataclass(frozen=True, slots=True)
class Obeyed:
    """What a decider says to a person's command: the events that follow, and words for them."""

    events: tuple[Event, ...]
    answer: str
    accepted: bool = True

    @classmethod
    def refused(cls, why: str) -> Obeyed:
        """Nothing follows; a refusal is an answer, and an event like any other."""
        return cls((), why, accepted=False)

    def told(self, command: CommandGiven) -> tuple[Event, ...]:
        """The events with the answer behind them."""
        answer = CommandAnswered(
            command_id=command.command_id, accepted=self.accepted, answer=self.answer
        )
        return (*self.events, answer)


@dataclass(frozen=True, slots=True)
class Returns:
    """Attempts of an alias or a sender within some time.

    ``answered``: how many SES has taken. ``returned``: how many came back for good (a permanent
    bounce) or were called spam; each attempt once.
    """

    answered: int = 0
    returned: int = 0


NO_RETURNS: Final = Returns()
