"""Simulated processes that run the product's own classes, and whoever starts them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtumble.worker.assembly import (
    Plan,
    Ports,
    SenderParts,
    core_lane,
    intake,
    startable,
)
from mailtumble.worker.cursor import ShardLost
from schemas.errors import RetryableError
from schemas.values import SECOND_US
from tests.simulation.faults import guard_all
from tests.simulation.scheduler import Process

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailtumble.sender.shard import SenderShard
    from mailtumble.sender.transmission import Job
    from mailtumble.worker.assembly import Lane
    from tests.simulation.world import World

POLL_S = 1.0
READ_LIMIT = 50


class SimulatedWorker:
    """One process of one kind, as the embedded host would run it."""

    def __init__(self, world: World, kind: str, number: int) -> None:
        """Start its threads in the world."""
        self.world = world
        self.process = Process(f"{kind}-{number}")
        ports = guard_all(world.faults, self.process, world)
        self.ports = Ports(
            clock=world.clock,
            stream=ports["stream"],
            store=ports["store"],
            objects=ports["objects"],
            queue=ports["queue"],
            aliases=ports["aliases"],
            transport=ports["provider"],
            account=ports["provider"],
        )
        self.plan = Plan(
            owner=self.process.name,
            bucket=world.bucket,
            unknown_wait_us=8 * SECOND_US,
        )
        self.parts = SenderParts(self.ports, self.plan, lambda: False)
        self._started: set[str] = set()
        self._closed: set[str] = set()
        match kind:
            case "core":
                self._thread(lambda: self._shards(self._core_lane))
            case "sender":
                self._thread(lambda: self._every(2.0, self._poll_quota))
                self._thread(lambda: self._shards(self._sender_lane))
            case _:
                self._thread(lambda: self._every(0.5, self._intake(), died_on_error=False))

    def _thread(self, body: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                body()
            except ShardLost:
                # Another host is at work: this one ends, as the embedded host does.
                self.process.die()
            except Exception as error:  # noqa: BLE001 - any other error ends the worker (rule 5)
                self.world.errors.append(f"{self.process.name}: {type(error).__name__}: {error}")
                self.process.die()

        self.world.scheduler.spawn(self.process, guarded)

    def _every(
        self, seconds: float, step: Callable[[], object], *, died_on_error: bool = True
    ) -> None:
        del died_on_error
        while True:
            try:
                step()
            except RetryableError:
                pass
            self.world.clock.sleep(seconds)

    def _poll_quota(self) -> None:
        facts = self.parts.quota.poll()
        if facts:
            lane = core_lane_append(self)
            lane(facts)

    def _intake(self) -> Callable[[], object]:
        service = intake(self.ports, self.plan)
        return lambda: service.step(0)

    def _shards(self, begin: Callable[[str], None]) -> None:
        """Start lanes as shards become ready: what the embedded host does."""

        def look() -> None:
            shards = self.ports.stream.shards()
            for shard in startable(shards, self._started.__contains__, self._is_closed):
                self._started.add(shard.id)
                self._thread(lambda shard=shard: begin(shard))  # type: ignore[misc]

        self._every(3.0, look)

    def _is_closed(self, shard_id: str) -> bool:
        if shard_id not in self._closed:
            name = self.process.name.split("-")[0]
            generation = "0" if name == "sender" else self.plan.generation
            item = self.ports.store.get("cursors", {"cursor": f"{name}#{generation}#{shard_id}"})
            if item is None or not item.get("closed"):
                return False
            self._closed.add(shard_id)
        return True

    def _core_lane(self, shard: object) -> None:
        lane = core_lane(shard, self.ports, self.plan, lambda: False)  # type: ignore[arg-type]
        self.world.tallies.append(lane.tally)
        self._drive(shard, lane, lambda: None)

    def _sender_lane(self, shard: object) -> None:
        lane = self.parts.lane(shard)  # type: ignore[arg-type]
        self.world.tallies.append(lane.processor.tally)

        def pace() -> None:
            if self.parts.quota.known is not None:
                for job in lane.pace():
                    self._thread(lambda job=job: self._carry_out(lane, job))  # type: ignore[misc]
            lane.flush()

        self._drive(shard, lane, pace)

    def _carry_out(self, lane: SenderShard, job: Job) -> None:
        outcome = self.parts.transmission.carry_out(job, lane.still_mine, lane.another_instant)
        lane.report(job, outcome)

    def _drive(self, shard: object, lane: Lane, pace: Callable[[], None]) -> None:
        clock = self.world.clock
        after = self._patiently(lane.take_over)
        shard_id = shard.id  # type: ignore[attr-defined]
        reader = self._patiently(lambda: self.ports.stream.reader(shard_id, after=after))
        while True:
            try:
                batch = reader.read(READ_LIMIT)
            except RetryableError:
                clock.sleep(POLL_S)
                continue
            lane.process(batch.records)
            if batch.ended:
                lane.close()
                return
            for step in (lane.tick, pace):
                try:
                    step()
                except RetryableError:
                    pass
            if len(batch.records) == 0:
                clock.sleep(POLL_S * (0.5 + self.world.draw.random()))

    def _patiently(self, call: Callable[[], object]) -> object:
        while True:
            try:
                return call()
            except RetryableError:
                self.world.clock.sleep(POLL_S)


def core_lane_append(worker: SimulatedWorker) -> Callable[[object], None]:
    """Append facts that belong to no shard (the quota), as the host does."""
    from mailtumble.worker.shard import outgoing  # noqa: PLC0415

    def append(facts: object) -> None:
        now = worker.world.clock.now()
        worker.ports.stream.append([outgoing(fact, now) for fact in facts])  # type: ignore[attr-defined]

    return append


class Supervisor:
    """Starts a dead worker again, and now and then a second one beside a paused one (a zombie)."""

    def __init__(self, world: World) -> None:
        """Start one worker of each kind."""
        self._world = world
        self._count = 0
        self.current: dict[str, SimulatedWorker] = {}
        for kind in ("intake", "core", "sender"):
            self.start(kind)

    def start(self, kind: str) -> None:
        """Start a worker of this kind; it is started again when it dies."""
        self._count += 1
        worker = SimulatedWorker(self._world, kind, self._count)
        self.current[kind] = worker
        worker.process.on_death.append(lambda: self._died(kind, worker))

    def make_zombie(self, kind: str, pause_us: int) -> None:
        """Pause the worker where it is, and start another in its place."""
        self.current[kind].process.paused_until = self._world.clock.now() + pause_us
        self.start(kind)

    def kill(self, kind: str) -> None:
        """As by kill -9."""
        self.current[kind].process.die()

    def _died(self, kind: str, worker: SimulatedWorker) -> None:
        if self.current[kind] is worker:
            wait_us = int(self._world.draw.random() * 5 * SECOND_US)
            self._world.scheduler.spawn(None, lambda: self.start(kind), wait_us)
