"""Wait for the processes of the local stack to start, for as long as they make progress.

A fixed time limit would depend on how busy the machine is. A process makes
progress while it uses CPU time or writes to its log; one that does neither for
:data:`IDLE_LIMIT_S` is stuck. If a process ends before it is ready, the start fails at once.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mailtumble.story import listed
from schemas.errors import MailtumbleError, RetryableError

IDLE_LIMIT_S: Final = 60.0
"""The start fails after this long without any progress."""
START_LIMIT_S: Final = 15 * 60.0
"""The start fails if a single step takes longer, even if processes use CPU time (in a loop)."""
POLL_S: Final = 0.1
LOOK_COUNTS_MAX_S: Final = 1.0
"""The most that one look adds to the idle time. After Ctrl-Z, or on a frozen machine, the clock has
moved on although the processes could not run."""
FIRST_NOTE_S: Final = 5.0
NOTE_EVERY_S: Final = 15.0
LAST_LINES: Final = 10
LAST_BYTES: Final = 16_384
"""How much of the end of a log is read to find its last lines."""


class StartInterrupted(MailtumbleError):  # noqa: N818 - what happened, not a fault
    """Somebody asked the stack to end before it was ready."""


@dataclass(frozen=True, slots=True)
class Starting:
    """A process that has been started and may not be ready yet.

    Attributes:
        name: its name in messages.
        process: the process itself.
        log: the file that receives its output.
        log_from: the size of the log before the start; the part before is of earlier processes.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    log_from: int = 0

    def progress(self) -> tuple[float, int]:
        """Return the CPU seconds that it has used and the size of its log. Both only grow."""
        return cpu_seconds(self.process.pid), log_size(self.log)

    def last_lines(self) -> list[str]:
        """Return the last lines of its log without blank lines, at most :data:`LAST_LINES`."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(self.log_from, log_size(self.log) - LAST_BYTES))
                text = log.read().decode(errors="replace")
        except OSError:
            return []
        return [line.rstrip() for line in text.splitlines() if line.strip()][-LAST_LINES:]


class Startup:
    """The start of a local stack: which processes belong to it, and what it waits for."""

    def __init__(
        self,
        say: Callable[[str], None] = lambda line: None,  # noqa: ARG005 - nobody listens
        interrupted: Callable[[], bool] = lambda: False,
        *,
        idle_limit_s: float = IDLE_LIMIT_S,
        first_note_s: float = FIRST_NOTE_S,
    ) -> None:
        """Create without starting anything.

        Args:
            say: called with each line to show to the person who waits.
            interrupted: returns whether somebody has asked to stop the start.
            idle_limit_s: seconds without progress after which the start fails.
            first_note_s: seconds until ``say`` is called for the first time.
        """
        self.interrupted = interrupted
        self._say = say
        self._idle_limit_s = idle_limit_s
        self._first_note_s = first_note_s
        self._started: list[Starting] = []

    def add(self, started: Starting) -> None:
        """Watch a process from now on: if it ends, the start ends."""
        self._started.append(started)

    def wait_until(
        self, is_ready: Callable[[], bool], what: str, on: Callable[[], Sequence[str]]
    ) -> None:
        """Wait for a condition as long as progress is made towards it.

        Args:
            is_ready: the condition.
            what: what the processes have to do, such as "to answer".
            on: returns the names of the processes that have yet to do it.

        Raises:
            StartInterrupted: somebody asked the stack to end.
            RetryableError: a watched process ended, or no progress was made for too long.
        """
        began = last = time.monotonic()
        note_at, idle_s = began + self._first_note_s, 0.0
        before: list[tuple[float, int]] = []
        while not is_ready():
            if self.interrupted():
                raise StartInterrupted("interrupted during the start")
            self._check_alive()
            now = time.monotonic()
            names = on()
            progress = [each.progress() for each in self._started if each.name in names]
            idle_s = idle_s + min(now - last, LOOK_COUNTS_MAX_S) if progress == before else 0.0
            before, last = progress, now
            if idle_s >= self._idle_limit_s or now - began >= START_LIMIT_S:
                raise self._stuck(names, what, now - began, idle_s)
            if now >= note_at:
                used_s = sum(cpu_s for cpu_s, _ in progress)
                self._say(
                    f"Waiting for {listed(names)} {what}: {now - began:.0f} s so far, "
                    f"{used_s:.1f} s of CPU time used."
                )
                note_at = now + NOTE_EVERY_S
            time.sleep(POLL_S)

    def _check_alive(self) -> None:
        for each in self._started:
            code = each.process.poll()
            if code is not None:
                how = f"exit code {code}" if code >= 0 else f"signal {-code}"
                what = f"{each.name} ended during the start ({how})"
                self._say_last_lines(each, what)
                last = "".join(f": {line}" for line in each.last_lines()[-1:])
                raise RetryableError(f"{what}{last}; see {each.log}")

    def _stuck(
        self, names: Sequence[str], what: str, waited_s: float, idle_s: float
    ) -> RetryableError:
        waited_for = [each for each in self._started if each.name in names]
        for each in waited_for:
            self._say_last_lines(each, f"{each.name} did not become ready")
        why = (
            f"no CPU time used and nothing logged for {idle_s:.0f} s"
            if idle_s >= self._idle_limit_s
            else f"not ready after {waited_s:.0f} s"
        )
        logs = listed([str(each.log) for each in waited_for])
        return RetryableError(f"gave up waiting for {listed(names)} {what}: {why}; see {logs}")

    def _say_last_lines(self, each: Starting, what: str) -> None:
        lines = each.last_lines()
        if not lines:
            self._say(f"{what}. It wrote nothing to {each.log}.")
            return
        self._say(f"{what}. The last lines of {each.log}:")
        for line in lines:
            self._say(f"  {line}")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process in seconds, including its children that have ended.

    Return 0 on systems without ``/proc``. Then only the log shows progress.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    # proc_pid_stat(5): fields 14 to 17; the first two may contain blanks.
    fields = text.rpartition(")")[2].split()[11:15]
    return sum(map(int, fields)) / os.sysconf("SC_CLK_TCK")


def log_size(log: Path) -> int:
    """Return the size of a log in bytes; 0 if it does not exist yet."""
    try:
        return log.stat().st_size
    except OSError:
        return 0
