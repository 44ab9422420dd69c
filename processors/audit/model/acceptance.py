"""Which records count: rules 1 and 2, for one subject."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from schemas.envelope import GENESIS, EventEnvelope, Head


class Taken(enum.StrEnum):
    """What a record is worth to a reader."""

    ACCEPTED = "accepted"
    """It holds."""
    REPEATED = "repeated"
    """A fact with this id was accepted before: it changes nothing."""
    VOID = "void"
    """A decision that builds on anything but the last decision: it changes nothing."""
    ASIDE = "aside"
    """This reader has quarantined it. A decision is the head of the next one all the same."""


@dataclass(slots=True)
class Acceptance:
    """What has been accepted on one subject.

    Attributes:
        heads: the last decision by decider.
        facts: the ids of all accepted facts, for ever: a later repeat must change nothing.
    """

    heads: dict[str, Head] = field(default_factory=dict)
    facts: set[str] = field(default_factory=set)

    def judge(self, record: EventEnvelope, fingerprint: bytes) -> Taken:
        """Say what a record is worth, and remember it if it was accepted."""
        if record.after is None:
            if record.id in self.facts:
                return Taken.REPEATED
            self.facts.add(record.id)
            return Taken.ACCEPTED
        if self.heads.get(record.decider, GENESIS) != record.after:
            return Taken.VOID
        self.heads[record.decider] = Head(record.id, fingerprint)
        return Taken.ACCEPTED
