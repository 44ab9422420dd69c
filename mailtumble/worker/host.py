"""The embedded host: a whole application in one process, without Java, over all shards.

The event loop belongs to Faust's timers and views; every call to AWS blocks a thread of its own
(:class:`Threads`), never the loop. What a shard does goes through its agent, one step at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from mailtumble.ports.stream import Batch, Shard, ShardReader
from mailtumble.worker.assembly import Lane, Plan, Ports, startable
from mailtumble.worker.faust_app import Agent, FaustApp
from mailtumble.worker.lease import BEAT_S, HostLease
from mailtumble.worker.web import Pulse, Vitals
from schemas.errors import MailtumbleError, RetryableError

T = TypeVar("T")

READ_LIMIT: Final = 1000
SHARDS_LOOKED_FOR_S: Final = 3.0
TICK_S: Final = 0.25
STOP_WITHIN_S: Final = 7.0

logger = logging.getLogger(__name__)


class Ended(MailtumbleError):  # noqa: N818 - what happened
    """The worker has to end; the text says why."""


@dataclass(slots=True)
class Hosted:
    """A lane with its agent, its thread and its place in the stream."""

    shard: Shard
    lane: Lane
    agent: Agent
    thread: ThreadPoolExecutor
    busy: bool = False

    async def run(self, step: Callable[[], T]) -> T:
        """Do a step on the lane's thread, in its turn."""
        loop = asyncio.get_running_loop()
        return await self.agent.ask(lambda: loop.run_in_executor(self.thread, step))


class EmbeddedHost:
    """Drives one application's lanes. Subclasses add what the application needs besides."""

    def __init__(  # noqa: PLR0913 - each by name, most with a default
        self,
        application: str,
        ports: Ports,
        plan: Plan,
        make_lane: Callable[[Shard, Callable[[], bool]], Lane],
        *,
        generation: str,
        web_port: int = 0,
        poll_interval_s: float = 0.5,
        pages: bool = True,
        timers: bool = True,
    ) -> None:
        """``pages`` and ``timers`` off: for the tests that these are Faust's."""
        self.application = application
        self.ports = ports
        self.plan = plan
        self.vitals = Vitals(application, ports.clock.now())
        self.faust = FaustApp(
            application, self.vitals, ports.clock.now, web_port=web_port, pages=pages
        )
        self.lanes: dict[str, Hosted] = {}
        self.threads = ThreadPoolExecutor(16, thread_name_prefix=f"{application}-io")
        self._make_lane = make_lane
        self._generation = generation
        self._poll_interval_s = poll_interval_s
        self._timers = timers
        self._closed: set[str] = set()
        self._looking = asyncio.Lock()
        self._readers: set[asyncio.Task[None]] = set()
        self._ending: asyncio.Future[str] | None = None
        self._stopping = False
        self._lease = HostLease(ports.store, application, plan.owner)

    async def run(self, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
        """Work until ``stop`` is set.

        Raises:
            MailtumbleError: the worker had to end for another reason.
        """
        self._ending = asyncio.get_running_loop().create_future()
        await self.blocking(lambda: self._lease.acquire(self.ports.clock))
        if self._timers:
            self.add_timers()
        await self.faust.start()
        ready()
        waiting = asyncio.ensure_future(stop.wait())
        either: set[asyncio.Future[Any]] = {waiting, self._ending}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        self._stopping = True
        waiting.cancel()
        await self._wind_down(clean=not self._ending.done())
        if self._ending.done():
            raise Ended(self._ending.result())

    def add_timers(self) -> None:
        """What happens again and again."""
        self.faust.timer(BEAT_S, self._guarded("heartbeat", self._beat))
        look = self._guarded("shards", self._look_for_shards)
        self.faust.timer(SHARDS_LOOKED_FOR_S, look, at_once=True)
        self.faust.timer(TICK_S, self._guarded("tick", lambda: self.each_lane(self._tick)))

    async def each_lane(self, step: Callable[[Hosted], Awaitable[None]]) -> None:
        """Do a step for every lane that isn't at it still, side by side."""
        idle = [hosted for hosted in self.lanes.values() if not hosted.busy]

        async def one(hosted: Hosted) -> None:
            hosted.busy = True
            try:
                await step(hosted)
            except RetryableError as error:
                logger.warning("%s %s: %s", self.application, hosted.shard.id, error)
            finally:
                hosted.busy = False

        await asyncio.gather(*(one(hosted) for hosted in idle))

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

    def _guarded(
        self, what: str, body: Callable[[], Awaitable[None]]
    ) -> Callable[[], Awaitable[None]]:
        """Rule 5: what can be retried waits for the next time, any other error ends the worker."""

        async def guarded() -> None:
            if self._stopping:
                return
            try:
                await body()
            except RetryableError as error:
                logger.warning("%s %s: %s", self.application, what, error)
            except MailtumbleError as error:
                self.end(f"{what}: {error}")
            except Exception as error:
                logger.exception("%s: %s failed", self.application, what)
                self.end(f"{what}: {type(error).__name__}: {error}")

        return guarded

    async def _beat(self) -> None:
        await self.blocking(self._lease.beat)

    async def _tick(self, hosted: Hosted) -> None:
        await hosted.run(hosted.lane.tick)

    async def _look_for_shards(self) -> None:
        if self._looking.locked():
            return
        async with self._looking:
            shards = await self.blocking(self.ports.stream.shards)
            await self.blocking(lambda: self._note_closed(shards))
            for shard in startable(shards, self._is_started, self._closed.__contains__):
                await self._begin(shard)

    def _is_started(self, shard_id: str) -> bool:
        return shard_id in self.lanes or shard_id in self._closed

    def _note_closed(self, shards: Any) -> None:  # noqa: ANN401 - a sequence of shards
        unknown = [each.id for each in shards if each.closed and each.id not in self._closed]
        for shard_id in unknown:
            key = {"cursor": f"{self.application}#{self._generation}#{shard_id}"}
            item = self.ports.store.get("cursors", key)
            if item is not None and item.get("closed"):
                self._closed.add(shard_id)

    async def _begin(self, shard: Shard) -> None:
        lane = self._make_lane(shard, self.stopping)
        agent = self.faust.agent(f"{self.application}-{shard.id}")
        await agent.start()
        thread = ThreadPoolExecutor(1, thread_name_prefix=f"{self.application}-{shard.id}")
        hosted = Hosted(shard, lane, agent, thread)
        after = await hosted.run(lane.take_over)
        reader = await self.blocking(lambda: self.ports.stream.reader(shard.id, after=after))
        self.lanes[shard.id] = hosted
        self.vitals.pulses[shard.id] = Pulse(self.ports.clock.now())
        task = asyncio.create_task(
            self._ending_on_error(f"shard {shard.id}", lambda: self._read(hosted, reader))
        )
        self._readers.add(task)
        task.add_done_callback(self._readers.discard)

    async def _ending_on_error(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        await self._guarded(what, work)()

    async def _read(self, hosted: Hosted, reader: ShardReader) -> None:
        """Read the shard to its end, or until the worker stops."""
        pulse = self.vitals.pulses[hosted.shard.id]
        while not self._stopping:
            batch = await self._next(reader)
            if batch is None:
                continue
            if batch.records:
                await hosted.run(lambda b=batch: hosted.lane.process(b.records))  # type: ignore[misc]
                self.vitals.count("records", len(batch.records))
            pulse.moved_at, pulse.lag_ms = self.ports.clock.now(), batch.lag_ms
            if batch.ended:
                await hosted.run(hosted.lane.close)
                self._closed.add(hosted.shard.id)
                del self.lanes[hosted.shard.id], self.vitals.pulses[hosted.shard.id]
                return
            if not batch.records:
                await asyncio.sleep(self._poll_interval_s)

    async def _next(self, reader: ShardReader) -> Batch | None:
        try:
            return await self.blocking(lambda: reader.read(READ_LIMIT))
        except RetryableError as error:
            logger.warning("%s reads: %s", self.application, error)
            await asyncio.sleep(1.0)
            return None

    async def finish(self) -> None:
        """What has to be finished before the lanes are released."""

    async def _wind_down(self, *, clean: bool) -> None:
        """Finish what is under way, say good-bye, and stop; in bounded time."""
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                if self._readers:
                    await asyncio.wait(set(self._readers))
                # What was done in the world is told in any case: facts need no owner.
                await self.finish()
                if clean:
                    for hosted in list(self.lanes.values()):
                        await hosted.run(hosted.lane.release)
                    await self.blocking(self._lease.release)
        except (TimeoutError, MailtumbleError) as error:
            logger.warning(
                "%s did not end in order: %s", self.application, str(error) or "time is up"
            )
        for task in self._readers:
            task.cancel()
        self.close()
        await self.faust.stop()

    def close(self) -> None:
        """Let the threads go; a call without an answer ends when it ends."""
        for hosted in self.lanes.values():
            hosted.thread.shutdown(wait=False, cancel_futures=True)
        self.threads.shutdown(wait=False, cancel_futures=True)
