"""Decide which records of a subject count, by rules 1 and 2."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from schemas.envelope import GENESIS, EventEnvelope, Head


class Taken(enum.StrEnum):
    """How a reader treats a record."""

    ACCEPTED = "accepted"
    """The record counts."""
    REPEATED = "repeated"
    """A fact with this id was accepted before: it changes nothing."""
    VOID = "void"
    """A decision that does not build on the last decision: it changes nothing."""
    ASIDE = "aside"
    """This reader has quarantined it. The next decision still has to build on it."""


@dataclass(slots=True)
class Acceptance:
    """What has been accepted on one subject.

    Attributes:
        heads: the last decision by decider.
        facts: the ids of all accepted facts, without a time limit: a repeat must change nothing.
    """

    heads: dict[str, Head] = field(default_factory=dict)
    facts: set[str] = field(default_factory=set)

    def judge(self, record: EventEnvelope, fingerprint: bytes) -> Taken:
        """Return how a record is treated, and remember it if it is accepted."""
        if record.after is None:
            if record.id in self.facts:
                return Taken.REPEATED
            self.facts.add(record.id)
            return Taken.ACCEPTED
        if self.heads.get(record.decider, GENESIS) != record.after:
            return Taken.VOID
        self.heads[record.decider] = Head(record.id, fingerprint)
        return Taken.ACCEPTED
