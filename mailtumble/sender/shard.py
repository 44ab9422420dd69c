"""The sender on one shard: the shard processor, and beside it queue, claims and instants.

Per pace: take fairly by tenant -> reserve instants -> claim -> append SendStarted -> hand the
jobs out. Their outcomes come back through :meth:`SenderShard.report` and are appended together.
The host calls the methods one at a time; jobs run elsewhere, side by side.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from mailtumble.ports.store import Delete, Put, Update
from mailtumble.ports.stream import Shard, StoredRecord
from mailtumble.sender.application import NAME, SenderApplication, unknown_id
from mailtumble.sender.claims import Claims, ClaimTimes
from mailtumble.sender.instants import Instants
from mailtumble.sender.queue import Backlog, Entry, Queue
from mailtumble.sender.standing import AddressStanding, Standing
from mailtumble.sender.transmission import Job
from mailtumble.worker.application import Fact
from mailtumble.worker.metrics import Tally
from mailtumble.worker.shard import ShardProcessor, Surroundings
from processors.sending.fairness import Choice
from processors.sending.pacing import Appetite
from schemas.errors import RetryableError
from schemas.events import (
    Event,
    SendCancelled,
    SendExpired,
    SendStarted,
    SendSuppressed,
    SendUnknown,
)
from schemas.ids import derive

TAKE_MAX: Final = 66
"""Entries per pace: two transactions of claims."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderSettings:
    """Who sends, how long things may take, and who comes first (see :class:`Choice`)."""

    owner: str
    times: ClaimTimes
    unknown_wait_us: int
    weights: Mapping[str, float] = field(default_factory=dict)
    urgent_tenants: frozenset[str] = frozenset()


class SenderShard:
    """Everything that the sender does on one shard, save the calls themselves."""

    def __init__(
        self,
        shard: Shard,
        around: Surroundings,
        instants: Instants,
        standing: Standing,
        settings: SenderSettings,
    ) -> None:
        """Know the place; :meth:`take_over` begins the work."""
        self._settings = settings
        self._standing = standing
        self._around = around
        self._instants = instants
        self.appetite = Appetite()
        self._outcomes: deque[Fact] = deque()
        times = settings.times
        application = SenderApplication(
            settings.unknown_wait_us, times.deadline_us - times.send_us, self._follow
        )
        self.processor = ShardProcessor(application, shard, around)
        choice = Choice(settings.weights, settings.urgent_tenants)
        self._queue = Queue(around.store, shard, choice)
        self._claims = Claims(
            around.store,
            self.processor.cursor,
            self.processor.timers,
            settings.times,
            settings.owner,
        )

    @property
    def tally(self) -> Tally:
        """See :class:`ShardProcessor`."""
        return self.processor.tally

    @property
    def committed(self) -> str | None:
        """See :class:`ShardProcessor`."""
        return self.processor.committed

    def take_over(self) -> str | None:
        """Fence the predecessor off, load queue and deadlines; where to read on after."""
        after = self.processor.take_over()
        if not self.processor.closed:
            self._queue.load()
        return after

    def process(self, records: Sequence[StoredRecord]) -> None:
        """See :meth:`ShardProcessor.process`."""
        self.processor.process(records)

    def tick(self) -> None:
        """See :meth:`ShardProcessor.tick`."""
        self.processor.tick()

    def close(self) -> None:
        """See :meth:`ShardProcessor.close`."""
        self.processor.close()

    def release(self) -> None:
        """See :meth:`ShardProcessor.release`."""
        self.processor.release()

    def pace(self, limit: int = TAKE_MAX) -> list[Job]:
        """Claim what is due and has an instant; the jobs to carry out, SendStarted on the log.

        ``limit``: how many at the most; :attr:`appetite` says how many it is wise to take.

        Raises:
            ShardLost: another owner has the shard.
            RetryableError: nothing is lost; claims that were made run into their deadline.
        """
        now = self._around.clock.now()
        due = self._queue.take(now, limit, self._standing)
        if not due:
            return []
        standing = self._standing.of((each.address for each in due if not each.is_over(now)), now)
        good = [
            each for each in due if not (each.is_over(now) or standing[each.address].suppressed)
        ]
        self._give_up([each for each in due if each not in good], standing, now)
        instants = self._instants.take(len(good), now) if good else []
        self.appetite = self.appetite.after(len(good), instants, now, TAKE_MAX)
        claimed = self._claim(good[: len(instants)], now)
        if not claimed:
            return []
        send_before = now + self._settings.times.send_us
        jobs = [Job(entry, at, send_before) for entry, at in zip(claimed, instants, strict=False)]
        numbers = self.processor.append_facts(
            [self._started(job, standing[job.entry.address]) for job in jobs]
        )
        return [replace(job, sequence=at) for job, at in zip(jobs, numbers, strict=True)]

    def backlog(self) -> Backlog:
        """What waits here; of what is paused nothing is due."""
        return self._queue.backlog(self._around.clock.now(), self._standing)

    def another_instant(self) -> int | None:
        """An instant in place of one that was missed."""
        taken = self._instants.take(1, self._around.clock.now())
        return taken[0] if taken else None

    def still_mine(self) -> bool:
        """Whether nothing has told us yet that the shard is another's."""
        return not self.processor.cursor.lost

    def report(self, job: Job, outcome: Event) -> None:
        """Take an outcome in, to be appended with the next :meth:`flush`."""
        entry = job.entry
        kind = type(outcome).__name__
        name = derive("outcome", entry.attempt_id, str(entry.round), kind)
        if isinstance(outcome, SendUnknown):
            name = unknown_id(entry.attempt_id, entry.round)
        self._outcomes.append(self._fact(name, entry, outcome))

    def flush(self) -> None:
        """Append the outcomes that have come in; on failure they are kept for the next time."""
        # Outcomes come in from other threads meanwhile: each is taken by itself.
        facts = [self._outcomes.popleft() for _ in range(len(self._outcomes))]
        if not facts:
            return
        try:
            self.processor.append_facts(facts)
        except RetryableError:
            self._outcomes.extendleft(reversed(facts))
            raise

    def _claim(self, entries: list[Entry], now: int) -> list[Entry]:
        if not entries:
            return []
        mine, gone = self._claims.claim(entries, now)
        if gone:
            self._claims.drop(gone)
        for entry in (*mine, *gone):
            self._queue.discard(entry.key["position"])
        return mine

    def _give_up(
        self, entries: list[Entry], standing: Mapping[str, AddressStanding], now: int
    ) -> None:
        """End attempts without a call, by a claim too: they can't be sent at the same time."""
        facts = []
        for entry in self._claim(entries, now):
            about = {"target": entry.target, "attempt_id": entry.attempt_id}
            event: Event
            if entry.cancelled:
                event = SendCancelled(**about)  # type: ignore[arg-type]
            elif entry.is_over(now):
                event = SendExpired(**about)  # type: ignore[arg-type]
            else:
                why = f"the address is suppressed: {standing[entry.address].suppressed}"
                event = SendSuppressed(**about, reason=why)  # type: ignore[arg-type]
            name = derive("given-up", entry.attempt_id, str(entry.round))
            facts.append(self._fact(name, entry, event))
        if facts:
            self.processor.append_facts(facts)

    def _started(self, job: Job, standing: AddressStanding) -> Fact:
        entry = job.entry
        event = SendStarted(
            target=entry.target,
            attempt_id=entry.attempt_id,
            round=entry.round,
            instant_at=job.instant_at,
            send_before=job.send_before,
            owner=self._settings.owner,
            watched=standing.watched,
        )
        return self._fact(derive("started", entry.attempt_id, str(entry.round)), entry, event)

    def _fact(self, name: str, entry: Entry, event: Event) -> Fact:
        return Fact(name, entry.subject, entry.attempt_id, NAME, (event,))

    def _follow(
        self, shard: Shard, writes: Mapping[tuple[str, str], Put | Delete | Update]
    ) -> None:
        if shard.id == self.processor.shard.id:
            self._queue.committed(writes)
