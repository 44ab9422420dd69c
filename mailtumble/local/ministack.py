"""MiniStack, an emulator of AWS, as a child process on a free port of the loopback interface."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from mailtumble.local.ministack_server import PARENT_VARIABLE
from schemas.errors import RetryableError

HOST: Final = "127.0.0.1"
HEALTH_PATH: Final = "/_ministack/health"
REGION: Final = "us-east-1"
_START_TIMEOUT_S: Final = 60.0
_STOP_TIMEOUT_S: Final = 10.0
_POLL_S: Final = 0.1
_PACKAGES: Final = Path(__file__).resolve().parents[2]
"""Where this package lies: the child has to find the very same one."""


class MiniStack:
    """``with MiniStack(log) as aws:`` starts it, and stops it at the end.

    Attributes:
        endpoint: its URL, known before the start.
        log: the file that takes what it prints.
    """

    def __init__(self, log: Path, *, port: int | None = None) -> None:
        """Choose a free port unless one is given."""
        self.log = log
        self.port = free_port() if port is None else port
        self.endpoint = f"http://{HOST}:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop it."""
        self.stop()

    def start(self, timeout_s: float = _START_TIMEOUT_S) -> None:
        """Start it and wait until it answers.

        Must be called on a thread that lives as long as MiniStack shall: on Linux the end of
        the thread that started a child counts as the end of its parent.

        Raises:
            RetryableError: it ended at once or didn't answer in time; the log tells why.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                # -P: the current folder may hold anything, a ministack.py too.
                [sys.executable, "-P", "-m", "mailtumble.local.ministack_server"],
                env={**os.environ, **self._server_environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A Ctrl-C reaches a whole group: the workers' last words still need their AWS.
                start_new_session=True,
            )
        deadline = time.monotonic() + timeout_s
        while not self.is_healthy():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RetryableError(f"MiniStack did not start on port {self.port}: see {self.log}")
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """End it; everything it held is gone."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    @property
    def pid(self) -> int | None:
        """Its process id, while it runs."""
        return self._process.pid if self._process else None

    def is_running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    def is_healthy(self) -> bool:
        """Whether it answers."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=1)
        try:
            connection.request("GET", HEALTH_PATH)
            return connection.getresponse().status == HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def environment(self) -> Mapping[str, str]:
        """The variables that point boto at it; its credentials are no secret."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    def _server_environment(self) -> Mapping[str, str]:
        paths = [str(_PACKAGES), os.environ.get("PYTHONPATH", "")]
        return {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": HOST,
            "MINISTACK_HOST": HOST,
            # It would listen there on all interfaces.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            # It removes containers that look like its own: it has none here.
            "DOCKER_HOST": "unix:///nonexistent/docker.sock",
            "PERSIST_STATE": "0",
            "S3_PERSIST": "0",
            "LOG_LEVEL": "WARNING",
            PARENT_VARIABLE: str(os.getpid()),
        }


def free_port() -> int:
    """A port of the loopback interface that nobody listens on at the moment."""
    with socket.socket() as held:
        held.bind((HOST, 0))
        port: int = held.getsockname()[1]
        return port
