"""The start of a local stack waits for progress, not for a fixed time."""

# ruff: noqa: D103 - the names of these tests are sentences

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailtumble.local import startup
from mailtumble.local.startup import Starting, StartInterrupted, Startup
from schemas.errors import RetryableError

pytestmark = pytest.mark.programs

Start = Callable[[str], Starting]

BUSY = "while True: pass"
ASLEEP = "import time; time.sleep(600)"
CHATTY = """
import time
while True:
    print("one more line", flush=True)
    time.sleep(0.05)
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a Python program as a process of the stack."""
    running: list[subprocess.Popen[bytes]] = []

    def start_program(program: str) -> Starting:
        path = tmp_path / "core.log"
        with path.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", program], stdout=log, stderr=subprocess.STDOUT
            )
        running.append(process)
        return Starting("core", process, path)

    yield start_program
    for process in running:
        process.kill()
        process.wait()


def wait(starting: Startup, is_ready: Callable[[], bool] = lambda: False) -> None:
    starting.wait_until(is_ready, "to start", lambda: ["core"])


def test_a_process_that_ends_is_named_within_5_s_with_its_last_lines(start: Start) -> None:
    said: list[str] = []
    starting = Startup(said.append)
    started = start("import sys; print('listening'); print(); sys.exit('no such table')")
    starting.add(started)
    started.process.wait()
    ended_at = time.monotonic()
    with pytest.raises(RetryableError, match=r"core ended .* \(exit code 1\): no such table"):
        wait(starting)
    assert time.monotonic() - ended_at < 5
    assert said == [
        f"core ended during the start (exit code 1). The last lines of {started.log}:",
        "  listening",
        "  no such table",
    ]


def test_a_process_that_was_killed_in_silence_is_named_with_its_log(start: Start) -> None:
    said: list[str] = []
    starting = Startup(said.append)
    started = start(ASLEEP)
    starting.add(started)
    started.process.kill()
    with pytest.raises(RetryableError, match=r"core ended during the start \(signal 9\); see "):
        wait(starting)
    told = f"core ended during the start (signal 9). It wrote nothing to {started.log}."
    assert said == [told]


def test_lines_of_earlier_processes_are_not_shown(start: Start, tmp_path: Path) -> None:
    earlier = b"a line of yesterday\n"
    (tmp_path / "core.log").write_bytes(earlier)
    said: list[str] = []
    starting = Startup(said.append)
    started = start("import sys; sys.exit('of today')")
    starting.add(Starting("core", started.process, started.log, len(earlier)))
    with pytest.raises(RetryableError, match="of today"):
        wait(starting)
    assert said[1:] == ["  of today"]


def test_a_process_that_the_wait_is_not_for_ends_the_start_too(start: Start) -> None:
    starting = Startup()
    starting.add(start("import sys; sys.exit('out of memory')"))
    with pytest.raises(RetryableError, match="out of memory"):
        starting.wait_until(lambda: False, "to start", lambda: ["sender"])


@pytest.mark.parametrize("program", [BUSY, CHATTY])
@pytest.mark.skipif(sys.platform != "linux", reason="reads CPU times from /proc")
def test_a_slow_start_that_makes_progress_is_waited_for(start: Start, program: str) -> None:
    """Many times longer than a process without progress is; the person who waits hears of it."""
    said: list[str] = []
    starting = Startup(said.append, idle_limit_s=2.0, first_note_s=0.5)
    starting.add(start(program))
    began = time.monotonic()
    wait(starting, lambda: time.monotonic() - began > 8)
    assert len(said) == 1  # the next one is due after NOTE_EVERY_S
    assert said[0].startswith("Waiting for core to start: ")
    assert said[0].endswith(" s of CPU time used.")


def test_a_start_without_any_progress_is_given_up(start: Start) -> None:
    starting = Startup(idle_limit_s=1.5)
    started = start(ASLEEP)
    starting.add(started)
    with pytest.raises(RetryableError, match="gave up waiting for core to start: no CPU time"):
        wait(starting)
    assert started.process.poll() is None


def test_a_start_that_only_loops_is_given_up_in_the_end(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(startup, "START_LIMIT_S", 1.0)
    starting = Startup()
    starting.add(start(CHATTY))
    with pytest.raises(RetryableError, match="gave up waiting for core to start: not ready after"):
        wait(starting)


def test_a_start_can_be_interrupted(start: Start) -> None:
    stop = threading.Event()
    starting = Startup(interrupted=stop.is_set)
    starting.add(start(ASLEEP))
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(StartInterrupted):
        wait(starting)


def test_time_during_which_nobody_ran_counts_as_one_look(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After Ctrl-Z and fg the clock has moved on, but no process could make progress meanwhile."""
    starting = Startup()
    starting.add(start(ASLEEP))
    real, looks = time.monotonic, 0

    def jumping() -> float:
        nonlocal looks
        looks += 1
        return real() + 100.0 * looks

    monkeypatch.setattr(startup.time, "monotonic", jumping)
    monkeypatch.setattr(startup, "START_LIMIT_S", float("inf"))
    looked = 0

    def ready_after_five_looks() -> bool:
        nonlocal looked
        looked += 1
        return looked > 5

    wait(starting, ready_after_five_looks)


@pytest.mark.skipif(sys.platform != "linux", reason="reads CPU times from /proc")
def test_cpu_time_is_read() -> None:
    before = startup.cpu_seconds(os.getpid())
    while startup.cpu_seconds(os.getpid()) == before:
        sum(range(10_000))
    assert startup.cpu_seconds(os.getpid()) > before >= 0
