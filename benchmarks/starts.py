"""Measure how long `mailtumble local` takes to start on a busy machine.

The benchmark starts it again and again beside processes that only use the CPU, and prints the
seconds until it is ready. The exit code is 1 if a start fails or takes longer than the bound.

    python benchmarks/starts.py --starts 20 --busy 4 --within 90
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

BUSY: Final = "while True: pass"
GIVEN_UP_S: Final = 600.0
STOPPED_WITHIN_S: Final = 120.0


def main() -> int:
    """Run all starts; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--starts", type=int, default=20, help="how many starts (default: 20)")
    parser.add_argument(
        "--busy", type=int, default=4, help="how many busy loops run beside them (default: 4)"
    )
    parser.add_argument(
        "--within", type=float, default=90.0, help="the bound in seconds (default: 90)"
    )
    options = parser.parse_args()
    took: list[float | None] = []
    with busy_loops(options.busy):
        for number in range(1, options.starts + 1):
            seconds, said = start()
            took.append(seconds)
            load = os.getloadavg()[0]
            shown = "failed" if seconds is None else f"{seconds:.1f} s"
            print(f"start {number}: {shown} (load {load:.0f})", flush=True)
            if seconds is None:
                print(said, flush=True)
    ready = [each for each in took if each is not None]
    late = [each for each in ready if each > options.within]
    worst = f", the slowest after {max(ready):.1f} s" if ready else ""
    print(f"{len(ready)} of {len(took)} ready{worst}; bound {options.within:.0f} s")
    return 1 if late or len(ready) < len(took) else 0


@contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """Run this many processes that only use the CPU while the context is open."""
    loops = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]  # noqa: S603
    try:
        yield
    finally:
        for each in loops:
            each.kill()
            each.wait()


def start() -> tuple[float | None, str]:
    """Start the stack once and stop it; return the seconds until it was ready, and its output."""
    with tempfile.TemporaryDirectory(prefix="mailtumble-start-") as folder:
        output = Path(folder) / "output"
        command = [sys.executable, "-m", "mailtumble.cli", "local", "--smtp-port", "0"]
        with output.open("wb") as taken:
            began = time.monotonic()
            stack = subprocess.Popen(  # noqa: S603 - our own program
                command, cwd=folder, env=environment(), stdout=taken, stderr=taken
            )
        try:
            seconds = await_ready(stack, output, began)
        finally:
            stop(stack)
        return seconds, output.read_text(encoding="utf-8", errors="replace")


def await_ready(stack: subprocess.Popen[bytes], output: Path, began: float) -> float | None:
    """Return the seconds until the stack is ready, or None if it ends or takes far too long."""
    while time.monotonic() < began + GIVEN_UP_S:
        if any(line.startswith(b"ready") for line in lines(output)):
            return time.monotonic() - began
        if stack.poll() is not None:
            return None
        time.sleep(0.1)
    return None


def lines(output: Path) -> Sequence[bytes]:
    """Return what has been printed so far."""
    return output.read_bytes().splitlines()


def stop(stack: subprocess.Popen[bytes]) -> None:
    """Stop the stack with SIGTERM, or kill it if it does not exit in time."""
    if stack.poll() is None:
        stack.send_signal(signal.SIGTERM)
    try:
        stack.wait(STOPPED_WITHIN_S)
    except subprocess.TimeoutExpired:
        stack.kill()
        stack.wait()


def environment() -> dict[str, str]:
    """Return the environment of this process without the variables that select another AWS."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**own, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}


if __name__ == "__main__":
    sys.exit(main())
