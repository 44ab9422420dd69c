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
"""Ids of facts are known for longer than SQS (14 days) or SNS may redeliver them."""


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
    """What has been accepted on one subject: all that is needed to judge the next record."""

    heads: Mapping[str, Head] = field(default_factory=dict)
    seen: Mapping[str, int] = field(default_factory=dict)

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


def judge(ledger: Ledger, record: EventEnvelope, fingerprint: bytes) -> tuple[Judgement, Ledger]:
    """Judge a record against what stands before it on its subject, in stream order.

    Decisions need the head; facts need to be new. The judgement depends on nothing else, so
    all readers agree, whoever wrote the record and however often.
    """
    if record.after is not None:
        if record.after != ledger.head(record.decider):
            return Judgement.VOID, ledger
        heads = {**ledger.heads, record.decider: Head(record.id, fingerprint)}
        return Judgement.ACCEPTED, replace(ledger, heads=heads)
    if record.id in ledger.seen:
        return Judgement.REPEATED, ledger
    oldest = record.recorded_at - REMEMBERED_US
    seen = {known: at for known, at in ledger.seen.items() if at >= oldest}
    seen[record.id] = record.recorded_at
    return Judgement.ACCEPTED, replace(ledger, seen=seen)


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
