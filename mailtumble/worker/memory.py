"""What a shard's owner remembers of its subjects; the fence allows it to keep that in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, TypeVar

import msgpack

from mailtumble.ports.store import Item, ItemStore, Put
from mailtumble.ports.stream import StoredRecord
from mailtumble.worker import passed_over
from mailtumble.worker.application import Aggregate, Application, Question, Span
from mailtumble.worker.passed_over import PassedOver
from mailtumble.worker.records import Read, read_record
from mailtumble.worker.writes import Write
from processors.kernel import Ledger
from processors.states import VERSIONS, read_state
from schemas import codec
from schemas.envelope import EventEnvelope, Head
from schemas.errors import UndecodableRecord, UnknownEvent, UnknownStateVersion
from schemas.events import Event
from schemas.ids import fingerprint
from schemas.structure import from_plain, to_plain

S = TypeVar("S")

LAYOUT: Final = 1
"""Of the list that an item's state is packed as. It may grow at its end, within this layout."""
SUBJECTS_MAX: Final = 1_000
"""Subjects kept per shard, at some 4 KB each: what is at work now, not what waits for hours."""


@dataclass(frozen=True, slots=True)
class Pending:
    """An output not yet seen on the stream, with the fact it answers (to answer it again).

    ``output`` is None for a fact answered with nothing while others were pending: if those lose
    against another decision, this answer may change too.
    """

    cause: bytes
    output: bytes | None

    @property
    def fact(self) -> EventEnvelope:
        """The fact that the output answers."""
        return codec.decode(self.cause)

    @property
    def events(self) -> tuple[Event, ...]:
        """The events of the output."""
        return codec.decode(self.output).events if self.output else ()


@dataclass(slots=True)
class SubjectMemory(Generic[S]):
    """One subject: what the stream says, and the own outputs that it does not say yet."""

    subject: str
    aggregate: Aggregate[S]
    ledger: Ledger
    state: S
    pending: list[Pending] = field(default_factory=list)
    spans: tuple[Span, ...] = ()
    unreadable: str = ""
    """Why the stored state can't be read; empty if it can. An unreadable state is left as it is."""
    is_newer: bool = False
    """Whether the state can't be read because a newer release has stored it."""
    item: Item = field(default_factory=dict)
    """The stored item of a subject whose state a newer release has stored."""
    passed_over: tuple[PassedOver, ...] = ()
    """The records that were passed over while the state could not be read."""

    def tip(self) -> Head:
        """What the next own decision builds on: the last pending one, else the head."""
        for each in reversed(self.pending):
            if each.output is not None:
                return Head(codec.decode(each.output).id, fingerprint(each.output))
        return self.ledger.head(self.aggregate.decider)

    def saw(self, shard_id: str, sequence_number: str) -> None:
        """Widen the span of this shard."""
        if self.spans and self.spans[-1].shard_id == shard_id:
            first = self.spans[-1].first
            self.spans = (*self.spans[:-1], Span(shard_id, first, sequence_number))
        else:
            self.spans = (*self.spans, Span(shard_id, sequence_number, sequence_number))


class Memory:
    """The subjects of one shard, least recently used ones dropped, read in batches."""

    def __init__(self, store: ItemStore, application: Application) -> None:
        """Begin with nothing; :meth:`load` brings in what a batch needs."""
        self._store = store
        self._application = application
        self._subjects: OrderedDict[str, SubjectMemory[Any]] = OrderedDict()

    def __getitem__(self, subject: str) -> SubjectMemory[Any]:
        """A subject that was loaded for this batch."""
        return self._subjects[subject]

    def load(self, subjects: Iterable[str]) -> None:
        """Bring in the subjects of a batch, in one batch read for those not remembered."""
        wanted = dict.fromkeys(subjects)
        for subject in wanted:
            if subject in self._subjects:
                self._subjects.move_to_end(subject)
        missing = [subject for subject in wanted if subject not in self._subjects]
        keys = [{"subject_key": self._key(subject)} for subject in missing]
        items = self._store.get_all("subjects", keys) if keys else ()
        for subject, item in zip(missing, items, strict=True):
            self._subjects[subject] = self._read(subject, item)
        while len(self._subjects) > max(SUBJECTS_MAX, len(wanted)):
            self._subjects.popitem(last=False)

    def put(self, subject: str) -> Put:
        """The write that stores a subject as it is now."""
        state = packed(self._subjects[subject])
        item: Item = {"subject_key": self._key(subject), "state": state}
        return Put("subjects", item)

    def _key(self, subject: str) -> str:
        return f"{self._application.name}#{self._application.generation}#{subject}"

    def _read(self, subject: str, item: Item | None) -> SubjectMemory[Any]:
        aggregate = self._application.aggregate(subject)
        empty = SubjectMemory(subject, aggregate, Ledger(), aggregate.initial)
        if item is None:
            return empty
        passed: tuple[PassedOver, ...] = ()
        try:
            if data := item.get("passed_over"):
                passed = passed_over.unpacked(data)  # type: ignore[arg-type]
            return replace(read_subject(subject, item, aggregate), passed_over=passed)
        except (UnknownStateVersion, UnknownEvent) as error:
            problem = f"{subject}: {error}"
            return replace(empty, unreadable=problem, is_newer=True, item=item, passed_over=passed)
        except (UndecodableRecord, TypeError) as error:
            return replace(empty, unreadable=f"{subject}: {error}")

    def read(self, records: Sequence[StoredRecord], problem: str = "") -> list[Read]:
        """Decode records and load their subjects; ``problem`` is what is known against them.

        A record of a subject whose stored state can't be read can't be used either. It counts as
        newer if the state does.
        """
        self.load(record.subject for record in records)
        checked = [self._checked(read_record(record, problem)) for record in records]
        passed: dict[str, tuple[PassedOver, ...]] = {}
        for place, read in enumerate(checked):
            subject = self._subjects[read.stored.subject]
            if subject.is_newer:
                before = passed.get(subject.subject, subject.passed_over)
                passed[subject.subject] = (*before, PassedOver.of("", read))
                if not passed_over.fits(passed[subject.subject]):
                    checked[place] = replace(read, must_wait=True)
        return checked

    def pass_over(self, shard_id: str, read: Read) -> list[Write]:
        """Remember a record of a subject whose state can't be read; returns what to write.

        The stored state stays as it is. If no release is known to read it, nothing is remembered.
        """
        subject = self._subjects[read.stored.subject]
        if not subject.is_newer:
            return []
        subject.passed_over = (*subject.passed_over, PassedOver.of(shard_id, read))
        packed = passed_over.packed(subject.passed_over)
        return [Put("subjects", {**subject.item, "passed_over": packed})]

    def behind(self, records: Sequence[Read]) -> list[SubjectMemory[Any]]:
        """Return the records' subjects that can be read, but have records that were passed over."""
        distinct = dict.fromkeys(read.stored.subject for read in records)
        subjects = [self._subjects[subject] for subject in distinct]
        return [each for each in subjects if each.passed_over and not each.unreadable]

    def questions(self, records: Sequence[Read]) -> dict[str, Question]:
        """Return what has to be asked outside, by the id of the record that it is about."""
        asked: dict[str, Question] = {}
        for record in (each.envelope for each in records if not each.problem):
            subject = self._subjects[record.subject] if record else None
            if record and subject and subject.aggregate.decider and not record.is_decision:
                question = subject.aggregate.asks(subject.state, record)
                if question is not None:
                    asked[record.id] = question
        return asked

    def _checked(self, read: Read) -> Read:
        subject = self._subjects[read.stored.subject]
        if not subject.unreadable or read.problem:
            return read
        return replace(read, problem=subject.unreadable, is_newer=subject.is_newer)


def packed(subject: SubjectMemory[Any]) -> bytes:
    """Return what is stored of a subject, in the attribute ``state``."""
    plain = [
        LAYOUT,
        to_plain(subject.ledger),
        to_plain(subject.state),
        [[each.cause, each.output] for each in subject.pending],
        to_plain(subject.spans),
        VERSIONS[subject.aggregate.name],
    ]
    data: bytes = msgpack.packb(plain)
    return data


def read_subject(subject: str, item: Item, aggregate: Aggregate[S]) -> SubjectMemory[S]:
    """Return a subject's stored item as it is remembered.

    Raises:
        UnknownStateVersion: a newer release has stored it.
        UnknownEvent: an output of a newer release is pending.
        UndecodableRecord: the item was written in another layout, or holds something else.
    """
    try:
        return _unpacked(subject, codec.unpack(item["state"]), aggregate)  # type: ignore[arg-type]
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        message = f"the stored state of {subject} is garbage: {type(error).__name__} {error}"
        raise UndecodableRecord(message) from error


def read_if_known(subject: str, item: Item, aggregate: Aggregate[S]) -> SubjectMemory[S] | None:
    """Return a subject's stored item, or None if this release can't read it.

    For commands, which run beside the workers of another release in a rolling deployment.
    """
    try:
        return read_subject(subject, item, aggregate)
    except (UnknownStateVersion, UndecodableRecord):
        return None


def _unpacked(
    subject: str,
    plain: Any,  # noqa: ANN401 - whatever msgpack holds
    aggregate: Aggregate[S],
) -> SubjectMemory[S]:
    if plain[0] != LAYOUT:
        message = f"the stored state of {subject} has layout {plain[0]!r:.100}: known is {LAYOUT}"
        raise UndecodableRecord(message)
    _, ledger, state, pending, spans, *more = plain
    # Before states had versions, nothing stood here.
    version = more[0] if more else 1
    if type(version) is not int or version < 1:
        message = f"the stored state of {subject} has version {version!r:.100}: they begin with 1"
        raise UndecodableRecord(message)
    for data in (each for cause_and_output in pending for each in cause_and_output if each):
        codec.decode(data)
    return SubjectMemory(
        subject,
        aggregate,
        from_plain(Ledger, ledger, tolerant=True),
        read_state(aggregate.name, aggregate.state_type, version, state),
        [Pending(cause, output) for cause, output in pending],
        tuple(from_plain(Span, each, tolerant=True) for each in spans),
    )


def without_leading_silence(pending: list[Pending]) -> list[Pending]:
    """Drop leading answers of nothing: they count only behind an output that may still lose."""
    while pending and pending[0].output is None:
        pending = pending[1:]
    return pending
