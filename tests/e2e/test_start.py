"""The start of the local stack: deaths are named, Ctrl-C works, a stalled process is waited for."""

# ruff: noqa: D103 - the names of these tests are sentences

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import clean_environment

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(sys.platform != "linux", reason="finds child processes in /proc"),
]

NAMED_WITHIN_S = 5.0
BEGINS_WITHIN_S = 120.0
ENDS_WITHIN_S = 60.0
MODULES = {
    "aws": "mailtumble.local.ministack_server",
    "ses": "mailtumble.local.ses",
    "core": "worker\0core",
    "sender": "worker\0sender",
}
NAMES = {"aws": "the AWS emulator", "ses": "the local SES", "core": "core", "sender": "sender"}


class Start:
    """A start of the local stack under way, with every line of its output and when it came."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        """Begin it."""
        self.lines: list[tuple[float, str]] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mailtumble.cli", "local", "--smtp-port", "0"],
            cwd=folder,
            env=clean_environment(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # with its children a group, as a terminal makes one
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append((time.monotonic(), line))

    def children(self) -> dict[int, str]:
        """Return the command line of each child process by its id."""
        found = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with contextlib.suppress(OSError):
                    parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                    if int(parent) == self.process.pid:
                        found[int(folder.name)] = (folder / "cmdline").read_text()
        return found

    def await_child(self, name: str) -> int:
        """Wait until the stack has started this process; return its id."""
        deadline = time.monotonic() + BEGINS_WITHIN_S
        while time.monotonic() < deadline:
            for pid, command in self.children().items():
                if MODULES[name] in command:
                    return pid
            time.sleep(0.01)
        raise AssertionError(f"{name} was not started: {self.lines}")

    def end(self) -> tuple[int, str]:
        """Wait for the end; return the exit code and all output."""
        code = self.process.wait(ENDS_WITHIN_S)
        self._reader.join(ENDS_WITHIN_S)
        return code, "".join(line for _, line in self.lines)

    def close(self) -> None:
        """Kill what is left of it."""
        self.process.kill()
        self.process.wait()
        self._reader.join(ENDS_WITHIN_S)
        if self.process.stdout is not None:
            self.process.stdout.close()


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., Start]]:
    """Begin starts of the local stack."""
    begun: list[Start] = []

    def begin_one(**environment: str) -> Start:
        begun.append(Start(tmp_path, environment))
        return begun[-1]

    yield begin_one
    for each in begun:
        each.close()


def assert_all_ended(pids: dict[int, str]) -> None:
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.parametrize("name", ["aws", "ses", "sender"])
def test_a_process_that_dies_during_the_start_is_named_at_once(
    begin: Callable[..., Start], name: str
) -> None:
    start = begin()
    pid = start.await_child(name)
    others = start.children()
    os.kill(pid, signal.SIGKILL)
    killed_at = time.monotonic()
    code, said = start.end()
    assert code == 1
    told = f"{NAMES[name]} ended during the start (signal 9)"
    named_at = next(at for at, line in start.lines if told in line)
    assert named_at - killed_at < NAMED_WITHIN_S
    assert said.splitlines()[-1].startswith(f"mailtumble: {told}")
    assert "Traceback" not in said
    assert_all_ended(others)


def test_the_last_lines_of_a_worker_that_dies_are_shown(
    begin: Callable[..., Start], tmp_path: Path
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("[[rule]", encoding="utf-8")
    code, said = begin(MAILTUMBLE_MODERATION_RULES=str(rules)).end()
    assert code == 1
    told = "core ended during the start (exit code 2)"
    assert f"{told}. The last lines of " in said
    assert said.splitlines()[-1].startswith(f"mailtumble: {told}: mailtumble: {rules} is not TOML")


@pytest.mark.parametrize(
    ("name", "number", "code"),
    [("aws", signal.SIGINT, 130), ("core", signal.SIGINT, 130), ("core", signal.SIGTERM, 143)],
)
def test_a_signal_during_the_start_ends_everything(
    begin: Callable[..., Start], tmp_path: Path, name: str, number: int, code: int
) -> None:
    """The process that is waited for can't become ready, nor end by itself."""
    start = begin()
    os.kill(start.await_child(name), signal.SIGSTOP)
    time.sleep(0.5)
    children = start.children()
    os.killpg(start.process.pid, number)
    assert start.end()[0] == code
    said = start.end()[1]
    assert "Interrupted during the start" in said
    assert "Traceback" not in said
    assert_all_ended(children)
    assert not (tmp_path / ".mailtumble" / "local.json").exists()


def test_a_worker_that_stalls_for_a_while_is_waited_for(begin: Callable[..., Start]) -> None:
    """The stack becomes ready once the worker goes on, and says meanwhile whom it waits for."""
    start = begin()
    core = start.await_child("core")
    os.kill(core, signal.SIGSTOP)
    deadline = time.monotonic() + BEGINS_WITHIN_S
    while not any("Waiting for core to start: " in line for _, line in start.lines):
        assert time.monotonic() < deadline, start.lines
        time.sleep(0.1)
    assert not any(line.startswith("ready") for _, line in start.lines)
    os.kill(core, signal.SIGCONT)
    while not any(line.startswith("ready") for _, line in start.lines):
        assert time.monotonic() < deadline, start.lines
        time.sleep(0.1)
    os.killpg(start.process.pid, signal.SIGINT)
    assert start.end()[0] == 0
