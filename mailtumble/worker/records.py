"""Between bytes on the stream and what they say."""

from __future__ import annotations

from dataclasses import dataclass

from mailtumble.ports.stream import OutgoingRecord, StoredRecord
from mailtumble.worker.application import Fact
from schemas import codec
from schemas.envelope import EventEnvelope
from schemas.errors import UndecodableRecord


@dataclass(frozen=True, slots=True)
class Read:
    """A record as it was read: its envelope, if it has one; and why it can't be used, if so."""

    stored: StoredRecord
    envelope: EventEnvelope | None
    problem: str = ""


def read_record(record: StoredRecord, problem: str = "") -> Read:
    """Decode a record; ``problem`` is what is known against it already."""
    try:
        envelope = codec.decode(record.data)
    except UndecodableRecord as error:
        return Read(record, None, problem or str(error))
    if envelope.subject != record.subject:
        about = f"the envelope is about {envelope.subject}, its partition key is another"
        return Read(record, None, about)
    return Read(record, envelope, problem)


def outgoing(fact: Fact, now: int) -> OutgoingRecord:
    """A fact as the record to append (facts build on nothing, and have no rules)."""
    envelope = EventEnvelope(
        id=fact.id,
        subject=fact.subject,
        cause=fact.cause,
        after=None,
        recorded_at=now,
        decider=fact.decider,
        rule_version=0,
        events=fact.events,
    )
    return OutgoingRecord(fact.subject, codec.encode(envelope))
