"""A local stack as a user starts it, in a folder of its own, on free ports."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ENDED = {"parked", "expired", "rejected", "unroutable", "bounced", "completed"}


@dataclass
class Stack:
    """A running local stack, used through its command line."""

    folder: Path
    process: subprocess.Popen[str]

    def run(self, *arguments: str) -> str:
        """A command in the stack's folder; what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "mailtumble.cli", *arguments],
            cwd=self.folder,
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *arguments: str) -> Any:  # noqa: ANN401 - whatever the command prints
        """A command's JSON."""
        return json.loads(self.run(*arguments, "--json"))

    @property
    def state(self) -> dict[str, Any]:
        """What the stack wrote down for commands."""
        text = (self.folder / ".mailtumble" / "local.json").read_text(encoding="utf-8")
        state: dict[str, Any] = json.loads(text)
        return state

    def ses(self, path: str) -> bytes:
        """Ask the local SES."""
        with urllib.request.urlopen(self.state["ses_url"] + path, timeout=10) as answer:  # noqa: S310
            data: bytes = answer.read()
        return data

    def deliver(self, mails: list[tuple[str, bytes]]) -> None:
        """Send mails in by SMTP, one connection for all."""
        with smtplib.SMTP("127.0.0.1", self.state["smtp_port"], timeout=30) as smtp:
            for recipient, raw in mails:
                smtp.sendmail("jane@example.com", [recipient], raw)

    def await_ended(self, count: int, within_s: float) -> list[dict[str, Any]]:
        """Wait until so many mails have ended; the list of mails."""
        deadline = time.monotonic() + within_s
        while True:
            mails: list[dict[str, Any]] = self.json("mail", "list")
            if len(mails) == count and all(mail["status"] in ENDED for mail in mails):
                return mails
            assert time.monotonic() < deadline, [mail["status"] for mail in mails]
            time.sleep(0.5)


def _environment() -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**own, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}


@pytest.fixture
def start_stack(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Start local stacks with options; they are stopped at the end of the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> Stack:
        process = subprocess.Popen(
            [sys.executable, "-m", "mailtumble.cli", "local", "--smtp-port", "0", *options],
            cwd=tmp_path,
            env=_environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("ready"):
                return Stack(tmp_path, process)
        raise AssertionError(f"the local stack ended with {process.wait()}")

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        if process.stdout is not None:
            process.stdout.close()
