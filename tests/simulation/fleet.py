"""Simulated processes that run the product's own classes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

from mailtumble.archive import shard as archive
from mailtumble.archive.shard import ArchiveShard
from mailtumble.sender import application as sender
from mailtumble.worker import core
from mailtumble.worker.assembly import (
    Plan,
    SenderParts,
    core_lane,
    intake,
    startable,
    surroundings,
)
from mailtumble.worker.core import CoreRules
from mailtumble.worker.cursor import ShardLost, cursor_key
from mailtumble.worker.lane_host import UPGRADE_AGAIN_S
from mailtumble.worker.patience import Stopping
from mailtumble.worker.upgrades import AwaitsUpgrade
from mailtumble.worker.works import generation_of
from schemas.errors import RetryableError
from schemas.values import SECOND_US
from tests.fakes.stream import TrimmedPosition
from tests.simulation.clocks import ProcessClock
from tests.simulation.guards import guarded_ports
from tests.simulation.poison import Poisoned
from tests.simulation.scheduler import Process

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailtumble.ports.stream import Shard, StoredRecord
    from mailtumble.sender.shard import SenderShard
    from mailtumble.sender.transmission import Job
    from mailtumble.worker.assembly import Lane
    from tests.simulation.world import World

T = TypeVar("T")

POLL_S: Final = 1.0
SHARDS_LOOKED_FOR_S: Final = 3.0
QUOTA_S: Final = 2.0
INTAKE_S: Final = 0.5
STOP_WITHIN_US: Final = 7 * SECOND_US
READ_LIMIT: Final = 50
ARCHIVE_EVERY_US: Final = 6 * SECOND_US
UNKNOWN_WAIT_US: Final = 8 * SECOND_US
UPGRADE_WAIT_US: Final = 10 * SECOND_US


class SimulatedWorker:
    """One process of one kind, as a host would run it.

    A kind is an application; ``core@g2`` is core building another generation of its projections.
    """

    def __init__(self, world: World, kind: str, number: int) -> None:
        """Start its threads in the world."""
        self.world = world
        self.process = Process(f"{kind}-{number}")
        self.clock = ProcessClock(world.clock, world.draw)
        if self.clock.is_wrong:
            world.faults.note("clock wrong at the start")
        self.stopping = False
        ports = guarded_ports(world, self.process, self.clock)
        self.ports = world.witness.beside(ports, self.process)
        application, _, generation = kind.partition("@")
        self.plan = Plan(
            owner=self.process.name,
            bucket=world.bucket,
            archive_bucket=world.archive,
            archive_every_us=ARCHIVE_EVERY_US,
            generation=generation or world.generation,
            rules=CoreRules(mail=world.rules),
            unknown_wait_us=UNKNOWN_WAIT_US,
            upgrade_wait_us=UPGRADE_WAIT_US,
        )
        self.parts = SenderParts(self.ports, self.plan, lambda: self.stopping)
        self._application = application
        self._generation = generation_of(application, self.plan.generation)
        self._jobs = 0
        self._started: set[str] = set()
        self._closed: set[str] = set()
        match application:
            case core.NAME:
                self._thread(lambda: self._shards(self._core_lane))
            case archive.NAME:
                self._thread(lambda: self._shards(self._archive_lane))
            case sender.NAME:
                self._thread(lambda: self._every(QUOTA_S, self.parts.poll))
                self._thread(lambda: self._shards(self._sender_lane))
            case _:
                service = intake(self.ports, self.plan)
                self._thread(lambda: self._every(INTAKE_S, lambda: service.step(0)))

    def _thread(self, body: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                body()
            except Poisoned:
                self.process.die()
            except ShardLost:
                self.world.faults.note(f"{self._application} lost a shard")
                self._end()
            except Stopping:
                self._end()
            except TrimmedPosition as error:
                # A zombie may wake up after the retention of what it was about to read.
                if self.world.supervisor.is_current(self):
                    self._report(error)
                self.process.die()
            except Exception as error:  # noqa: BLE001 - any other error ends the worker (rule 5)
                self._report(error)
                self.process.die()

        self.world.scheduler.spawn(self.process, guarded)

    def _report(self, error: Exception) -> None:
        self.world.errors.append(f"{self.process.name}: {type(error).__name__}: {error}")

    def _every(self, seconds: float, step: Callable[[], object]) -> None:
        while not self.stopping:
            _unless_not_now(step)
            self.world.clock.sleep(seconds)
        self._end()

    def _end(self) -> None:
        """Finish the calls in progress, report their outcomes, and exit."""
        clock = self.world.clock
        gone_at = clock.now() + STOP_WITHIN_US
        while self._jobs and clock.now() < gone_at:
            clock.sleep(0.1)
        _unless_not_now(self.parts.outcomes.flush)
        self.process.die()

    def _shards(self, begin: Callable[[Shard], None]) -> None:
        """Start lanes as shards become ready, as a host does."""

        def look() -> None:
            shards = self.ports.stream.shards()
            over = {each.id for each in shards if each.closed and self._is_closed(each.id)}
            begun = self._started | over
            for shard in startable(shards, begun.__contains__, over.__contains__):
                self._started.add(shard.id)
                self._thread(lambda shard=shard: begin(shard))  # type: ignore[misc]

        self._every(SHARDS_LOOKED_FOR_S, look)

    def _is_closed(self, shard_id: str) -> bool:
        if shard_id not in self._closed:
            key = cursor_key(self._application, self._generation, shard_id)
            item = self.ports.store.get("cursors", key)
            if item is None or not item.get("closed"):
                return False
            self._closed.add(shard_id)
        return True

    def _core_lane(self, shard: Shard) -> None:
        lane = core_lane(shard, self.ports, self.plan, lambda: self.stopping)
        self.world.poison.put_into(lane.application)
        self.world.tallies.append(lane.tally)
        self._drive(shard, lane, lambda: None)

    def _archive_lane(self, shard: Shard) -> None:
        around = surroundings(self.ports, self.plan, lambda: self.stopping)
        around = replace(around, bucket=self.plan.archive_bucket)
        lane = ArchiveShard(shard, around, self.plan.archive_every_us)
        self._drive(shard, lane, lambda: None)

    def _sender_lane(self, shard: Shard) -> None:
        lane = self.parts.lane(shard)
        self.world.poison.put_into(lane.processor.application)
        self.world.tallies.append(lane.processor.tally)

        def pace() -> None:
            if self.parts.quota.known is not None:
                for job in lane.pace():
                    self._jobs += 1
                    self._thread(lambda job=job: self._carry_out(lane, job))  # type: ignore[misc]
            self.parts.outcomes.flush()

        self._drive(shard, lane, pace)

    def _carry_out(self, lane: SenderShard, job: Job) -> None:
        outcome = self.parts.transmission.carry_out(job, lane)
        lane.report(job, outcome)
        _unless_not_now(lambda: self.parts.heed(job, outcome))
        self._jobs -= 1

    def _drive(self, shard: Shard, lane: Lane, pace: Callable[[], None]) -> None:
        after = self._patiently(lane.take_over)
        reader = self._patiently(lambda: self.ports.stream.reader(shard.id, after=after))
        draw = self.world.draw
        while not self.stopping:
            # Timers run beside the reading in a host: now the one comes first, now the other.
            if draw.random() < 0.5:
                _unless_not_now(lane.tick)
                _unless_not_now(pace)
            batch = self._patiently(lambda: reader.read(READ_LIMIT))
            self._work_off(lane, batch.records, pace)
            if batch.ended:
                self._patiently(lane.close)
                return
            if draw.random() < 0.5:
                _unless_not_now(lane.tick)
                _unless_not_now(pace)
            if not batch.records:
                self.world.clock.sleep(POLL_S * (0.5 + draw.random()))
        _unless_not_now(lane.release)

    def _work_off(
        self, lane: Lane, records: Sequence[StoredRecord], pace: Callable[[], None]
    ) -> None:
        """Process a batch as :meth:`mailtumble.worker.lane_host.LaneHost.work_off` does."""
        while True:
            try:
                lane.process(records)
            except AwaitsUpgrade as wait:
                if self.stopping:
                    raise Stopping(str(wait)) from wait
            else:
                return
            self.world.clock.sleep(UPGRADE_AGAIN_S)
            _unless_not_now(lane.tick)
            _unless_not_now(pace)

    def _patiently(self, call: Callable[[], T]) -> T:
        while True:
            try:
                return call()
            except RetryableError:
                self.world.clock.sleep(POLL_S)


def _unless_not_now(step: Callable[[], object]) -> None:
    """Ignore errors that can be retried (rule 5): the step runs again later."""
    try:
        step()
    except Stopping:
        raise
    except RetryableError:
        pass
