"""The stream's records as the independent model takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from processors.audit.model import Model, Taken
from schemas import codec
from schemas.errors import UndecodableRecord
from schemas.events import RecordQuarantined
from schemas.ids import fingerprint

if TYPE_CHECKING:
    from mailtumble.ports.stream import StoredRecord
    from schemas.envelope import EventEnvelope
    from tests.simulation.world import World


@dataclass(frozen=True)
class Reading:
    """A record, where it lies, and its envelope (None: nobody can use it)."""

    shard_id: str
    stored: StoredRecord
    envelope: EventEnvelope | None

    @property
    def place(self) -> tuple[str, str]:
        """Where it lies."""
        return self.shard_id, self.stored.sequence_number

    def give(self, model: Model) -> Taken:
        """Let a model take it."""
        if self.envelope is None:
            model.take_unreadable(self.stored.subject)
            return Taken.ASIDE
        data = fingerprint(self.stored.data)
        return model.take(self.envelope, data, self.stored.arrived_at, self.place)


Readings = dict[str, list[Reading]]
"""By shard, parents before their children."""


def readings(world: World) -> Readings:
    """Every record of the stream."""
    return {
        shard: [Reading(shard, stored, _envelope(stored)) for stored in records]
        for shard, records in world.stream.history().items()
    }


def quarantined(log: Readings, application: str) -> set[tuple[str, str]]:
    """The places of the records that an application has quarantined at any time."""
    return {
        (event.shard_id, event.sequence_number)
        for records in log.values()
        for record in records
        if record.envelope is not None
        for event in record.envelope.events
        if isinstance(event, RecordQuarantined) and event.application == application
    }


def unread_answers(log: Readings, application: str) -> set[str]:
    """The ids of facts that were answered by a decision which its own decider has quarantined."""
    aside = quarantined(log, application)
    return {
        record.envelope.cause
        for records in log.values()
        for record in records
        if record.place in aside and record.envelope is not None and record.envelope.is_decision
    }


def model_of(log: Readings, application: str) -> Model:
    """The model of everything, as an application has to see it in the end."""
    model = Model(application, quarantined(log, application))
    for records in log.values():
        for record in records:
            record.give(model)
    return model


def _envelope(stored: StoredRecord) -> EventEnvelope | None:
    try:
        envelope = codec.decode(stored.data)
    except UndecodableRecord:
        return None
    return envelope if envelope.subject == stored.subject else None
