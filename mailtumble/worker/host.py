"""The embedded host: a whole application in one process, without Java, over all shards.

It reads every shard itself, and holds the right to do so (:mod:`mailtumble.worker.lease`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from mailtumble.logs import about
from mailtumble.ports.stream import Batch, Shard, ShardReader
from mailtumble.worker.assembly import Plan, Ports, startable
from mailtumble.worker.cursor import ShardLost, cursor_key
from mailtumble.worker.faust_app import Web
from mailtumble.worker.lane_host import Ended, Hosted, LaneHost, Work
from mailtumble.worker.lease import BEAT_S, HostLease
from mailtumble.worker.metrics import RECORDS
from schemas.errors import MailtumbleError, RetryableError

READ_LIMIT: Final = 1000
BUSY_PER_S: Final = 100
BUSY_PAUSE_S: Final = 1.0
"""Where a shard brings so many records a second, a reader waits as long as the KCL's do: what is
read together of one mail is written once."""
SHARDS_LOOKED_FOR_S: Final = 3.0
STOP_WITHIN_S: Final = 7.0
ACQUIRED_AGAIN_S: Final = 1.0

logger = logging.getLogger(__name__)


class EmbeddedHost(LaneHost):
    """Drives one application's lanes by reading every shard."""

    def __init__(
        self,
        work: type[Work],
        ports: Ports,
        plan: Plan,
        *,
        web_port: int = 0,
        poll_interval_s: float = 0.5,
        pages: bool = True,
        timers: bool = True,
    ) -> None:
        """``pages`` and ``timers`` off: for the tests that these are Faust's."""
        super().__init__(work, ports, plan, web=Web(web_port, pages=pages))
        self._poll_interval_s = poll_interval_s
        self._timers = timers
        self._closed: set[str] = set()
        self._looking = asyncio.Lock()
        self._readers: set[asyncio.Task[None]] = set()
        self._lease = HostLease(ports.store, self.application, plan.owner)

    async def run(self, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
        """Work until ``stop`` is set.

        Raises:
            MailtumbleError: the worker had to end for another reason.
        """
        self._ending = asyncio.get_running_loop().create_future()
        if not await self._acquire(stop):
            self.close()
            await self.faust.stop()
            return
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

    async def _acquire(self, stop: asyncio.Event) -> bool:
        """Take the lease; return False if ``stop`` was set before AWS answered.

        A worker that ended here because AWS is slow would only be restarted to try the same.
        """
        while not stop.is_set():
            try:
                await self.blocking(lambda: self._lease.acquire(self.ports.clock))
            except RetryableError as error:
                logger.warning("%s waits for AWS: %s", self.application, error)
                await asyncio.sleep(ACQUIRED_AGAIN_S)
            else:
                return True
        return False

    def add_timers(self) -> None:
        """What happens again and again."""
        self.faust.timer(BEAT_S, self.guarded("heartbeat", self._beat))
        look = self.guarded("shards", self._look_for_shards)
        self.faust.timer(SHARDS_LOOKED_FOR_S, look, at_once=True)
        super().add_timers()

    async def _beat(self) -> None:
        await self.blocking(self._lease.beat)

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

    def _note_closed(self, shards: Sequence[Shard]) -> None:
        unknown = [each.id for each in shards if each.closed and each.id not in self._closed]
        for shard_id in unknown:
            key = cursor_key(self.application, self.work.generation, shard_id)
            item = self.ports.store.get("cursors", key)
            if item is not None and item.get("closed"):
                self._closed.add(shard_id)

    async def _begin(self, shard: Shard) -> None:
        hosted, after = await self.begin(shard)
        reader = await self.blocking(lambda: self.ports.stream.reader(shard.id, after=after))
        self.lanes[shard.id] = hosted
        task = asyncio.create_task(
            self._ending_on_error(f"shard {shard.id}", lambda: self._read(hosted, reader))
        )
        self._readers.add(task)
        task.add_done_callback(self._readers.discard)

    async def _ending_on_error(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        await self.guarded(what, work)()

    async def _read(self, hosted: Hosted, reader: ShardReader) -> None:
        """Read the shard to its end, or until the worker stops."""
        pulse = self.vitals.pulses[hosted.shard.id]
        pause_s = self._poll_interval_s
        while not self._stopping:
            asked_at = self.ports.clock.now()
            with about(shard=hosted.shard.id):
                batch = await self._next(reader)
            if batch is None:
                continue
            if batch.records:
                await self._process(hosted, batch)
            pulse.moved_at, pulse.lag_ms = self.ports.clock.now(), batch.lag_ms
            if batch.ended:
                await self.conclude(hosted)
                self._closed.add(hosted.shard.id)
                del self.lanes[hosted.shard.id], self.vitals.pulses[hosted.shard.id]
                self.meter.forget(hosted.shard.id)
                hosted.thread.shutdown(wait=False)
                return
            if not batch.lag_ms:
                pulse.tip_at = asked_at
                # At the tip: what comes now is worth a read together, and a call of the five.
                pause_s = self._pause_s(len(batch.records), pause_s)
                await asyncio.sleep(pause_s)

    def _pause_s(self, records: int, since_s: float) -> float:
        """How long to wait after so many records, that came in about so many seconds."""
        busy = records >= BUSY_PER_S * since_s
        return max(BUSY_PAUSE_S, self._poll_interval_s) if busy else self._poll_interval_s

    async def _process(self, hosted: Hosted, batch: Batch) -> None:
        try:
            await self.work_off(hosted, batch.records)
        except ShardLost as error:
            self.lost(hosted, error)
        self.meter.count(RECORDS, hosted.shard.id, by=len(batch.records))

    async def _next(self, reader: ShardReader) -> Batch | None:
        try:
            return await self.blocking(lambda: reader.read(READ_LIMIT))
        except RetryableError as error:
            logger.warning("the shard can't be read: %s", error)
            await asyncio.sleep(1.0)
            return None

    async def _wind_down(self, *, clean: bool) -> None:
        """Finish what is under way, say good-bye, and stop; in bounded time."""
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                if self._readers:
                    await asyncio.wait(set(self._readers))
                # A pace that is under way has calls to come.
                await asyncio.gather(*map(self.leave, self.lanes.values()))
                # What was done in the world is told in any case: facts need no owner.
                await self.work.finish(list(self.lanes.values()))
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
