"""A worker as a user starts it, seen from outside through ``/proc``: its processes, its memory."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

POLL_S: Final = 0.05
ENDS_WITHIN_S: Final = 60.0


class Late(Exception):  # noqa: N818 - what was found
    """Something did not come in the time it had; the text says what."""


class Worker:
    """``mailtumble worker ... --host kcl`` in a folder of its own, stopped at the block's end."""

    def __init__(self, arguments: Sequence[str], folder: Path, more: Mapping[str, str]) -> None:
        """Start it; ``more`` comes on top of this process's environment."""
        self.log = folder / "worker.log"
        self.started_at = time.monotonic()
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", "mailtumble.cli", "worker", *arguments],
                env={**os.environ, "TMPDIR": str(folder), **more},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    def __enter__(self) -> Self:
        """It runs already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop it in order; if it doesn't, by force."""
        if self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def daemon(self) -> int:
        """The JVM's process; the launcher becomes it."""
        (pid,) = children_of(self._process.pid)
        return pid

    def everybody(self) -> list[int]:
        """The supervisor, the daemon, its children."""
        daemons = children_of(self._process.pid)
        children = [child for daemon in daemons for child in children_of(daemon)]
        return [self._process.pid, *daemons, *children]

    def cpu_s(self) -> float:
        """CPU-seconds that they have taken until now: a busy machine disturbs these little."""
        return sum(map(cpu_s, self.everybody()))

    def kill(self) -> None:
        """Kill -9 of the supervisor, the daemon and its children: nobody says good-bye."""
        for pid in self.everybody():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def until(self, holds: Callable[[], object], within_s: float, what: str) -> float:
        """Wait for a condition; seconds since the worker's start.

        Raises:
            Late: it didn't come true in time, or the worker has ended.
        """
        while not holds():
            code = self._process.poll()
            if code is not None or time.monotonic() > self.started_at + within_s:
                ended = "" if code is None else f"; the worker ended with {code}"
                tail = self.log.read_text(encoding="utf-8")[-2000:]
                message = f"no {what} within {within_s:.0f} s{ended}:\n{tail}"
                raise Late(message)
            time.sleep(POLL_S)
        return time.monotonic() - self.started_at


def children_of(pid: int) -> list[int]:
    """The living processes that a process has started."""
    found: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text(encoding="ascii").split())
    return found


def cpu_s(pid: int) -> float:
    """CPU-seconds of a process, and of those it has waited for (proc(5): fields 14 to 17)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    fields = text.rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def machine_cpu_s() -> float:
    """CPU-seconds of everything on this machine since it started (proc(5): /proc/stat)."""
    first = Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, first[1:9])
    busy = user + nice + system + irq + softirq + steal
    return busy / os.sysconf("SC_CLK_TCK")


def peak_mb(pid: int) -> float:
    """The most memory that a process has had resident (VmHWM), in MiB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    match = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    assert match is not None  # noqa: S101 - Linux writes it for every process
    return int(match[1]) / 1024
