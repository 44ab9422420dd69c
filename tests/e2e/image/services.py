"""The services of the compose file as processes: their own commands, environments and checks.

What Docker would make of a service is made of it here as far as a process can have it: names of
machines and published ports become 127.0.0.1 and free ports, mounted folders become folders of the
test, and the program comes out of what the image's script has installed.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from mailtumble.local.ministack import free_port
from tests.unit.infra.dockerfile import environment as image_environment

ROOT: Final = Path(__file__).resolve().parents[3]
COMPOSE: Final = ROOT / "docker-compose.localstack.yml"
LOOPBACK: Final = "127.0.0.1"
INIT: Final = ["tini", "--"]
"""Reaps in a container; in a process' place it has nothing to do."""


@dataclass
class Service:
    """A service and its process."""

    name: str
    command: list[str]
    environment: dict[str, str]
    check: list[str]
    grace_s: float
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What it prints."""
        return self.folder / "log"

    def start(self) -> None:
        """Start it."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def run_through(self, within_s: float) -> int:
        """Start it and wait for its end; its exit code."""
        self.start()
        assert self.process is not None
        try:
            return self.process.wait(within_s)
        finally:
            self.kill()

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Another command of the service's program, to its end: ``docker compose run``."""
        entrypoint = self.command[: len(self.command) - self._own]
        return subprocess.run(
            [*entrypoint, *command],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    _own: int = 0

    def healthy(self) -> bool:
        """Its own health check, once."""
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
        done = subprocess.run(
            self.check, env=self.environment, capture_output=True, timeout=120, check=False
        )
        return done.returncode == 0

    def terminate(self) -> None:
        """SIGTERM, as ``docker compose down`` sends it."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    def ended(self) -> int:
        """Its exit code, within the grace that the file gives it."""
        assert self.process is not None
        return self.process.wait(self.grace_s)

    def kill(self) -> None:
        """What has not ended by now."""
        if self.process is not None and self.process.poll() is None:
            # With all that it has started: a session of its own.
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@dataclass
class Composition:
    """All services of the file."""

    folder: Path
    program: Path
    """The environment that holds what is in the image."""
    plain: Mapping[str, Any] = field(
        default_factory=lambda: yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    )
    ports: dict[tuple[str, str], int] = field(default_factory=dict)

    def port(self, service: str, published: str) -> int:
        """The free port that stands for one of a service's."""
        key = (service, published)
        if key not in self.ports:
            self.ports[key] = free_port()
        return self.ports[key]

    def service(self, name: str) -> Service:
        """A service as a process; nothing is started."""
        plain = self.plain["services"][name]
        folder = self.folder / name
        (folder / "tmp").mkdir(parents=True, exist_ok=True)
        translated = Translation(self, name, plain)
        own = translated.words(plain.get("command", []))
        entrypoint = translated.words(plain.get("entrypoint", []))
        if entrypoint[: len(INIT)] == INIT:
            entrypoint = entrypoint[len(INIT) :]
        return Service(
            name=name,
            command=[*entrypoint, *own],
            environment=self._environment(translated, plain, folder),
            check=translated.words(self._check(plain)),
            grace_s=float(str(plain.get("stop_grace_period", "10s")).removesuffix("s")),
            folder=folder,
            _own=len(own),
        )

    def _environment(
        self, translated: Translation, plain: Mapping[str, Any], folder: Path
    ) -> dict[str, str]:
        """The image's and the service's, and what a process needs of this machine."""
        image = image_environment() if "entrypoint" in plain else {}
        image.pop("PATH", None)
        told = {**image, **plain.get("environment", {})}
        return {
            **{name: translated.text(value) for name, value in told.items()},
            "PATH": f"{self.program / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "HOME": os.environ["HOME"],
            "TMPDIR": str(folder / "tmp"),
            "APPLY_WITH": str(ROOT / "tools/terraform.sh"),
        }

    def _check(self, plain: Mapping[str, Any]) -> list[str]:
        """The service's own, else the image's."""
        own = plain.get("healthcheck")
        if own is not None:
            return list(own["test"][1:])
        text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
        found = re.search(r"HEALTHCHECK[^\[]*(\[.*\])", text)
        assert found is not None
        words: list[str] = yaml.safe_load(found[1])
        return words


@dataclass(frozen=True)
class Translation:
    """From a container's names to this machine's."""

    whole: Composition
    name: str
    plain: Mapping[str, Any]

    def words(self, words: Sequence[str]) -> list[str]:
        """A command."""
        return [self.text(word) for word in words]

    def text(self, text: str) -> str:
        """Any text of the file; compose's escape of a dollar is undone."""
        for ours, theirs in self._pairs():
            text = re.sub(rf"(?<![\w.]){re.escape(ours)}(?![\w.])", theirs, text)
        return text.replace("$$", "$")

    def _pairs(self) -> Iterator[tuple[str, str]]:
        localstack = self.whole.port("localstack", "4566")
        yield "localstack:4566", f"{LOOPBACK}:{localstack}"
        yield "0.0.0.0", LOOPBACK  # noqa: S104 - what is replaced
        for port in self.plain.get("ports", ()):
            inside = str(port).rpartition(":")[2]
            yield inside, str(self.whole.port(self.name, inside))
        web = image_environment()["MAILTUMBLE_WEB_PORT"]
        yield web, str(self.whole.port(self.name, web))
        for volume in self.plain.get("volumes", ()):
            source, target, *_ = volume.split(":")
            yield target, str(self._folder(source))

    def _folder(self, source: str) -> Path:
        """Bound from the checkout, or a volume of the composition's own."""
        if source.startswith("."):
            return (ROOT / source).resolve()
        folder = self.whole.folder / "volumes" / source
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def until_healthy(services: Sequence[Service], within_s: float) -> None:
    """Wait until every service's check passes."""
    deadline = time.monotonic() + within_s
    waiting = list(services)
    while waiting := [each for each in waiting if not each.healthy()]:
        names = {each.name: each.log.read_text(encoding="utf-8")[-2000:] for each in waiting}
        assert time.monotonic() < deadline, names
        time.sleep(0.5)
