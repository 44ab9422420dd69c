"""MiniStack, an emulator of AWS, as a child process on a free port of the loopback interface."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import socket
import subprocess
import sys
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from mailtumble.local.ministack_server import PARENT_VARIABLE
from mailtumble.local.startup import Starting, Startup, log_size
from schemas.errors import MailtumbleError

HOST: Final = "127.0.0.1"
HEALTH_PATH: Final = "/_ministack/health"
REGION: Final = "us-east-1"
NAME: Final = "the AWS emulator"
PORTS: Final = range(20_000, 32_768)
_STOP_TIMEOUT_S: Final = 10.0
_HEALTH_TIMEOUT_S: Final = 2.0
_PACKAGES: Final = Path(__file__).resolve().parents[2]
"""The folder of this package: the child has to import the very same one."""


class MiniStack:
    """``with MiniStack(log) as aws:`` starts it, and stops it at the end.

    Attributes:
        endpoint: its URL, known before the start.
        log: the file that takes what it prints.
    """

    def __init__(self, log: Path, *, port: int | None = None) -> None:
        """Choose a free port unless one is given; start nothing yet."""
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

    def start(self, startup: Startup | None = None) -> None:
        """Start MiniStack and wait until it answers.

        Must be called on a thread that lives as long as MiniStack should: on Linux the end of
        the thread that started a child counts as the end of its parent.

        Args:
            startup: the start that it is part of, if there is more to start.

        Raises:
            StartInterrupted: the start was given up on request.
            RetryableError: MiniStack ended at once or made no progress; its log tells why.
        """
        startup = startup or Startup()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        log_from = log_size(self.log)
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
        startup.add(Starting(NAME, self._process, self.log, log_from))
        try:
            startup.wait_until(self.is_healthy, "to answer", lambda: [NAME])
        except BaseException:  # Ctrl-C too
            self.stop()
            raise

    def stop(self) -> None:
        """End MiniStack; everything it held is gone."""
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
        connection = http.client.HTTPConnection(HOST, self.port, timeout=_HEALTH_TIMEOUT_S)
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
    """Return a port of the loopback interface that nobody listens on at the moment.

    The system gives ports from 32,768 on to connections and to whoever binds port 0. One of them
    could be taken by another process before the one that it is chosen for listens on it.

    Raises:
        MailtumbleError: none of 100 ports that were tried is free.
    """
    for port in random.sample(PORTS, 100):
        with socket.socket() as held, contextlib.suppress(OSError):
            held.bind((HOST, port))
            return port
    raise MailtumbleError(f"of 100 ports from {PORTS[0]} to {PORTS[-1]} none is free")
