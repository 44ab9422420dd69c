"""The Java daemon as a process: its files, its start, its words, its end."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Final

from mailtumble.kcl import java
from mailtumble.kcl.logs import line_of
from mailtumble.kcl.properties import DaemonSettings, properties_text
from schemas.errors import MailtumbleError

LINE_BYTES_MAX: Final = 16 * 1024 * 1024
SETTLES_S: Final = 5.0
"""What the daemon may take beyond its grace before it is killed."""
_PACKAGES: Final = Path(__file__).resolve().parents[2]
"""Where this package lies: the children have to find the very same one."""


class RunFolder:
    """A daemon's files, and the lock that keeps a second one with its worker id away."""

    def __init__(self, name: str, root: Path | None = None) -> None:
        """``name`` holds application and worker id; ``root`` is the user's own folder."""
        self.path = (root or _own_folder()) / name.replace("/", "_")
        self.reports = self.path / "reports"
        self.properties = self.path / "daemon.properties"
        self._lock: IO[bytes] | None = None

    def take(self) -> None:
        """Make it, empty; no reports of a predecessor's children are left.

        Raises:
            MailtumbleError: a living process has it.
        """
        self.reports.mkdir(parents=True, exist_ok=True)
        lock = (self.path / "lock").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise MailtumbleError(
                f"another worker with this id runs on this machine ({self.path} is locked): "
                "give each its own MAILTUMBLE_KCL_WORKER_ID"
            ) from error
        self._lock = lock
        for path in self.reports.iterdir():
            path.unlink()

    def child_command(self, application: str) -> str:
        """Write the children's script; the command for it, without quotes or odd blanks.

        Raises:
            MailtumbleError: the folder's own path has a blank, at which the daemon would split.
        """
        script = self.path / "child.sh"
        command = shlex.join(
            [sys.executable, "-P", "-m", "mailtumble.kcl.child", application, str(self.reports)]
        )
        script.write_text(f"exec {command}\n", encoding="utf-8")
        if " " in str(script):
            raise MailtumbleError(f"{script} has a blank in it: set TMPDIR to a folder without")
        return f"/bin/sh {script}"

    def write(self, settings: DaemonSettings) -> None:
        """Write the properties."""
        self.properties.write_text(properties_text(settings), encoding="ascii")

    def release(self) -> None:
        """Let the next one take it."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _own_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"mailtumble-kcl-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise MailtumbleError(f"{folder} belongs to somebody else: set TMPDIR to a folder of yours")
    return folder


class Daemon:
    """A MultiLangDaemon that runs as long as this process, at the most."""

    def __init__(self, process: asyncio.subprocess.Process, say: Callable[[str], None]) -> None:
        """Made by :meth:`start`."""
        self.process = process
        self._talking = asyncio.create_task(self._relay(say))

    @classmethod
    async def start(
        cls,
        found: java.Installation,
        folder: RunFolder,
        *,
        heap_mb: int,
        cbor: bool,
        say: Callable[[str], None],
    ) -> Daemon:
        """Start it, from the thread that lives as long as this process; ``say`` takes its log."""
        command = java.command(found, properties=folder.properties, heap_mb=heap_mb, cbor=cbor)
        paths = [str(_PACKAGES), os.environ.get("PYTHONPATH", "")]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "mailtumble.kcl.launch", str(os.getpid()), *command),
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, paths)),
                # glibc's pool of memory per thread: dozens of MB for what Java allocates there.
                "MALLOC_ARENA_MAX": "2",
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            # A Ctrl-C reaches a whole group: daemon and children hear of it from the supervisor.
            start_new_session=True,
            limit=LINE_BYTES_MAX,
        )
        return cls(process, say)

    async def wait(self) -> int:
        """Its exit code, once it has ended and all it said is said."""
        code = await self.process.wait()
        # A child that lives on may hold the pipe; it ends by itself within a second.
        await asyncio.wait({self._talking}, timeout=SETTLES_S)
        return code

    async def stop(self, children: Iterable[int], within_s: float) -> int:
        """Ask it to hand everything over; its exit code. Killed when it does not end in time."""
        self._signal(signal.SIGTERM)
        # They must not wait for an outage's end meanwhile.
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(within_s + SETTLES_S):
                return await self.wait()
        except TimeoutError:
            self._signal(signal.SIGKILL)
            return await self.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    async def _relay(self, say: Callable[[str], None]) -> None:
        assert self.process.stdout is not None  # noqa: S101 - it was asked for
        while line := await self.process.stdout.readline():
            say(line_of(line.decode("utf-8", "replace").rstrip("\n")))
