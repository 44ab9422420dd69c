"""Virtual time and simulated processes: every blocking call of the code under test is a switch.

The code under test is ordinary blocking code. Here it runs in greenlets: where it would block (at
a port) it comes back to this scheduler, which lets somebody else run meanwhile. A process can
die at such a point, or be paused like by SIGSTOP, with everything it had in memory.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from greenlet import getcurrent, greenlet

from tests.fakes.clock import VirtualClock

if TYPE_CHECKING:
    import random
    from collections.abc import Callable


class ProcessDied(BaseException):
    """Unwinds everything that a dead process was doing; no code may catch it."""


@dataclass(eq=False)
class Process:
    """A simulated operating-system process; its name is what it is, and a number."""

    name: str
    dead: bool = False
    paused_until: int = 0
    on_death: list[Callable[[], None]] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """What it is: core, sender or intake."""
        return self.name.partition("-")[0]

    def die(self) -> None:
        """Stop at once, wherever it is."""
        if not self.dead:
            self.dead = True
            for hear in self.on_death:
                hear()


@dataclass(eq=False)
class Task:
    """One thread of a process (``process`` None: a thread of the world)."""

    process: Process | None
    run: greenlet


class Scheduler:
    """Runs tasks in the order of their wake-up times; a tie is drawn."""

    def __init__(self, draw: random.Random) -> None:
        """``draw`` is the seed's source of chance."""
        self.clock = VirtualClock(wait=self.sleep_until)
        self._draw = draw
        self._waiting: list[tuple[int, float, int, Task]] = []
        self._count = 0
        self._hub = getcurrent()
        self._tasks: dict[greenlet, Task] = {}

    def spawn(self, process: Process | None, body: Callable[[], None], after_us: int = 0) -> None:
        """Start a thread of a process."""

        def run() -> None:
            try:
                body()
            except ProcessDied:
                pass
            finally:
                self._tasks.pop(getcurrent(), None)

        task = Task(process, greenlet(run, parent=self._hub))
        self._tasks[task.run] = task
        self._push(self.clock.now() + after_us, task)

    def sleep_until(self, at: int) -> None:
        """Called by a task: let others run until ``at``."""
        task = self._tasks[getcurrent()]
        self._push(at, task)
        self._hub.switch()

    def at(self, when: int, action: Callable[[], None]) -> None:
        """Do something to the world at a time."""
        self.spawn(None, action, max(0, when - self.clock.now()))

    def run(self, until: int, settled: Callable[[], bool]) -> None:
        """Run until a time, or until ``settled`` says so (asked once a virtual second)."""
        asked_at = self.clock.now()
        while self._waiting and self._waiting[0][0] <= until:
            at, _, _, task = heapq.heappop(self._waiting)
            process = task.process
            if process is not None and process.dead:
                self._unwind(task)
                continue
            if process is not None and process.paused_until > at:
                self._push(process.paused_until, task)
                continue
            self.clock.move_to(at)
            if at - asked_at >= 1_000_000:
                asked_at = at
                if settled():
                    return
            task.run.switch()

    def close(self) -> None:
        """Unwind whatever still waits."""
        for task in list(self._tasks.values()):
            self._unwind(task)
        self._waiting.clear()

    def _unwind(self, task: Task) -> None:
        if task.run:
            task.run.throw(ProcessDied)
        else:
            self._tasks.pop(task.run, None)

    def _push(self, at: int, task: Task) -> None:
        self._count += 1
        tie = self._draw.random()
        heapq.heappush(self._waiting, (max(at, self.clock.now()), tie, self._count, task))
