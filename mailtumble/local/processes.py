"""Child processes of the local stack: started, watched, restarted, stopped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

RESTART_AFTER_S: Final = 0.5
RESTART_AFTER_MAX_S: Final = 4.0
STEADY_S: Final = 20.0
"""A process that has run for this long starts its count of deaths anew."""

STOP_S: Final = 8.0


@dataclass(slots=True)
class Child:
    """A process that runs as long as the local stack does.

    Attributes:
        name: as ``local status`` shows it.
        arguments: the module and its arguments.
        log: takes what the process prints.
        environment: variables on top of this process's own.
        status_file: written by the process when it is ready, with its ``pid`` in it.
        niceness: its priority once it is ready; until then it has the ordinary one.
    """

    name: str
    arguments: Sequence[str]
    log: Path
    environment: Mapping[str, str]
    status_file: Path
    niceness: int = 0
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    deaths: int = 0
    due_at: float = 0.0
    settled: bool = False

    def start(self) -> subprocess.Popen[bytes]:
        """Start the process and return it."""
        with self.log.open("ab") as log:
            self.process = spawn(self.arguments, self.environment, log)
        self.started_at, self.settled = time.monotonic(), False
        return self.process

    def is_ready(self) -> bool:
        """Return whether this very process, not one before it, has said that it is ready."""
        try:
            status = json.loads(self.status_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return False
        return self.process is not None and status["pid"] == self.process.pid

    def settle(self) -> None:
        """Lower the priority of a process that has become ready since the last call."""
        if not self.settled and self.process is not None and self.is_ready():
            self.settled = True
            if self.niceness:
                stand_back(self.process.pid, self.niceness)

    @property
    def state(self) -> str:
        """``running``, or ``restarting`` while it is dead."""
        return "running" if self.process and self.process.poll() is None else "restarting"


def spawn(
    arguments: Sequence[str], environment: Mapping[str, str], log: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start a module's process that ends with this one, apart from the terminal's signals."""
    return subprocess.Popen(  # noqa: S603 - modules of our own
        [sys.executable, "-m", "mailtumble.local.child", str(os.getpid()), *arguments],
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def stand_back(pid: int, niceness: int) -> None:
    """Lower the priority of a process, so that others on a busy machine run before it.

    On Linux each thread has a priority of its own, which it hands down to the threads that it
    starts. Where Linux groups processes by session, the priority of the group is what counts
    (sched(7), "The autogroup feature").
    """
    lowered: set[int] = set()
    # A thread may start another one meanwhile: look again until there is none left.
    while threads := _threads(pid) - lowered:
        for thread in threads:
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, thread, niceness)
        lowered |= threads
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(niceness), encoding="ascii")


def _threads(pid: int) -> set[int]:
    """Return the ids of a process's threads, or its own where they can't be listed."""
    try:
        return {int(each) for each in os.listdir(f"/proc/{pid}/task")}  # noqa: PTH208 - names only
    except OSError:
        return {pid}


@dataclass(slots=True)
class Family:
    """All children of the local stack."""

    children: list[Child] = field(default_factory=list)

    def watch(self) -> list[Child]:
        """Restart dead children, and return those; lower the priority of those now ready."""
        now = time.monotonic()
        begun = []
        for child in self.children:
            if child.process is None:
                continue
            if child.process.poll() is None:
                child.settle()
                continue
            if not child.due_at:
                steady = now - child.started_at > STEADY_S
                child.deaths = 1 if steady else child.deaths + 1
                wait_s = min(RESTART_AFTER_S * 2 ** (child.deaths - 1), RESTART_AFTER_MAX_S)
                child.due_at = now + wait_s
            if now >= child.due_at:
                child.due_at = 0.0
                child.start()
                begun.append(child)
        return begun

    def stop(self) -> None:
        """Ask all children to end, wait up to :data:`STOP_S`, then kill what is left."""
        running = [child.process for child in self.children if child.process]
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
