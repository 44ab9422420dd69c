"""The host inside a child process: one lane, driven by the KCL's protocol, timers by Faust.

Every method is called on the event loop; the protocol's thread waits for it meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from mailtumble.kcl import reports
from mailtumble.kcl.leases import closed_shards
from mailtumble.kcl.properties import READ_LIMIT
from mailtumble.kcl.reports import Report
from mailtumble.logs import about
from mailtumble.ports.stream import Shard, StoredRecord
from mailtumble.worker.assembly import Plan, Ports
from mailtumble.worker.cursor import ShardLost
from mailtumble.worker.faust_app import Web
from mailtumble.worker.lane_host import AGAIN_S, Ended, Hosted, LaneHost, Work
from mailtumble.worker.metrics import CONFLICTS, FENCED, RECORDS
from mailtumble.worker.patience import Stopping
from schemas.errors import InvariantBroken, MailtumbleError, RetryableError
from schemas.values import SECOND_US

T = TypeVar("T")

LAST_WORDS_S: Final = 3.0
"""How long outcomes are told when the child has to end, or has lost its lease."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSettings:
    """``folder`` takes the report, ``grace_s`` is what a good-bye may take.

    ``is_leased`` asks the lease table whether a shard is this worker's. ``silent_s``: for so long
    the KCL may go on giving records to a lane that has lost its cursor.
    """

    folder: Path
    is_leased: Callable[[str], bool]
    grace_s: float
    silent_s: float


class ChildHost(LaneHost):
    """Drives the one lane of a child.

    A lane that is another's now stays silent: records are let pass, none is checkpointed, until
    the lease goes. Should the KCL go on giving it records for ``silent_s``, the lease is ours and
    the cursor is not (a zombie has raised its epoch last): then the child ends, and its successor
    takes the cursor back.
    """

    def __init__(self, work: type[Work], ports: Ports, plan: Plan, settings: ChildSettings) -> None:
        """Host nothing yet."""
        super().__init__(work, ports, plan, web=Web(None, pages=False))
        self._settings = settings
        self.shard_id = ""
        self._hosted: Hosted | None = None
        self._lost_at: int | None = None
        self._passing = False
        self._after: str | None = None

    @property
    def is_silent(self) -> bool:
        """Whether another owner has the cursor."""
        return self._lost_at is not None

    async def run(self, protocol: Awaitable[None]) -> None:
        """Host until the protocol ends.

        Raises:
            MailtumbleError: the child had to end for another reason.
        """
        self._ending = asyncio.get_running_loop().create_future()
        self.add_timers()
        self.faust.timer(reports.EVERY_S, self._report)
        await self.faust.start()
        speaking = asyncio.ensure_future(protocol)
        either: set[asyncio.Future[Any]] = {speaking, self._ending}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if self._ending.done():
            await self._tell_outcomes()
        self._stopping = True
        self.close()
        await self.faust.stop()
        if self._ending.done():
            raise Ended(self._ending.result())
        speaking.result()

    def stop(self) -> None:
        """Wait for nothing any more: the daemon is about to ask for the good-bye."""
        self._stopping = True
        # It asks while it lives; if it never does, nobody works on the shard meanwhile.
        asyncio.get_running_loop().call_later(
            2 * self._settings.grace_s, self.end, "asked to stop, and the daemon goes on"
        )

    async def start(self, shard_id: str) -> str | None:
        """Take the shard over; the sequence number that its cursor stands at.

        A child takes seconds to start, in which its lease may have been stolen: an epoch raised
        after the new owner's would stop that one.
        """
        self.shard_id = shard_id
        with about(shard=shard_id):
            return await self._start(shard_id)

    async def _start(self, shard_id: str) -> str | None:
        shard = await self.patiently(lambda: self._find(shard_id))
        is_leased = self._settings.is_leased
        if not await self.patiently(lambda: self.blocking(lambda: is_leased(shard_id))):
            self._lose(shard_id, ShardLost("the lease went to another worker meanwhile"))
            return None
        try:
            hosted, self._after = await self.patiently(lambda: self.begin(shard))
        except ShardLost as error:
            self._lose(shard_id, error)
            return None
        self._hosted = self.lanes[shard_id] = hosted
        committed = hosted.lane.committed
        logger.info("%s took %s over, after %s", self.application, shard_id, committed)
        return committed

    async def catch_up(self, until: str) -> bool:
        """Read and process what the KCL would skip, since its lease is ahead of the shard worker.

        Args:
            until: the sequence number that the KCL reads on after, padded.

        Returns:
            Whether the application may begin before its lease; without that nothing is read.
        """
        if not self.work.rereads:
            return False
        logger.warning("%s is read again up to %s, where its lease is", self.shard_id, until)
        stream, after = self.ports.stream, self._after
        reader = await self.patiently(
            lambda: self.blocking(lambda: stream.reader(self.shard_id, after=after))
        )
        last = ""
        while last < until and self._speaking() is not None:
            batch = await self.patiently(lambda: self.blocking(lambda: reader.read(READ_LIMIT)))
            if batch.records:
                last = batch.records[-1].sequence_number
                fresh = [each for each in batch.records if each.sequence_number <= until]
                await self.process(fresh, batch.lag_ms)
            elif batch.ended or not batch.lag_ms:
                break
            else:
                await asyncio.sleep(AGAIN_S)
        return True

    async def process(self, records: Sequence[StoredRecord], lag_ms: int) -> str | None:
        """Work a batch off, which may be empty; the last record that is committed now.

        None: the lane is silent, and nothing may be checkpointed.

        Raises:
            MailtumbleError: it can't be done: the child has to end.
        """
        hosted, given_at = self._speaking(), self.ports.clock.now()
        if hosted is None:
            return None
        if records:
            try:
                await self.work_off(hosted, records)
            except ShardLost as error:
                self.lost(hosted, error)
                return None
            except Stopping as error:
                # The rest is the next owner's; what comes now must not be taken before it.
                logger.info("%s stops: %s", hosted.shard.id, error)
                self._passing = True
                return None
            self.meter.count(RECORDS, hosted.shard.id, by=len(records))
        pulse = self.vitals.pulses[hosted.shard.id]
        pulse.moved_at, pulse.lag_ms = self.ports.clock.now(), lag_ms
        if not lag_ms:
            pulse.tip_at = given_at
        return hosted.lane.committed

    async def close_shard(self) -> bool:
        """The shard is read to its end; whether its end may be checkpointed."""
        hosted = self._speaking()
        if hosted is None:
            return False
        try:
            await self.conclude(hosted)
        except ShardLost as error:
            self.lost(hosted, error)
            return False
        except RetryableError as error:
            logger.info("%s stops before its end: %s", hosted.shard.id, error)
            return False
        return True

    async def release(self) -> str | None:
        """Finish, and say good-bye in the time there is; the last record that is committed."""
        self._stopping = True
        hosted = self._hosted
        if hosted is None or self.is_silent:
            await self._tell_outcomes()
            return None
        try:
            async with asyncio.timeout(self._settings.grace_s):
                await self.leave(hosted)
                await self.work.finish([hosted])
                await hosted.run(hosted.lane.release)
        except ShardLost as error:
            self.lost(hosted, error)
            return None
        except (TimeoutError, RetryableError) as error:
            why = str(error) or "time is up"
            logger.warning("%s did not end in order: %s", hosted.shard.id, why)
        else:
            logger.info("%s is released", hosted.shard.id)
        return hosted.lane.committed

    async def lease_lost(self) -> None:
        """The shard is another's; what was done in the world is told all the same."""
        self._stopping = True
        await self._tell_outcomes()

    def lost(self, hosted: Hosted, error: ShardLost) -> None:
        """Another owner has the cursor: stay silent until the lease goes (rule 4)."""
        self._lose(hosted.shard.id, error)

    def close(self) -> None:
        """As every host does; a silent lane's thread, too."""
        super().close()
        if self._hosted is not None:
            self._hosted.thread.shutdown(wait=False, cancel_futures=True)

    def _lose(self, shard_id: str, error: ShardLost) -> None:
        logger.warning("%s stays silent: %s", shard_id, error)
        self.meter.count(CONFLICTS, shard_id, FENCED)
        self.lanes.pop(shard_id, None)
        if self._lost_at is None:
            self._lost_at = self.ports.clock.now()

    def _speaking(self) -> Hosted | None:
        """The lane, unless it is silent."""
        if self._lost_at is not None:
            silent_s = (self.ports.clock.now() - self._lost_at) / SECOND_US
            if silent_s > self._settings.silent_s and not self._stopping:
                raise Ended(f"silent for {silent_s:.0f} s, and the lease is still ours")
            return None
        if self._hosted is None:
            raise InvariantBroken("the KCL gives records before it has named the shard")
        return None if self._passing else self._hosted

    async def _tell_outcomes(self) -> None:
        if self._hosted is None:
            return
        try:
            async with asyncio.timeout(LAST_WORDS_S):
                await self.leave(self._hosted)
                await self.work.finish([self._hosted])
        except (TimeoutError, MailtumbleError) as error:
            logger.warning("not every outcome was told: %s", str(error) or "time is up")

    async def _find(self, shard_id: str) -> Shard:
        """The shard, once every parent that is still listed is closed by its cursor.

        The KCL takes a parent without a row in its lease table for one that has ended.
        """
        shards = await self.blocking(self.ports.stream.shards)
        shard = next((each for each in shards if each.id == shard_id), None)
        if shard is None:
            raise InvariantBroken(f"the KCL leases {shard_id}, which the stream does not list")
        parents = [each for each in shards if each.id in shard.parents]
        store, generation = self.ports.store, self.work.generation
        closed = await self.blocking(
            lambda: closed_shards(store, self.application, generation, parents)
        )
        if unread := [each.id for each in parents if each.id not in closed]:
            raise RetryableError(f"{shard_id} begins after the end of {', '.join(unread)}")
        return shard

    async def _report(self) -> None:
        if not self.vitals.pulses:
            return
        ((shard_id, pulse),) = self.vitals.pulses.items()
        report = Report(
            pid=os.getpid(),
            shard=shard_id,
            moved_at=pulse.moved_at,
            lag_ms=pulse.lag_ms,
            steps=pulse.steps,
            awaits=pulse.awaits,
            awaits_since=pulse.awaits_since,
            counts=reports.plain(self.meter.counts()),
            gauges=reports.plain(self.meter.gauges()),
        )
        try:
            reports.write(self._settings.folder, report)
        except OSError as error:
            logger.warning("the report can't be written: %s", error)
