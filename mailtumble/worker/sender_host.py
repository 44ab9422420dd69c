"""The sender, as a host drives it: pace by Faust's timer, calls on threads, each at its instant."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, cast

from mailtumble.logs import about
from mailtumble.ports.stream import Shard
from mailtumble.sender.application import NAME
from mailtumble.sender.queue import Backlog
from mailtumble.sender.shard import SenderShard
from mailtumble.sender.transmission import Job
from mailtumble.worker import journal
from mailtumble.worker.assembly import Lane, SenderParts
from mailtumble.worker.lane_host import Hosted, LaneHost, Work
from mailtumble.worker.metrics import (
    DEFERRED,
    FAILED,
    PAUSED,
    QUEUE_DEPTH,
    QUEUE_DUE,
    QUEUE_OLDEST,
    RATE,
    REFUSALS,
    SENDS,
    STOPPED,
    UNKNOWN,
    Meter,
)
from processors.sending.pacing import RATE_UNIT
from schemas.errors import RetryableError
from schemas.events import Event, SendAccepted, SendDeferred, SendFailed, SendUnknown
from schemas.values import SECOND_US

PACE_S: Final = 0.2
FLEET_S: Final = 0.5
"""How soon a sender hears of what another has found out, of pauses and of a new quota."""
CALLS_MAX: Final = 64
SENDING: Final = "sending"
"""The step that is missed where much is due and nothing leaves."""
JUDGED_RATE_MILLI: Final = 500
"""Below one in 2 s, or where SES lets nothing out, that nothing leaves says nothing."""
PREPARED_US: Final = 300_000
"""A job is taken up so long before its instant: fetching and rewriting take their time."""


logger = logging.getLogger(__name__)


class SenderWork(Work):
    """Lanes of ``sender``, and beside them pace, quota and the calls themselves."""

    name = NAME

    def __init__(self, host: LaneHost) -> None:
        """Put the parts together that all lanes of the process share."""
        super().__init__(host)
        self.parts = SenderParts(host.ports, host.plan, host.stopping)
        self._calls = ThreadPoolExecutor(CALLS_MAX, thread_name_prefix="sender-call")
        self._jobs: dict[asyncio.Task[None], SenderShard] = {}
        self._under_way = 0
        self._flushing = asyncio.Lock()

    def lane(self, shard: Shard) -> Lane:
        """``sender`` on one shard."""
        return self.parts.lane(shard)

    def add_timers(self) -> None:
        """Pace, and what the fleet knows."""
        host = self.host
        host.faust.timer(FLEET_S, host.guarded("fleet", self._learn))
        host.faust.timer(FLEET_S, host.guarded("quota", self._ask))
        host.faust.timer(PACE_S, host.guarded("outcomes", self._flush))
        pace = host.guarded("pace", lambda: host.each_lane("pace", self._pace))
        host.faust.timer(PACE_S, pace)

    async def finish(self, lanes: Sequence[Hosted]) -> None:
        """Let these lanes' calls under way end, and tell their outcomes."""
        mine = [_sender(hosted) for hosted in lanes]
        calls = {task for task, lane in self._jobs.items() if lane in mine}
        while calls:
            # One call may take half a minute, and the time may be up before: what is known is told.
            _, calls = await asyncio.wait(calls, timeout=PACE_S)
            with contextlib.suppress(RetryableError):
                await self._flush()
        await self._flush()

    def close(self) -> None:
        """Let the threads of calls go."""
        self._calls.shutdown(wait=False, cancel_futures=True)

    async def _flush(self) -> None:
        async with self._flushing:
            await self.host.blocking(self.parts.outcomes.flush)

    async def _ask(self) -> None:
        await self.host.blocking(self.parts.ask)

    async def _learn(self) -> None:
        await self.host.blocking(self.parts.learn)
        self.host.meter.set(STOPPED, value=len(self.parts.fleet.stops.standing))
        self.host.meter.set(PAUSED, value=len(self.parts.fleet.standing.paused))

    async def _pace(self, hosted: Hosted) -> None:
        lane = _sender(hosted)
        self.host.begun(hosted, SENDING)
        backlog = await hosted.run(lane.backlog)
        self._measure(hosted, backlog)
        # Jobs that still wait for their instants cost nothing; those that are at it take a thread.
        room = min(CALLS_MAX - self._under_way, lane.appetite.wanted(self.host.ports.clock.now()))
        if self.parts.quota.known is None:
            room = 0
        jobs = await hosted.run(lambda: lane.pace(room))  # without room it ends what is over
        if room <= 0:
            return
        for job in jobs:
            task = asyncio.create_task(self._carry_out(lane, job))
            self._jobs[task] = lane
            task.add_done_callback(self._carried_out)
        slow = self.parts.quota.rate_milli() < JUDGED_RATE_MILLI
        if not backlog.free or slow or self.parts.ledger.is_ending():
            self.host.done(hosted, SENDING)
        elif jobs:
            # Lanes share the instants: while one sends, another may have to wait.
            for each in list(self.host.lanes.values()):
                self.host.done(each, SENDING)

    def _measure(self, hosted: Hosted, backlog: Backlog) -> None:
        meter, shard = self.host.meter, hosted.shard.id
        now = self.host.ports.clock.now()
        oldest = now if backlog.oldest_due_at is None else backlog.oldest_due_at
        meter.set(QUEUE_DEPTH, shard, value=backlog.waiting)
        meter.set(QUEUE_DUE, shard, value=backlog.due)
        meter.set(QUEUE_OLDEST, shard, value=max(0, now - oldest) / SECOND_US)
        meter.set(RATE, value=self.parts.quota.rate_milli() / RATE_UNIT)

    def _carried_out(self, task: asyncio.Task[None]) -> None:
        del self._jobs[task]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            # Rule 5. Its outcome is not known: the claim's deadline tells so.
            logger.error("a call failed", exc_info=error)
            self.host.end(f"a call: {type(error).__name__}: {error}")

    async def _carry_out(self, lane: SenderShard, job: Job) -> None:
        wait_us = job.instant_at - PREPARED_US - self.host.ports.clock.now()
        if wait_us > 0:
            await asyncio.sleep(wait_us / SECOND_US)
        loop = asyncio.get_running_loop()
        self._under_way += 1
        try:
            outcome = await loop.run_in_executor(
                self._calls, self.parts.transmission.carry_out, job, lane
            )
        finally:
            self._under_way -= 1
        lane.report(job, outcome)
        await self._heed(job, outcome)
        count_outcome(self.host.meter, outcome)
        with about(**_fields(job), application=NAME, shard=lane.processor.shard.id):
            journal.called(outcome)

    async def _heed(self, job: Job, outcome: Event) -> None:
        if isinstance(outcome, SendAccepted) and self.parts.fleet.stops.at_ease:
            return
        try:
            await self.host.blocking(lambda: self.parts.heed(job, outcome))
        except RetryableError as error:
            logger.warning("the fleet could not be told what SES has answered: %s", error)


def count_outcome(meter: Meter, outcome: Event) -> None:
    """Count what came of one round of an attempt."""
    match outcome:
        case SendAccepted():
            meter.count(SENDS)
        case SendDeferred(reason=reason, called_at=called_at):
            meter.count(DEFERRED, reason)
            if called_at:
                meter.count(REFUSALS, reason)
        case SendFailed(code=code):
            meter.count(FAILED, code)
        case SendUnknown():
            meter.count(UNKNOWN)
        case _:
            pass


def _fields(job: Job) -> dict[str, object]:
    entry = job.entry
    return {
        "mail": entry.mail_id,
        "target": entry.target,
        "attempt": entry.attempt_id,
        "round": entry.round,
        "sequence": job.sequence.lstrip("0"),
    }


def _sender(hosted: Hosted) -> SenderShard:
    return cast("SenderShard", hosted.lane)
