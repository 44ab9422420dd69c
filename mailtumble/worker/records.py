"""Between bytes on the stream and what they say."""

from __future__ import annotations

from dataclasses import dataclass

from mailtumble.ports.stream import OutgoingRecord, StoredRecord
from mailtumble.worker.application import Fact
from schemas import codec
from schemas.envelope import EventEnvelope
from schemas.errors import UndecodableRecord, UnknownEvent


@dataclass(frozen=True, slots=True)
class Read:
    """A record as it was read.

    Attributes:
        stored: the record on the stream.
        envelope: what it says; None if it can't be read. Of a newer record the envelope has no
            events, but everything by which readers judge it.
        problem: why the record can't be used; empty if it can.
        is_newer: whether it holds an event that this worker does not know.
        must_wait: whether an upgrade has to be awaited without an end, because no more records of
            its subject may be passed over.
    """

    stored: StoredRecord
    envelope: EventEnvelope | None
    problem: str = ""
    is_newer: bool = False
    must_wait: bool = False


def read_record(record: StoredRecord, problem: str = "") -> Read:
    """Decode a record; ``problem`` says what is known against it already.

    A record that is known to be a problem is not waited for, whatever it holds.
    """
    is_newer = False
    try:
        envelope = codec.decode(record.data)
    except UnknownEvent as error:
        envelope, is_newer = codec.decode_outline(record.data), not problem
        problem = problem or str(error)
    except UndecodableRecord as error:
        return Read(record, None, problem or str(error))
    if envelope.subject != record.subject:
        about = f"the envelope is about {envelope.subject}, its partition key is another"
        return Read(record, None, about)
    return Read(record, envelope, problem, is_newer)


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
