"""The record on the stream: one decision, or one fact from outside, with all its events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.events import Event


@dataclass(frozen=True, slots=True)
class Head:
    """The last decision of a decider on a subject: what the next one has to build on."""

    id: str
    fingerprint: bytes


GENESIS = Head("", b"")
"""What the first decision on a subject builds on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventEnvelope:
    """What one record says.

    Attributes:
        id: follows from the cause (:mod:`schemas.ids`); a repeat has the same.
        subject: what it is about, and the record's partition key.
        cause: id of the record, or name of the thing outside, that led to it.
        after: the decision this one builds on; None for facts, which build on nothing.
        recorded_at: microseconds since 1970, UTC, by the writer's clock.
        decider: who says so: a decider's name, or ``intake``, ``sender``, ``timer`` for facts.
        rule_version: of the decider's rules; payload only, no part of the id.
        events: in the order in which they hold.
        extra: keys that a newer release has added, as plain values. They are carried, so a record
            that is decoded and encoded again keeps them; nothing here depends on them. Readers
            hash the bytes as they are on the stream, so unknown keys are covered by the hash.
    """

    id: str
    subject: str
    cause: str
    after: Head | None
    recorded_at: int
    decider: str
    rule_version: int
    events: tuple[Event, ...]
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def is_decision(self) -> bool:
        """Whether readers judge it by the head it builds on (facts are taken once, by id)."""
        return self.after is not None
