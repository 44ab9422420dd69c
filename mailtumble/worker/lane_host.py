"""What every host of lanes has, whoever reads the stream: Faust, threads, timers, an end.

The event loop belongs to Faust's timers and views; every call to AWS blocks a thread of its own,
never the loop. What a shard does goes through its agent, one step at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final, TypeVar

from mailtumble.logs import about
from mailtumble.ports.stream import Shard, StoredRecord
from mailtumble.worker.assembly import Lane, Plan, Ports
from mailtumble.worker.cursor import ShardLost
from mailtumble.worker.faust_app import Agent, FaustApp, Web
from mailtumble.worker.metrics import CONFLICTS, FENCED
from mailtumble.worker.patience import Stopping
from mailtumble.worker.shard import BATCH_RECORDS_MAX
from mailtumble.worker.upgrades import AwaitsUpgrade
from mailtumble.worker.web import STALLED_US, Pulse, Vitals
from mailtumble.worker.works import generation_of
from schemas.errors import MailtumbleError, RetryableError

T = TypeVar("T")

TICK_S: Final = 0.25
AGAIN_S: Final = 0.5
UPGRADE_AGAIN_S: Final = 2.0
"""How often a shard that awaits an upgrade checks that it still has to wait, and still is ours."""
_STEP_S: Final = 0.02

logger = logging.getLogger(__name__)


class Ended(MailtumbleError):  # noqa: N818 - what happened
    """The worker has to end; the text says why."""


@dataclass(slots=True)
class Hosted:
    """A lane with its agent, its thread and its place in the stream.

    ``leaving``: nothing new is begun on it.
    """

    shard: Shard
    lane: Lane
    agent: Agent
    thread: ThreadPoolExecutor
    application: str = ""
    busy: bool = False
    leaving: bool = False

    async def run(self, step: Callable[[], T]) -> T:
        """Do a step on the lane's thread, in its turn; what it logs is about the lane."""
        loop = asyncio.get_running_loop()

        def told() -> T:
            with about(application=self.application, shard=self.shard.id):
                return step()

        return await self.agent.ask(lambda: loop.run_in_executor(self.thread, told))


class Work:
    """What a host does for its application: lanes, and what goes on beside them.

    Attributes:
        name: the application's.
        rereads: whether a shard worker may begin before the position of its lease, as the archive
            does where its head was lost. Others would meet records again that they have forgotten.
    """

    name: ClassVar[str]
    rereads: ClassVar[bool] = False

    def __init__(self, host: LaneHost) -> None:
        """Belong to a host, whose ports and plan are there already."""
        self.host = host

    @property
    def generation(self) -> str:
        """Which generation's cursors the lanes keep."""
        return generation_of(self.name, self.host.plan.generation)

    def lane(self, shard: Shard) -> Lane:
        """The application on one shard."""
        raise NotImplementedError

    async def tick(self, hosted: Hosted) -> None:
        """What is due on a lane."""
        await hosted.run(hosted.lane.tick)

    def add_timers(self) -> None:
        """What happens again and again besides ticks."""

    async def finish(self, lanes: Sequence[Hosted]) -> None:
        """What has to be finished before these lanes are released."""

    def close(self) -> None:
        """Let threads of its own go."""


class LaneHost:
    """Lanes of one application, with what they need around them."""

    def __init__(
        self,
        work: type[Work],
        ports: Ports,
        plan: Plan,
        *,
        web: Web,
    ) -> None:
        """``web`` says what of Faust's web is served."""
        self.application = work.name
        self.ports = ports
        self.plan = plan
        self.meter = ports.meter
        self.vitals = Vitals(
            self.application,
            ports.clock.now(),
            needs_shards=True,
            settles_us=STALLED_US,
            meter=self.meter,
        )
        self.faust = FaustApp(self.application, self.vitals, ports.clock.now, web)
        self.lanes: dict[str, Hosted] = {}
        self.threads = ThreadPoolExecutor(16, thread_name_prefix=f"{self.application}-io")
        self._ending: asyncio.Future[str] | None = None
        self._stopping = False
        self.work = work(self)

    def add_timers(self) -> None:
        """What happens again and again."""
        self.faust.timer(
            TICK_S, self.guarded("tick", lambda: self.each_lane("ticks", self.work.tick))
        )
        self.work.add_timers()

    async def each_lane(self, name: str, step: Callable[[Hosted], Awaitable[None]]) -> None:
        """Do a step for every lane that isn't at it still, side by side.

        ``name`` is how the step is called where a lane's health is told.
        """
        idle = [each for each in self.lanes.values() if not (each.busy or each.leaving)]

        async def one(hosted: Hosted) -> None:
            # Asked again: since it was found idle, its shard may have come to its end.
            if hosted.busy or hosted.leaving:
                return
            hosted.busy = True
            try:
                # A step that never ends, or always fails, is missed from its first beginning on.
                self.begun(hosted, name)
                await step(hosted)
                self.done(hosted, name)
            except RetryableError as error:
                with about(application=self.application, shard=hosted.shard.id):
                    logger.warning("%s will be tried again: %s", name, error)
            except ShardLost as error:
                self.lost(hosted, error)
            finally:
                hosted.busy = False

        await asyncio.gather(*(one(hosted) for hosted in idle))

    def begun(self, hosted: Hosted, name: str) -> None:
        """From now on a lane has this step to do, again and again."""
        if pulse := self.vitals.pulses.get(hosted.shard.id):
            pulse.steps.setdefault(name, self.ports.clock.now())

    def done(self, hosted: Hosted, name: str) -> None:
        """A step has come to an end."""
        if pulse := self.vitals.pulses.get(hosted.shard.id):
            pulse.steps[name] = self.ports.clock.now()

    async def begin(self, shard: Shard) -> tuple[Hosted, str | None]:
        """A lane that has taken its shard over, and where to read on after."""
        # From here on: a takeover that does not come to an end has to be seen, too.
        self.vitals.pulses.setdefault(shard.id, Pulse(self.ports.clock.now()))
        agent = self.faust.agent(f"{self.application}-{shard.id}")
        await agent.start()
        thread = ThreadPoolExecutor(1, thread_name_prefix=f"{self.application}-{shard.id}")
        hosted = Hosted(shard, self.work.lane(shard), agent, thread, self.application)
        try:
            after = await hosted.run(hosted.lane.take_over)
        except MailtumbleError:
            thread.shutdown(wait=False)  # the next try has its own
            raise
        # The tally alone: counters outlive their lane, its memory must not.
        self.meter.watch(partial(hosted.lane.tally.series, shard.id))
        return hosted, after

    async def work_off(self, hosted: Hosted, records: Sequence[StoredRecord]) -> None:
        """Work records off, a batch a turn: a sender that reads a backlog has mail to send too.

        Between two tries of a record that awaits an upgrade, the lane's thread is free for timers
        and sends, and the health page names the record.

        Raises:
            Stopping: the worker has to stop; what is left is the next owner's.
        """
        for start in range(0, len(records), BATCH_RECORDS_MAX):
            batch = records[start : start + BATCH_RECORDS_MAX]
            while (wait := await self._awaited(hosted, batch)) is not None:
                if self._stopping:
                    raise Stopping(str(wait))
                pulse = self.vitals.pulses[hosted.shard.id]
                pulse.awaits, pulse.awaits_since = str(wait), wait.since
                await asyncio.sleep(UPGRADE_AGAIN_S)
            self.vitals.pulses[hosted.shard.id].upgraded(self.ports.clock.now())

    async def _awaited(self, hosted: Hosted, batch: Sequence[StoredRecord]) -> AwaitsUpgrade | None:
        """Work a batch off; if it ends before its end, return what is awaited."""
        try:
            await hosted.run(partial(hosted.lane.process, batch))
        except AwaitsUpgrade as wait:
            return wait
        return None

    async def leave(self, hosted: Hosted) -> None:
        """Begin nothing new on the lane, and let what is begun end."""
        hosted.leaving = True
        while hosted.busy:  # noqa: ASYNC110 - each_lane has no event for it, and this is rare
            await asyncio.sleep(_STEP_S)

    async def conclude(self, hosted: Hosted) -> None:
        """The shard is read to its end: finish and tell what was begun on it, then close it.

        Its outcomes are told first: nobody asks this lane for them later, and an untold one would
        have its mail sent again.

        Raises:
            RetryableError: asked to stop before that was possible.
        """
        await self.leave(hosted)
        await self.patiently(lambda: self.work.finish([hosted]))
        await hosted.run(hosted.lane.close)

    async def patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Repeat a call while the world says "not now".

        Raises:
            RetryableError: it still does, and the worker has to stop.
        """
        while True:
            try:
                return await call()
            except RetryableError as error:
                if self._stopping:
                    raise
                logger.warning("%s waits: %s", self.application, error)
                await asyncio.sleep(AGAIN_S)

    async def blocking(self, call: Callable[[], T]) -> T:
        """Make a call that blocks, off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, call)

    def stopping(self) -> bool:
        """Whether the worker is about to end."""
        return self._stopping

    def end(self, reason: str) -> None:
        """Let the worker end: it can't do its work any more."""
        if self._ending is not None and not self._ending.done():
            self._ending.set_result(reason)

    def lost(self, hosted: Hosted, error: ShardLost) -> None:
        """Another owner has a lane's shard: this host ends."""
        self.meter.count(CONFLICTS, hosted.shard.id, FENCED)
        raise error

    def guarded(
        self, what: str, body: Callable[[], Awaitable[None]]
    ) -> Callable[[], Awaitable[None]]:
        """Rule 5: what can be retried waits for the next time, any other error ends the worker."""

        async def guarded() -> None:
            if self._stopping:
                return
            with about(application=self.application):
                try:
                    await body()
                except RetryableError as error:
                    logger.warning("%s will be tried again: %s", what, error)
                except MailtumbleError as error:
                    self.end(f"{what}: {error}")
                except Exception as error:
                    logger.exception("%s failed", what)
                    self.end(f"{what}: {type(error).__name__}: {error}")

        return guarded

    def close(self) -> None:
        """Let the threads go; a call without an answer ends when it ends."""
        for hosted in self.lanes.values():
            hosted.thread.shutdown(wait=False, cancel_futures=True)
        self.threads.shutdown(wait=False, cancel_futures=True)
        self.work.close()
