"""A replay: what core's projections have to be, by the records up to where core has read.

Records are judged, folded and turned into writes by core's own code; only the tables are
dictionaries, and nothing is decided, appended or looked up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NoReturn

from mailtumble.audit.tapes import Positions, Tape, Tapes
from mailtumble.ports.store import Delete, Item, Put, Update, Value
from mailtumble.ports.stream import Shard, StoredRecord
from mailtumble.ports.world import AliasEntry
from mailtumble.worker.application import Accepted
from mailtumble.worker.core import NAME, Core, CoreRules
from mailtumble.worker.memory import SubjectMemory
from mailtumble.worker.records import Read, read_record
from mailtumble.worker.writes import Address, Write, address
from processors.audit.balance import NOTHING, Entry, book
from processors.kernel import Judgement, Ledger, judge
from schemas.envelope import EventEnvelope
from schemas.errors import InvariantBroken
from schemas.events import MailReceived, RecordQuarantined
from schemas.ids import fingerprint, mail_of

LEFT_OUT: Final = frozenset({"answers", "returns"})
"""Tables of projections whose items are gone after some days."""

Place = tuple[str, str]
"""A shard's id and a sequence number."""


class Replay:
    """The projections of one generation, in memory: some 5 KB a mail.

    Attributes:
        items: by table and key, as they have to be.
        entries: what each mail adds to the sum, by its id.
        headless: mails whose first record, as far as the stream holds it, is no ``MailReceived``.
        unread: records that can't be read and are not in quarantine either, and why.
        announced: bucket and key of every object that a record on the tapes tells of, be that
            record folded or not.
        records: how many were taken in.
        waiting: how many more stand on the stream that core had not read.
    """

    def __init__(self, tapes: Tapes, generation: str) -> None:
        """Nothing is folded yet."""
        self.items: dict[Address, Item] = {}
        self.entries: dict[str, Entry] = {}
        self.headless: set[str] = set()
        self.unread: dict[Place, str] = {}
        self.announced: set[tuple[str, str]] = set()
        self.records = 0
        self.waiting = 0
        self._tapes = tapes
        self._core = Core(_Unasked(), _Unasked(), CoreRules(), generation)
        self._subjects: dict[str, SubjectMemory[Any]] = {}
        self._aside: set[Place] = set()
        self._looked_at: dict[str, int] = {}
        self._folded: dict[str, int] = {}

    def look_ahead(self) -> None:
        """Learn from all that is on the tapes what core has put aside, and which objects it knows.

        That has to come before the records it is about are folded.
        """
        for tape in self._tapes:
            offset = self._looked_at.get(tape.shard.id, 0)
            for record, end in tape.records(offset, tape.last):
                self._look_at(read_record(record).envelope)
                self._looked_at[tape.shard.id] = end
                self.waiting += 1

    def advance(self, positions: Positions) -> None:
        """Fold the records up to where core has read."""
        for tape in self._tapes:
            for record, end in self._next(tape, positions):
                self._take(tape.shard, record)
                self._folded[tape.shard.id] = end
                self.records += 1
                self.waiting -= 1

    def touched(self, positions: Positions) -> set[Address]:
        """The items that the records between here and ``positions`` may change; none is folded."""
        found: set[Address] = set()
        for tape in self._tapes:
            for record, _ in self._next(tape, positions):
                envelope = read_record(record).envelope
                if envelope is None:
                    continue
                initial = self._core.aggregate(record.subject).initial
                writes = self._writes(tape.shard, record, envelope, initial, initial)
                found.update(address(write) for write in writes)
        return found

    def _next(self, tape: Tape, positions: Positions) -> Iterator[tuple[StoredRecord, int]]:
        offset = self._folded.get(tape.shard.id, 0)
        return tape.records(offset, positions.get(tape.shard.id, ""))

    def _look_at(self, envelope: EventEnvelope | None) -> None:
        for event in envelope.events if envelope else ():
            match event:
                case RecordQuarantined(application=application) if application == NAME:
                    self._aside.add((event.shard_id, event.sequence_number))
                case MailReceived(bucket=bucket, object_key=key):
                    self.announced.add((bucket, key))
                case _:
                    pass

    def _take(self, shard: Shard, stored: StoredRecord) -> None:
        read = read_record(stored)
        memory = self._memory(read)
        place = (shard.id, stored.sequence_number)
        record = read.envelope
        if place in self._aside:
            # Not folded, but the head moves on: as ShardProcessor._go_around has it.
            if record is not None and record.is_decision:
                _, memory.ledger = judge(
                    memory.ledger, record, fingerprint(stored.data), stored.arrived_at
                )
            return
        if record is None:
            self.unread[place] = read.problem
            return
        judgement, memory.ledger = judge(
            memory.ledger, record, fingerprint(stored.data), stored.arrived_at
        )
        if judgement is Judgement.ACCEPTED:
            self._fold(shard, memory, stored, record)

    def _memory(self, read: Read) -> SubjectMemory[Any]:
        subject = read.stored.subject
        memory = self._subjects.get(subject)
        if memory is not None:
            return memory
        aggregate = self._core.aggregate(subject)
        memory = SubjectMemory(subject, aggregate, Ledger(), aggregate.initial)
        self._subjects[subject] = memory
        mail_id = mail_of(subject)
        events = read.envelope.events if read.envelope else ()
        if mail_id and not any(isinstance(event, MailReceived) for event in events):
            self.headless.add(mail_id)
        return memory

    def _fold(
        self,
        shard: Shard,
        memory: SubjectMemory[Any],
        stored: StoredRecord,
        record: EventEnvelope,
    ) -> None:
        before = memory.state
        memory.saw(shard.id, stored.sequence_number)
        for event in record.events:
            memory.state = memory.aggregate.evolve(memory.state, event)
        mail_id = mail_of(record.subject)
        if mail_id is not None:
            entry = self.entries.get(mail_id, NOTHING)
            self.entries[mail_id] = book(entry, record.events, memory.state)
        for write in self._writes(shard, stored, record, before, memory.state):
            self._write(write)

    def _writes(
        self,
        shard: Shard,
        stored: StoredRecord,
        record: EventEnvelope,
        before: Any,  # noqa: ANN401 - of that subject's aggregate
        after: Any,  # noqa: ANN401 - of that subject's aggregate
    ) -> Sequence[Write]:
        memory = self._subjects.get(record.subject)
        accepted = Accepted(
            record=record,
            stored=stored,
            shard_id=shard.id,
            before=before,
            after=after,
            spans=memory.spans if memory else (),
        )
        return [each for each in self._core.react(accepted).writes if each.table not in LEFT_OUT]

    def _write(self, write: Write) -> None:
        place = address(write)
        match write:
            case Put():
                self.items[place] = write.item
            case Delete():
                self.items.pop(place, None)
            case Update():
                self.items[place] = updated(self.items.get(place, write.key), write)


def updated(item: Item, update: Update) -> Item:
    """The item after an update, as DynamoDB makes it."""
    after: dict[str, Value] = {**item, **update.set}
    for name, amount in update.add.items():
        number = after.get(name, 0)
        if not isinstance(number, int):
            message = f"{update.table}: {name} is {number!r}, to which nothing can be added"
            raise InvariantBroken(message)
        after[name] = number + amount
    return {name: value for name, value in after.items() if name not in update.remove}


class _Unasked:
    """Stands where core has its repositories: a replay asks nobody."""

    def find(self, names: Sequence[str]) -> Mapping[str, AliasEntry]:
        """Never."""
        _never(names)

    def list(self) -> Sequence[AliasEntry]:
        """Never."""
        _never(())

    def read(
        self, places: Sequence[tuple[str, str]]
    ) -> Mapping[tuple[str, str], tuple[tuple[str, str], ...]]:
        """Never."""
        _never(places)


def _never(asked: Sequence[object]) -> NoReturn:
    message = f"a replay asked for {asked}"
    raise InvariantBroken(message)
