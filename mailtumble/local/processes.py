"""Child processes of the local stack: started, watched, started again, stopped."""

from __future__ import annotations

import contextlib
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
"""After so long a life, a death counts as the first one again."""

STOP_S: Final = 8.0


@dataclass(slots=True)
class Child:
    """A process that is to run as long as the local stack does."""

    name: str
    arguments: Sequence[str]
    log: Path
    environment: Mapping[str, str]
    niceness: int = 0
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    deaths: int = 0
    due_at: float = 0.0

    def start(self) -> None:
        """Start it; what it prints goes to its log."""
        with self.log.open("ab") as log:
            self.process = spawn(self.arguments, self.environment, log)
        if self.niceness:
            stand_back(self.process.pid, self.niceness)
        self.started_at = time.monotonic()

    def last_words(self) -> str:
        """The last line of its log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return lines[-1] if lines else f"see {self.log}"

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
    """Let a process that has just begun leave the processor to others that want it, too.

    At once, before it has threads: each of these has a priority of its own. Where Linux groups
    processes by session, the group's priority is what counts (sched(7), "The autogroup feature").
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, niceness)
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(niceness), encoding="ascii")


@dataclass(slots=True)
class Family:
    """All children of the local stack."""

    children: list[Child] = field(default_factory=list)

    def watch(self) -> list[Child]:
        """Start dead ones again; those that were started by this call."""
        now = time.monotonic()
        begun = []
        for child in self.children:
            if child.process is None or child.process.poll() is None:
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
        """Ask all to end, wait a while, then kill what is left."""
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
