"""The shard processor: one application on one shard, from records to a committed cursor.

The order of things for a batch, and why nothing is lost or done twice:

1. decode; what can't be read is quarantined, and what only a newer worker can read is waited for
   (rule 5);
2. load the subjects, gather outside answers for the whole batch;
3. record by record: judge, fold, react, decide (rules 1, 2);
4. append all outputs to the stream;
5. commit folded items, own pending outputs and the cursor, transaction by transaction (3, 4).

A crash between 4 and 5 appends again what then is void or repeated. The host calls the methods
of one processor one at a time; several processors may run side by side.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from mailtumble.logs import about
from mailtumble.ports.store import Action, ItemStore
from mailtumble.ports.stream import EventStream, OutgoingRecord, Shard, StoredRecord
from mailtumble.ports.world import Clock, ObjectStore
from mailtumble.worker import journal, quarantine
from mailtumble.worker.application import (
    FORGOTTEN,
    Accepted,
    Application,
    Fact,
    Reaction,
)
from mailtumble.worker.cursor import Cursor
from mailtumble.worker.memory import Memory, Pending, SubjectMemory, without_leading_silence
from mailtumble.worker.metrics import Tally
from mailtumble.worker.patience import Stopping, patiently
from mailtumble.worker.records import Read, outgoing
from mailtumble.worker.timers import Timers
from mailtumble.worker.trials import Trials
from mailtumble.worker.upgrades import UPGRADE_WAIT_US, UpgradeWait
from mailtumble.worker.writes import Portion, Write, Writes
from processors.kernel import Judgement, Timer, judge
from processors.routing.decider import Answer
from schemas import codec
from schemas.envelope import EventEnvelope
from schemas.ids import decision_id, fingerprint
from schemas.values import SECOND_US

T = TypeVar("T")

BATCH_RECORDS_MAX: Final = 200
CAREFUL_RECORDS: Final = BATCH_RECORDS_MAX
"""After a death so many records are tried one at a time: no batch in flight was longer."""
QUIET_US: Final = 15 * SECOND_US
"""Where no commit has told for so long how far the shard is read, it is written down by itself."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The ports a shard processor works with, and how it waits.

    ``trials`` is one for all shards of a process; ``upgrade_wait_us`` see :class:`UpgradeWait`.
    """

    stream: EventStream
    store: ItemStore
    objects: ObjectStore
    bucket: str
    clock: Clock
    stopping: Callable[[], bool] = lambda: False
    trials: Trials = field(default_factory=Trials)
    upgrade_wait_us: int = UPGRADE_WAIT_US


class ShardProcessor:
    """One application's work on one shard."""

    def __init__(self, application: Application, shard: Shard, around: Surroundings) -> None:
        """Know the place; :meth:`take_over` begins the work."""
        name, generation = application.name, application.generation
        self.application = application
        self.shard = shard
        self.around = around
        self.cursor = Cursor(around.store, name, generation, shard.id)
        self.timers = Timers(around.store, name, generation, shard)
        self.tally = Tally()
        self.closed = False
        self._memory = Memory(around.store, application)
        self._careful = 0
        self._poison: str | None = None
        self._timers_changed: list[tuple[Timer, bool]] = []
        wait_us = around.upgrade_wait_us
        self._upgrades = UpgradeWait(self.cursor, around.clock, wait_us, self.patiently)

    @property
    def committed(self) -> str | None:
        """The last record that is committed: where the cursor stands."""
        return self.cursor.sequence

    def take_over(self) -> str | None:
        """Fence the predecessor off; the sequence number to read after (None: from the start)."""
        position = self.cursor.take_over()
        self._memory = Memory(self.around.store, self.application)
        self._careful = 0 if position.clean else CAREFUL_RECORDS
        self._poison = position.poison
        self.closed = position.closed
        if not self.closed:
            # What is due on a closed shard belongs to its children.
            self.timers.load()
        return position.sequence

    def process(self, records: Sequence[StoredRecord]) -> None:
        """Work off records in their order; those at or before the cursor are skipped whole.

        Raises:
            ShardLost: another owner is at work; nothing of this was committed.
            Stopping: asked to stop while waiting for the world.
            AwaitsUpgrade: one of the records has an event that this worker does not know. What
                comes before it is committed; hand the records in again later.
        """
        after = self.cursor.sequence or ""
        fresh = [record for record in records if record.sequence_number > after]
        while self._careful and fresh:
            self._try_one(fresh.pop(0))
        for start in range(0, len(fresh), BATCH_RECORDS_MAX):
            with self.around.trials.beside(self._wait):
                self._process(fresh[start : start + BATCH_RECORDS_MAX])

    def tick(self) -> None:
        """Append what is due, having made sure that the shard is still ours."""
        if facts := self.timers.due(self.around.clock.now()):
            self.cursor.verify()
            self.append_facts(facts)
            self.timers.fired(facts)

    def quiet(self, tip_at: int) -> None:
        """Nothing came for a while until then: let that be known, too."""
        if tip_at >= self.cursor.arrived_at + QUIET_US:
            self.cursor.note(tip_at)

    def close(self) -> None:
        """The shard is read to its end: its children may begin."""
        self.patiently(lambda: self.cursor.close(self.around.clock.now()))

    def release(self) -> None:
        """Say good-bye after a finished batch, so that the next owner need not be careful."""
        self.cursor.release()

    def append_facts(self, facts: Sequence[Fact]) -> Sequence[str]:
        """Append facts that arise outside of the reading; one attempt, no waiting.

        Returns their sequence numbers.
        """
        now = self.around.clock.now()
        return self.around.stream.append([outgoing(fact, now) for fact in facts])

    def _try_one(self, record: StoredRecord) -> None:
        if record.sequence_number == self._poison:
            self._careful -= 1
            self._process([record], poison=True)
            return
        # Before it is tried: a record that is only waited for has not been tried.
        self._upgrades.hold(*self.patiently(lambda: self._memory.read([record])))
        self._careful -= 1
        trials = self.around.trials
        suspect = self.cursor.is_suspect(record.sequence_number)
        with (trials.alone if suspect else trials.beside)(self._wait):
            self.patiently(lambda: self.cursor.attempt(record.sequence_number))
            try:
                self._process([record])
            except Stopping:
                self.cursor.survived()
                raise

    def _wait(self, seconds: float) -> None:
        if self.around.stopping():
            raise Stopping("a record was being tried on another shard")
        self.around.clock.sleep(seconds)

    def _process(self, records: Sequence[StoredRecord], *, poison: bool = False) -> None:
        reason = "it ended the worker three times" if poison else ""
        batch = self.patiently(lambda: self._memory.read(records, reason))
        ready = self._upgrades.ready(batch)
        if ready:
            self._work_off(ready)
        if len(ready) < len(batch):
            self._upgrades.wait(batch[len(ready)])

    def _work_off(self, batch: Sequence[Read]) -> None:
        now = self.around.clock.now()
        outputs: list[OutgoingRecord] = []
        caught_up = self._catch_up(batch, outputs, now)
        # For the whole batch at once, by the state as it was before the batch.
        asked = self._memory.questions(batch)
        told = self.application.answers(list(asked.values())) if asked else ()
        answers = dict(zip(asked, told, strict=True))
        writes = Writes()
        self._timers_changed = []
        for read in batch:
            with about(**journal.subject_fields(read.stored.subject, read.stored.sequence_number)):
                if read.envelope is None or read.problem:
                    mine = self._quarantine(read, outputs, now)
                else:
                    mine = self._fold(read.stored, read.envelope, answers, outputs, now)
            before = caught_up.pop(read.stored.subject, ())
            writes.add(read.stored.sequence_number, [*before, *mine])
        if outputs:
            self.patiently(lambda: self.around.stream.append(outputs))
        self._commit(
            writes, {each.stored.sequence_number: each.stored.arrived_at for each in batch}
        )

    def _commit(self, writes: Writes, arrived_at: Mapping[str, int]) -> None:
        """``arrived_at``: by sequence number, since each portion moves the cursor to another."""
        for portion in writes.portions():
            self.patiently(lambda each=portion: self._write(each, arrived_at))  # type: ignore[misc]
            self.tally.commits += 1
            self.application.committed(self.shard, portion.writes)
        for timer, done in self._timers_changed:
            self.timers.committed(timer, done=done)

    def _write(self, portion: Portion, arrived_at: Mapping[str, int]) -> None:
        actions: list[Action] = list(portion.writes.values())
        if portion.sequence:
            self.cursor.commit(actions, portion.sequence, arrived_at[portion.sequence])
        else:
            self.cursor.write_in_place(actions)

    def _fold(
        self,
        stored: StoredRecord,
        record: EventEnvelope,
        answers: dict[str, Answer],
        outputs: list[OutgoingRecord],
        now: int,
    ) -> list[Write]:
        """Judge, fold, react and decide one record; returns its writes."""
        memory = self._memory[record.subject]
        judgement, ledger = judge(
            memory.ledger, record, fingerprint(stored.data), stored.arrived_at
        )
        if judgement is not Judgement.ACCEPTED:
            journal.not_accepted(judgement, self.tally)
            return []
        self.tally.accepted += 1
        journal.accepted(self.application.name, record)
        before = memory.state
        memory.ledger = ledger
        memory.saw(self.shard.id, stored.sequence_number)
        for event in record.events:
            memory.state = memory.aggregate.evolve(memory.state, event)
        reaction = self.application.react(
            Accepted(
                record=record,
                stored=stored,
                shard_id=self.shard.id,
                before=before,
                after=memory.state,
                spans=memory.spans,
            )
        )
        outputs.extend(outgoing(fact, now) for fact in reaction.facts)
        if record.is_decision:
            if record.decider == memory.aggregate.decider:
                self._settle(memory, record, stored, outputs, now)
        elif memory.aggregate.decider:
            self._decide(memory, record, stored.data, answers.get(record.id), outputs, now)
        if reaction is FORGOTTEN:
            return []
        return [*reaction.writes, self._memory.put(record.subject), *self._timed(reaction)]

    def _timed(self, reaction: Reaction) -> list[Write]:
        """The writes of timers that begin or end, which are remembered until the commit."""
        self._timers_changed += [(timer, False) for timer in reaction.timers]
        self._timers_changed += [(timer, True) for timer in reaction.timers_done]
        begun = map(self.timers.put, reaction.timers)
        return [*begun, *map(self.timers.delete, reaction.timers_done)]

    def _settle(
        self,
        memory: SubjectMemory[Any],
        record: EventEnvelope,
        stored: StoredRecord,
        outputs: list[OutgoingRecord],
        now: int,
    ) -> None:
        """A decision stands: drop it from the pending ones, or decide those again on top of it."""
        waiting = memory.pending
        if waiting and waiting[0].output == stored.data:
            memory.pending = without_leading_silence(waiting[1:])
            return
        memory.pending = []
        for each in waiting:
            cause = each.fact
            if decision_id(cause.id, record.decider, record.subject) != record.id:
                self.tally.decided_again += 1
                self._decide(memory, cause, each.cause, None, outputs, now)

    def _decide(
        self,
        memory: SubjectMemory[Any],
        fact: EventEnvelope,
        data: bytes,
        answer: Answer | None,
        outputs: list[OutgoingRecord],
        now: int,
    ) -> None:
        """Decide on what the stream says and on the own outputs it does not say yet, together."""
        aggregate = memory.aggregate
        state = memory.state
        for each in memory.pending:
            for event in each.events:
                state = aggregate.evolve(state, event)
        name = decision_id(fact.id, aggregate.decider, fact.subject)
        events = tuple(
            decided
            for event in fact.events
            for decided in aggregate.decide(state, event, answer, decision_id=name, now=now)
        )
        if not events:
            if memory.pending:
                memory.pending.append(Pending(data, None))
            return
        decision = EventEnvelope(
            id=name,
            subject=fact.subject,
            cause=fact.id,
            after=memory.tip(),
            recorded_at=now,
            decider=aggregate.decider,
            rule_version=aggregate.rule_version,
            events=events,
        )
        output = codec.encode(decision)
        memory.pending.append(Pending(data, output))
        outputs.append(OutgoingRecord(fact.subject, output))
        self.tally.decided += 1
        self.tally.kinds.update(type(event).__name__ for event in events)

    def _catch_up(
        self, batch: Sequence[Read], outputs: list[OutgoingRecord], now: int
    ) -> dict[str, list[Write]]:
        """Quarantine, as of a readable subject, what older workers passed over; first of all."""
        writes: dict[str, list[Write]] = {}
        for memory in self._memory.behind(batch):
            mine = writes.setdefault(memory.subject, [])
            for passed in memory.passed_over:
                read, name = passed.read(memory.subject), self.application.name
                fact = quarantine.fact(name, passed.shard_id, read, self.around.bucket)
                outputs.append(outgoing(fact, now))
                mine += self._go_around(read, outputs, now)
            memory.passed_over = ()
            mine.append(self._memory.put(memory.subject))
        return writes

    def _quarantine(self, read: Read, outputs: list[OutgoingRecord], now: int) -> list[Write]:
        """Keep the bytes in S3, tell it on the stream, and go on (rule 5)."""
        name, stored = self.application.name, read.stored
        apart = bool(self._memory[stored.subject].unreadable)
        fact = quarantine.fact(name, self.shard.id, read, self.around.bucket, apart=apart)
        key = quarantine.object_key(name, self.shard.id, stored)
        self.patiently(lambda: self.around.objects.put(self.around.bucket, key, stored.data))
        logger.warning("quarantined: %s", read.problem)
        outputs.append(outgoing(fact, now))
        self.tally.quarantined += 1
        return self._go_around(read, outputs, now)

    def _go_around(self, read: Read, outputs: list[OutgoingRecord], now: int) -> list[Write]:
        """What a record that is not folded means for its subject all the same.

        A decision is the head that the next one has to build on: the other readers have taken
        it, and must go on agreeing with this one about what is void.
        """
        memory = self._memory[read.stored.subject]
        if memory.unreadable:
            return self._memory.pass_over(self.shard.id, read)
        before, ledger = memory.state, memory.ledger
        record = read.envelope
        if record is not None and record.is_decision:
            judgement, memory.ledger = judge(
                ledger, record, fingerprint(read.stored.data), read.stored.arrived_at
            )
            if judgement is Judgement.ACCEPTED and record.decider == memory.aggregate.decider:
                self._settle(memory, record, read.stored, outputs, now)
        memory.state, writes = self.application.put_aside(memory.subject, before)
        if memory.state is before and memory.ledger is ledger:
            return []
        return [*writes, self._memory.put(memory.subject)]

    def patiently(self, call: Callable[[], T]) -> T:
        """Repeat a call while the world says "not now", until it goes through or we must stop."""
        return patiently(call, self.around.clock, self.around.stopping, self.tally)
