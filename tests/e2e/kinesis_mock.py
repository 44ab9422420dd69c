"""kinesis-mock as a process: the emulator that splits and merges as Kinesis does. Needs Node.js."""

from __future__ import annotations

import os
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from mailtumble.local.ministack import HOST, free_port

ROOT: Final = Path(__file__).resolve().parents[2]
INSTALLS_WITHIN_S: Final = 600
STARTS_WITHIN_S: Final = 300
STOPS_WITHIN_S: Final = 60
AT_ONCE: Final = "50ms"


class KinesisMock:
    """``with KinesisMock(log) as kinesis:`` starts it, and stops it at the end."""

    def __init__(self, log: Path) -> None:
        """Install it where it is missing, and choose free ports."""
        done = subprocess.run(
            [ROOT / "tools" / "kinesis-mock.sh"],
            capture_output=True,
            text=True,
            timeout=INSTALLS_WITHIN_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        self._folder = Path(done.stdout.strip())
        self._port = free_port()
        self._log = log
        self.endpoint = f"http://{HOST}:{self._port}"

    def __enter__(self) -> Self:
        """Start it and wait until it answers."""
        durations = ("CREATE_STREAM", "SPLIT_SHARD", "MERGE_SHARDS")
        with self._log.open("wb") as out:
            self._process = subprocess.Popen(
                ["node", "--require", ROOT / "tools" / "loopback.cjs", "main.js"],
                env={
                    **os.environ,
                    "KINESIS_MOCK_PLAIN_PORT": str(self._port),
                    "KINESIS_MOCK_TLS_PORT": str(free_port()),
                    "LOG_LEVEL": "WARN",
                    **{f"{each}_DURATION": AT_ONCE for each in durations},
                },
                cwd=self._folder,
                stdout=out,
                stderr=out,
            )
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline
            time.sleep(0.1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop it."""
        self._process.terminate()
        try:
            self._process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        try:
            address = f"{self.endpoint}/healthcheck"
            with urllib.request.urlopen(address, timeout=20):  # noqa: S310 - our own server
                return True
        except urllib.error.HTTPError as error:
            error.close()
            return True
        except OSError:
            return False
