"""Whoever keeps the fleet running: starts dead workers again, and makes zombies now and then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailtumble.archive import shard as archive
from mailtumble.sender import application as sender
from mailtumble.worker import core
from schemas.values import SECOND_US
from tests.simulation.fleet import SimulatedWorker

if TYPE_CHECKING:
    from tests.simulation.scheduler import Process
    from tests.simulation.world import World

KINDS: Final = ("intake", core.NAME, sender.NAME, archive.NAME)
FROZEN_S: Final = (10.0, 50.0)
REPLACED_SHARE: Final = 0.8


class Supervisor:
    """Keeps one current worker of each kind; others may be alive beside it, as zombies."""

    def __init__(self, world: World) -> None:
        """Start one worker of each kind.

        ``clock_steps``: whose clock was set, when, and by how much (microseconds).
        """
        self._world = world
        self._count = 0
        self.current: dict[str, SimulatedWorker] = {}
        self.clock_steps: list[tuple[str, int, int]] = []
        for kind in KINDS:
            self.start(kind)

    def start(self, kind: str) -> None:
        """Start a worker of this kind; it is started again when it dies."""
        self._count += 1
        worker = SimulatedWorker(self._world, kind, self._count)
        self.current[kind] = worker
        worker.process.on_death.append(lambda: self._died(kind, worker))

    def is_current(self, worker: SimulatedWorker) -> bool:
        """Whether no other worker has taken its place."""
        return self.current.get(worker.process.kind) is worker

    def make_zombie(self, kind: str, pause_us: int) -> None:
        """Pause the worker where it is, and start another in its place."""
        self.pause(kind, pause_us)
        if kind in self.current:
            self.start(kind)

    def pause(self, kind: str, pause_us: int) -> None:
        """Pause the worker; nobody notices."""
        if kind in self.current:
            self.current[kind].process.paused_until = self._world.clock.now() + pause_us

    def freeze(self, process: Process) -> None:
        """Pause a worker in the middle of a call; mostly another one is started in its place."""
        worker = self.current.get(process.kind)
        if worker is None or worker.process is not process:
            return
        pause_us = int(self._world.draw.uniform(*FROZEN_S) * SECOND_US)
        act = self.make_zombie if self._world.draw.random() < REPLACED_SHARE else self.pause
        act(process.kind, pause_us)
        self._world.stays_awake_until(self._world.clock.now() + pause_us)

    def stop(self, kind: str) -> None:
        """As by SIGTERM: it says good-bye where it can, and is gone before long."""
        if kind in self.current:
            self.current[kind].stopping = True

    def retire(self, kind: str) -> None:
        """Stop a worker, and start none in its place."""
        self.current.pop(kind).stopping = True

    def set_clock(self, kind: str, by_us: int) -> None:
        """Let somebody set the clock of the machine that a worker runs on."""
        if kind in self.current:
            worker = self.current[kind]
            worker.clock.step(by_us)
            step = (worker.process.name, self._world.clock.now(), by_us)
            self.clock_steps.append(step)
            self._world.faults.note(f"clock set {'forward' if by_us > 0 else 'back'}")

    def _died(self, kind: str, worker: SimulatedWorker) -> None:
        if self.current.get(kind) is worker:
            wait_us = int(self._world.draw.random() * 5 * SECOND_US)
            self._world.scheduler.spawn(None, lambda: self._again(kind, worker), wait_us)

    def _again(self, kind: str, worker: SimulatedWorker) -> None:
        if self.current.get(kind) is worker:
            self.start(kind)
