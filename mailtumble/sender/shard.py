"""The sender on one shard: the shard processor, and beside it queue, claims and instants.

Per pace: end what is over, by claims alone -> take fairly by tenant -> reserve instants -> claim
-> append SendStarted -> hand the jobs out. Their outcomes come back through
:meth:`SenderShard.report`, and are appended together with those of other shards.
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
from mailtumble.sender.destinations import Destinations, Permits
from mailtumble.sender.entry import Entry
from mailtumble.sender.fuse import Fuse
from mailtumble.sender.gate import ProbeGate, SenderGate
from mailtumble.sender.instants import Instants
from mailtumble.sender.outcomes import Outcomes
from mailtumble.sender.queue import Backlog, Queue
from mailtumble.sender.standing import AddressStanding, Standing
from mailtumble.sender.stops import StopWatch
from mailtumble.sender.transmission import Job, not_called
from mailtumble.worker.application import Fact
from mailtumble.worker.metrics import Tally
from mailtumble.worker.shard import ShardProcessor, Surroundings
from processors.moderation.breaker import RULE
from processors.sending.fairness import Choice
from processors.sending.pacing import Appetite
from schemas.errors import RetryableError
from schemas.events import (
    Event,
    SendCancelled,
    SendExpired,
    SendHeldBack,
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


@dataclass(frozen=True, slots=True)
class Fleet:
    """What all the senders share: instants, pauses, stops, and slow domains."""

    instants: Instants
    standing: Standing
    stops: StopWatch
    destinations: Destinations


class SenderShard:
    """Everything that the sender does on one shard, save the calls themselves."""

    def __init__(
        self,
        shard: Shard,
        around: Surroundings,
        fleet: Fleet,
        settings: SenderSettings,
        outcomes: Outcomes,
        fuse: Fuse | None = None,
    ) -> None:
        """Know the place; :meth:`take_over` begins the work. Without ``fuse`` no breaker holds."""
        self._fuse = fuse
        self._outcomes = outcomes
        self._settings = settings
        self._around = around
        self._fleet = fleet
        self._permits = Permits(fleet.destinations, around.clock)
        self._gate = SenderGate(fleet.standing, fleet.stops, self._permits)
        self.appetite = Appetite()
        self._delayed: deque[tuple[str, int]] = deque()
        times = settings.times
        application = SenderApplication(
            settings.unknown_wait_us,
            times.deadline_us - times.send_us,
            self._follow,
            self._delayed.append,
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

        ``limit``: how many at the most; :attr:`appetite` says how many it is wise to take. What is
        over needs no instants: up to :data:`TAKE_MAX` of that end at each pace, also with none.

        Raises:
            ShardLost: another owner has the shard.
            RetryableError: nothing is lost; claims that were made run into their deadline.
        """
        self._slow_down()
        now = self._around.clock.now()
        self._give_up({each: _over(each) for each in self._queue.over(now, TAKE_MAX)}, now)
        if limit <= 0:
            return []
        probes = self._probes(self._around.clock.now())
        due, standing = self._sendable(probes, limit)
        # The queue may have been read on, and others given up, which takes its time.
        now = self._around.clock.now()
        good = [each for each in due if not each.is_over(now)]
        chosen, instants = self._with_instants(good, now)
        claimed = self._claim(chosen, now)
        if not claimed:
            return []
        for entry in claimed:
            self._queue.charge(entry)
            self._permits.use(entry.lane.destination)
        send_before = now + self._settings.times.send_us
        jobs = [
            Job(entry, at, send_before, probes=entry in probes)
            for entry, at in zip(claimed, instants, strict=False)
        ]
        numbers = self._announce(jobs, standing)
        return [replace(job, sequence=at) for job, at in zip(jobs, numbers, strict=True)]

    def backlog(self) -> Backlog:
        """What waits here; of what is paused nothing is due."""
        return self._queue.backlog(self._around.clock.now(), self._gate)

    def another_instant(self, job: Job) -> int | None:
        """An instant in place of one that was missed."""
        urgent = self._queue.is_urgent(job.entry)
        clock = self._around.clock
        return self._fleet.instants.another(clock, job.send_before, urgent=urgent)

    def holds(self, job: Job) -> bool:
        """Whether its instant still is one, after what SES has answered since it was taken."""
        return job.probes or self._fleet.instants.holds(job.instant_at)

    def may_call(self, job: Job) -> bool:
        """Whether nothing has told us yet that the shard is another's, or that SES has stopped."""
        stopped = self._fleet.stops.holds(job.entry.lane) and not job.probes
        return not (stopped or self.processor.cursor.lost)

    def report(self, job: Job, outcome: Event) -> None:
        """Take an outcome in, to be appended with those of other lanes."""
        entry = job.entry
        kind = type(outcome).__name__
        name = derive("outcome", entry.attempt_id, str(entry.round), kind)
        if isinstance(outcome, SendUnknown):
            name = unknown_id(entry.attempt_id, entry.round)
        self._outcomes.add(self._fact(name, entry, outcome))

    def _probes(self, now: int) -> list[Entry]:
        """One mail, where SES has stopped some and it is this sender's turn to try."""
        for stop in self._fleet.stops.due_probes():
            found = self._queue.take(now, 1, ProbeGate(self._fleet.standing, stop))
            if found and self._fleet.stops.takes(stop):
                return found
        return []

    def _sendable(
        self, probes: list[Entry], limit: int
    ) -> tuple[list[Entry], Mapping[str, AddressStanding]]:
        """Up to ``limit`` that are due and may be sent, ``probes`` first; how addresses stand.

        What goes to suppressed addresses ends, and what the breaker holds back. Where there is
        some, there may be more of it: then more is looked at than may be sent.
        """
        standing: dict[str, AddressStanding] = {}
        good: list[Entry] = []
        for most in (limit, TAKE_MAX):
            now = self._around.clock.now()
            others = self._queue.take(now, most, self._gate)
            due = [*probes, *(each for each in others if each not in probes)]
            new = (each.address for each in due if each.address not in standing)
            standing.update(self._fleet.standing.of(new, now))
            gone = self._not_to_be_sent(due, standing)
            good = [each for each in due if each not in gone]
            if not gone:
                break
            self._give_up(gone, now)
            probes = [each for each in probes if each in good]
        return good[:limit], standing

    def _with_instants(self, entries: list[Entry], now: int) -> tuple[list[Entry], list[int]]:
        """Those that get an instant, and the instants; what is urgent may use the day's reserve."""
        if not entries:
            return [], []
        urgent = [each for each in entries if self._queue.is_urgent(each)]
        plain = [each for each in entries if not self._queue.is_urgent(each)]
        take = self._fleet.instants.take
        first = take(len(urgent), now, urgent=True) if urgent else []
        then = take(len(plain), now) if plain else []
        instants = sorted((*first, *then))
        self.appetite = self.appetite.after(len(entries), instants, now, TAKE_MAX)
        return [*urgent[: len(first)], *plain[: len(then)]], instants

    def _slow_down(self) -> None:
        """Tell the fleet of domains that defer mail; what it can't be told is heard of again."""
        while self._delayed:
            domain, happened_at = self._delayed.popleft()
            self._fleet.destinations.delayed(domain, happened_at)

    def _claim(self, entries: list[Entry], now: int) -> list[Entry]:
        if not entries:
            return []
        mine, gone = self._claims.claim(entries, now)
        if gone:
            self._claims.drop(gone)
        for entry in (*mine, *gone):
            self._queue.discard(entry.key["position"])
        return mine

    def _not_to_be_sent(
        self, due: Sequence[Entry], standing: Mapping[str, AddressStanding]
    ) -> dict[Entry, Event]:
        """What ends without a call, though it is due, and what is told of it."""
        ends: dict[Entry, Event] = {}
        alive: list[Entry] = []
        for each in due:
            suppressed = standing[each.address].suppressed
            if suppressed:
                why = f"the address is suppressed: {suppressed}"
                ends[each] = SendSuppressed(
                    target=each.target, attempt_id=each.attempt_id, reason=why
                )
            else:
                alive.append(each)
        held_back = self._fuse.held_back(alive) if self._fuse else {}
        for each in alive:
            if each.attempt_id in held_back:
                ends[each] = SendHeldBack(
                    target=each.target,
                    attempt_id=each.attempt_id,
                    round=each.round,
                    rule=RULE,
                    reason=held_back[each.attempt_id],
                )
        return ends

    def _give_up(self, ends: Mapping[Entry, Event], now: int) -> None:
        """End attempts without a call, by a claim too: they can't be sent at the same time."""
        facts = [
            self._fact(derive("given-up", each.attempt_id, str(each.round)), each, ends[each])
            for each in self._claim(list(ends), now)
        ]
        if facts:
            self.processor.append_facts(facts)

    def _announce(self, jobs: list[Job], standing: Mapping[str, AddressStanding]) -> Sequence[str]:
        """Append that SES will be called; where that fails, that it surely was not.

        Some may stand on the stream all the same: without a word of ours, their mails would be
        taken for sent, perhaps.
        """
        started = [self._started(job, standing[job.entry.address]) for job in jobs]
        try:
            return self.processor.append_facts(started)
        except RetryableError:
            for job in jobs:
                self.report(job, not_called(job, "it could not be announced on the stream"))
            raise

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
            route=entry.outbound_route,
        )
        return self._fact(derive("started", entry.attempt_id, str(entry.round)), entry, event)

    def _fact(self, name: str, entry: Entry, event: Event) -> Fact:
        return Fact(name, entry.subject, entry.attempt_id, NAME, (event,))

    def _follow(
        self, shard: Shard, writes: Mapping[tuple[str, str], Put | Delete | Update]
    ) -> None:
        if shard.id == self.processor.shard.id:
            self._queue.committed(writes)


def _over(entry: Entry) -> Event:
    """What is told of an entry that is over."""
    if entry.cancelled:
        return SendCancelled(target=entry.target, attempt_id=entry.attempt_id)
    return SendExpired(target=entry.target, attempt_id=entry.attempt_id)
