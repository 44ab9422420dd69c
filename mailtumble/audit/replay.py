"""A replay: what an application's tables have to hold, by the records up to where it has read.

Records are judged, folded and turned into writes by the application's own code; only the tables
are dictionaries, and nothing is decided, appended or looked up. So a replay finds what storage has
lost or somebody has changed. A fault in the fold itself it repeats: the model, which is folded
beside it and shares no code with the product, is there to find that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NoReturn

from mailtumble.audit.tapes import Positions, Tape, Tapes
from mailtumble.ports.store import Delete, Item, Put, Update, Value
from mailtumble.ports.stream import Shard, StoredRecord
from mailtumble.ports.world import AliasEntry
from mailtumble.worker.application import Accepted, Aggregate, Application
from mailtumble.worker.core import Core, CoreRules
from mailtumble.worker.memory import SubjectMemory
from mailtumble.worker.records import Read, read_record
from mailtumble.worker.timers import delete, prefix_of, put
from mailtumble.worker.writes import Address, Write, address
from processors.audit.balance import NOTHING, Entry, book
from processors.audit.model import Model
from processors.kernel import Judgement, Ledger, Timer, judge
from schemas.envelope import EventEnvelope
from schemas.errors import InvariantBroken
from schemas.events import MailReceived, RecordQuarantined
from schemas.ids import fingerprint, mail_of

LEFT_OUT: Final = frozenset({"answers", "returns"})
"""Tables of projections whose items are gone after some days."""

TIMERS: Final = "timers"

Place = tuple[str, str]
"""A shard's id and a sequence number."""


class LookAhead:
    """What the whole stream says that has to be known before its first record is folded.

    Attributes:
        announced: bucket and key of every object that a record on the tapes tells of, be that
            record folded or not.
        records: how many records the tapes hold.
    """

    def __init__(self, tapes: Tapes) -> None:
        """Create it without reading anything."""
        self.announced: set[tuple[str, str]] = set()
        self.records = 0
        self._tapes = tapes
        self._aside: dict[str, set[Place]] = {}
        self._looked_at: dict[str, int] = {}

    def look(self) -> None:
        """Read what has been added to the tapes since the last look."""
        for tape in self._tapes:
            offset = self._looked_at.get(tape.shard.id, 0)
            for record, end in tape.records(offset, tape.last):
                self._look_at(read_record(record).envelope)
                self._looked_at[tape.shard.id] = end
                self.records += 1

    def aside(self, application: str) -> set[Place]:
        """Return where the records are that an application has put into quarantine."""
        return self._aside.setdefault(application, set())

    def _look_at(self, envelope: EventEnvelope | None) -> None:
        for event in envelope.events if envelope else ():
            match event:
                case RecordQuarantined(application=application):
                    self.aside(application).add((event.shard_id, event.sequence_number))
                case MailReceived(bucket=bucket, object_key=key):
                    self.announced.add((bucket, key))
                case _:
                    pass


class Replay:
    """The items of one application, in memory: some 5 KB a mail.

    Attributes:
        items: by table and key, as they have to be; which timers there have to be, the model says.
        model: the second witness, at the same position.
        headless: mails whose first record, as far as the stream holds it, is no ``MailReceived``.
        unread: records that can't be read and are not in quarantine either, and why.
        records: how many were taken in.
    """

    def __init__(self, tapes: Tapes, ahead: LookAhead, application: Application) -> None:
        """Create it without folding anything. ``ahead`` must have looked before each advance."""
        self.items: dict[Address, Item] = {}
        self.headless: set[str] = set()
        self.unread: dict[Place, str] = {}
        self.records = 0
        self._tapes = tapes
        self._application = application
        self._timers = prefix_of(application.name, application.generation)
        self._subjects: dict[str, SubjectMemory[Any]] = {}
        self._aside = ahead.aside(application.name)
        self.model = Model(application.name, aside=self._aside)
        self._folded: dict[str, int] = {}

    def advance(self, positions: Positions) -> None:
        """Fold the records up to where the application has read."""
        for tape in self._tapes:
            for record, end in self._next(tape, positions):
                self._take(tape.shard, record)
                self._folded[tape.shard.id] = end
                self.records += 1

    def touched(self, positions: Positions) -> set[Address]:
        """Return the items that records up to ``positions`` may still change; none is folded."""
        found: set[Address] = set()
        for shard, record in self._coming(positions):
            envelope = read_record(record).envelope
            if envelope is None:
                continue
            initial = self._application.aggregate(record.subject).initial
            writes = self._writes(shard, record, envelope, initial, initial)
            found.update(address(write) for write in writes)
        return found

    def touched_subjects(self, positions: Positions) -> set[str]:
        """Return the subjects of the records up to ``positions`` that are not folded yet."""
        return {record.subject for _, record in self._coming(positions)}

    def unread_at(self) -> int | None:
        """Return when the oldest record arrived that is not folded yet (microseconds UTC)."""
        found: list[int] = []
        for tape in self._tapes:
            offset = self._folded.get(tape.shard.id, 0)
            found.extend(each.arrived_at for each, _ in islice(tape.records(offset, tape.last), 1))
        return min(found, default=None)

    def heard_at(self, subject: str) -> int:
        """Return when the last accepted record of a subject arrived (microseconds UTC)."""
        memory = self._subjects.get(subject)
        return memory.ledger.arrived_at if memory else 0

    def aggregate(self, subject: str) -> Aggregate[Any]:
        """Return what a subject is about."""
        return self._application.aggregate(subject)

    def state(self, subject: str) -> Any:  # noqa: ANN401 - of that subject's aggregate
        """Return a subject's folded state."""
        memory = self._subjects.get(subject)
        return memory.state if memory else self._application.aggregate(subject).initial

    def _coming(self, positions: Positions) -> Iterator[tuple[Shard, StoredRecord]]:
        for tape in self._tapes:
            for record, _ in self._next(tape, positions):
                yield tape.shard, record

    def _next(self, tape: Tape, positions: Positions) -> Iterator[tuple[StoredRecord, int]]:
        offset = self._folded.get(tape.shard.id, 0)
        return tape.records(offset, positions.get(tape.shard.id, ""))

    def _take(self, shard: Shard, stored: StoredRecord) -> None:
        read = read_record(stored)
        memory = self._memory(read)
        place = (shard.id, stored.sequence_number)
        record = read.envelope
        if record is None or (read.problem and place not in self._aside):
            self.model.take_unreadable(stored.subject)
        else:
            self.model.take(record, fingerprint(stored.data), stored.arrived_at, place)
        if place in self._aside:
            self._go_around(memory, stored, record)
        elif record is None or read.problem:
            self.unread[place] = read.problem
        else:
            judgement, memory.ledger = judge(
                memory.ledger, record, fingerprint(stored.data), stored.arrived_at
            )
            if judgement is Judgement.ACCEPTED:
                self._fold(shard, memory, stored, record)

    def _go_around(
        self, memory: SubjectMemory[Any], stored: StoredRecord, record: EventEnvelope | None
    ) -> None:
        """Pass over a quarantined record, as ``ShardProcessor`` does: the head moves on."""
        if record is not None and record.is_decision:
            _, memory.ledger = judge(
                memory.ledger, record, fingerprint(stored.data), stored.arrived_at
            )
        memory.state, writes = self._application.put_aside(memory.subject, memory.state)
        for write in writes:
            self._write(write)

    def _memory(self, read: Read) -> SubjectMemory[Any]:
        subject = read.stored.subject
        memory = self._subjects.get(subject)
        if memory is not None:
            return memory
        aggregate = self._application.aggregate(subject)
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
        reaction = self._application.react(accepted)
        return [
            *(each for each in reaction.writes if each.table not in LEFT_OUT),
            *(put(self._timers, each) for each in reaction.timers),
            *(delete(self._timers, each) for each in reaction.timers_done),
        ]

    def _write(self, write: Write) -> None:
        if write.table == TIMERS:
            return
        place = address(write)
        match write:
            case Put():
                self.items[place] = write.item
            case Delete():
                self.items.pop(place, None)
            case Update():
                self.items[place] = updated(self.items.get(place, write.key), write)


class CoreReplay(Replay):
    """The projections and timers of one generation of core.

    Attributes:
        entries: what each mail adds to the sum, by its id.
    """

    def __init__(self, tapes: Tapes, ahead: LookAhead, generation: str) -> None:
        """Create it without folding anything."""
        super().__init__(tapes, ahead, Core(_Unasked(), _Unasked(), CoreRules(), generation))
        self.entries: dict[str, Entry] = {}

    def _fold(
        self,
        shard: Shard,
        memory: SubjectMemory[Any],
        stored: StoredRecord,
        record: EventEnvelope,
    ) -> None:
        super()._fold(shard, memory, stored, record)
        mail_id = mail_of(record.subject)
        if mail_id is not None:
            entry = self.entries.get(mail_id, NOTHING)
            self.entries[mail_id] = book(entry, record.events, memory.state)

    def expected(self) -> dict[Address, Item]:
        """Return every item that there has to be: projections, and the timers that are set."""
        timers = (
            put(
                self._timers,
                Timer(each.subject, each.kind, each.attempt_id, each.number, each.due_at),
            )
            for each in self.model.timers
        )
        return {**self.items, **{address(each): each.item for each in timers}}


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
