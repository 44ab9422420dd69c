"""Simulated processes that run the product's own classes, and whoever starts them again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from mailtumble.sender import application as sender
from mailtumble.worker import core
from mailtumble.worker.assembly import Plan, SenderParts, core_lane, intake, startable
from mailtumble.worker.core import CoreRules
from mailtumble.worker.cursor import ShardLost
from mailtumble.worker.patience import Stopping
from schemas.errors import RetryableError
from schemas.events import MailReceived
from schemas.values import SECOND_US
from tests.simulation.guards import guarded_ports
from tests.simulation.scheduler import Process

if TYPE_CHECKING:
    from collections.abc import Callable

    from mailtumble.ports.stream import Shard
    from mailtumble.sender.shard import SenderShard
    from mailtumble.sender.transmission import Job
    from mailtumble.worker.assembly import Lane
    from mailtumble.worker.shard import ShardProcessor
    from schemas.events import Event
    from tests.simulation.world import World

T = TypeVar("T")

POLL_S: Final = 1.0
SHARDS_LOOKED_FOR_S: Final = 3.0
QUOTA_S: Final = 2.0
INTAKE_S: Final = 0.5
STOP_WITHIN_US: Final = 7 * SECOND_US
READ_LIMIT: Final = 50
UNKNOWN_WAIT_US: Final = 8 * SECOND_US


class Poisoned(Exception):  # noqa: N818 - what befell the worker
    """A record at which a worker dies, whatever it does."""


def poison_for(application: str) -> str:
    """The subject line of a mail at whose ``MailReceived`` this application dies."""
    return f"poison for {application}"


class SimulatedWorker:
    """One process of one kind, as a host would run it."""

    def __init__(self, world: World, kind: str, number: int) -> None:
        """Start its threads in the world."""
        self.world = world
        self.process = Process(f"{kind}-{number}")
        self.stopping = False
        self.ports = guarded_ports(world, self.process)
        self.plan = Plan(
            owner=self.process.name,
            bucket=world.bucket,
            rules=CoreRules(mail=world.rules),
            unknown_wait_us=UNKNOWN_WAIT_US,
        )
        self.parts = SenderParts(self.ports, self.plan, lambda: self.stopping)
        self._generation = sender.GENERATION if kind == sender.NAME else self.plan.generation
        self._jobs = 0
        self._started: set[str] = set()
        self._closed: set[str] = set()
        match kind:
            case core.NAME:
                self._thread(lambda: self._shards(self._core_lane))
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
            except (ShardLost, Stopping):
                # With another owner at work, and when asked to stop, this one just ends.
                self._end()
            except Exception as error:  # noqa: BLE001 - any other error ends the worker (rule 5)
                self.world.errors.append(f"{self.process.name}: {type(error).__name__}: {error}")
                self.process.die()

        self.world.scheduler.spawn(self.process, guarded)

    def _every(self, seconds: float, step: Callable[[], object]) -> None:
        while not self.stopping:
            _unless_not_now(step)
            self.world.clock.sleep(seconds)
        self._end()

    def _end(self) -> None:
        """Let the calls under way end and tell their outcomes; then go."""
        clock = self.world.clock
        gone_at = clock.now() + STOP_WITHIN_US
        while self._jobs and clock.now() < gone_at:
            clock.sleep(0.1)
        _unless_not_now(self.parts.outcomes.flush)
        self.process.die()

    def _shards(self, begin: Callable[[Shard], None]) -> None:
        """Start lanes as shards become ready: what a host does."""

        def look() -> None:
            shards = self.ports.stream.shards()
            for shard in startable(shards, self._started.__contains__, self._is_closed):
                self._started.add(shard.id)
                self._thread(lambda shard=shard: begin(shard))  # type: ignore[misc]

        self._every(SHARDS_LOOKED_FOR_S, look)

    def _is_closed(self, shard_id: str) -> bool:
        if shard_id not in self._closed:
            key = {"cursor": f"{self.process.kind}#{self._generation}#{shard_id}"}
            item = self.ports.store.get("cursors", key)
            if item is None or not item.get("closed"):
                return False
            self._closed.add(shard_id)
        return True

    def _core_lane(self, shard: Shard) -> None:
        lane = core_lane(shard, self.ports, self.plan, lambda: self.stopping)
        _poison(lane)
        self.world.tallies.append(lane.tally)
        self._drive(shard, lane, lambda: None)

    def _sender_lane(self, shard: Shard) -> None:
        lane = self.parts.lane(shard)
        _poison(lane.processor)
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
            lane.process(batch.records)
            if batch.ended:
                self._patiently(lane.close)
                return
            if draw.random() < 0.5:
                _unless_not_now(lane.tick)
                _unless_not_now(pace)
            if not batch.records:
                self.world.clock.sleep(POLL_S * (0.5 + draw.random()))
        _unless_not_now(lane.release)

    def _patiently(self, call: Callable[[], T]) -> T:
        while True:
            try:
                return call()
            except RetryableError:
                self.world.clock.sleep(POLL_S)


def _unless_not_now(step: Callable[[], object]) -> None:
    """Rule 5: what can be retried waits for the next time."""
    try:
        step()
    except Stopping:
        raise
    except RetryableError:
        pass


def _poison(processor: ShardProcessor) -> None:
    """Let the application die at the records that are poison for it."""
    application = processor.application
    aggregate = application.aggregate("mail:any")
    evolve, word = aggregate.evolve, poison_for(application.name)

    def poisoned(state: object, event: Event) -> object:
        if isinstance(event, MailReceived) and event.subject_line == word:
            raise Poisoned
        return evolve(state, event)

    aggregate.evolve = poisoned  # type: ignore[method-assign]


class Supervisor:
    """Starts a dead worker again, and now and then a second one beside a paused one (a zombie)."""

    def __init__(self, world: World) -> None:
        """Start one worker of each kind."""
        self._world = world
        self._count = 0
        self.current: dict[str, SimulatedWorker] = {}
        for kind in ("intake", core.NAME, sender.NAME):
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

    def pause(self, kind: str, pause_us: int) -> None:
        """Pause the worker; nobody notices."""
        self.current[kind].process.paused_until = self._world.clock.now() + pause_us

    def stop(self, kind: str) -> None:
        """As by SIGTERM: it says good-bye where it can, and is gone before long."""
        self.current[kind].stopping = True

    def _died(self, kind: str, worker: SimulatedWorker) -> None:
        if self.current[kind] is worker:
            wait_us = int(self._world.draw.random() * 5 * SECOND_US)
            self._world.scheduler.spawn(None, lambda: self._again(kind, worker), wait_us)

    def _again(self, kind: str, worker: SimulatedWorker) -> None:
        if self.current[kind] is worker:
            self.start(kind)
