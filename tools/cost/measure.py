"""Runs the real workers on one machine, and counts what they are billed for."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mailtumble.definition import load_definition
from tools.aws_calls.recorder import read_calls, recording, summed

MAILS: Final = 200
MAIL_BYTES: Final = 20 * 1024
IDLE_S: Final = 30
ENDED_WITHIN_S: Final = 300
ARCHIVED_S: Final = 65
"""Above MAILTUMBLE_ARCHIVE_EVERY_S, so that the archive has written, too."""


def measure() -> dict[str, Any]:
    """Idle for a while, then mails; units by second and by mail."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        calls = folder / "calls"
        calls.mkdir()
        environment = {**os.environ, **recording(calls)}
        options = ("--smtp-port", "0", "--rate", "200", "--daily-quota", "-1")
        stack = _start(folder, environment, "local", *options)
        try:
            archive = _start(folder, environment, "worker", "archive")
            try:
                return _observe(folder, calls, environment)
            finally:
                _stop(archive)
        finally:
            _stop(stack)


def _observe(folder: Path, calls: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    _run(folder, environment, "aliases", "add", "info@house.example", "t@far.example")
    began = time.time()
    time.sleep(IDLE_S)
    idle_ends = time.time()
    state = json.loads((folder / ".mailtumble/local.json").read_text(encoding="utf-8"))
    _deliver(state["smtp_port"])
    deadline = time.monotonic() + ENDED_WITHIN_S
    while _completed(folder, environment) < MAILS:
        if time.monotonic() > deadline:
            raise SystemExit("the mails don't end: see the log of mailtumble local")
        time.sleep(2)
    time.sleep(ARCHIVED_S)
    ended = time.time()
    everything = list(read_calls(calls))
    idle = summed(call for call in everything if began < call.at <= idle_ends)
    work = summed(call for call in everything if idle_ends < call.at <= ended)
    return _told(idle, idle_ends - began, work, ended - idle_ends)


def _told(idle: Counter[str], idle_s: float, work: Counter[str], work_s: float) -> dict[str, Any]:
    """Of the work, what an idle fleet would have asked for in that time is no mail's."""
    by_second = {name: value / idle_s for name, value in idle.items()}
    names = sorted(set(work) | set(idle))
    by_mail = {
        name: max(0.0, (work[name] - by_second.get(name, 0) * work_s) / MAILS) for name in names
    }
    return {
        "mails": MAILS,
        "mail_bytes": MAIL_BYTES,
        "shards": load_definition().stream.local_shards,
        "by_mail": {name: round(value, 3) for name, value in by_mail.items()},
        "idle_by_second": {name: round(by_second.get(name, 0), 3) for name in names},
    }


def _deliver(port: int) -> None:
    header = b"From: Jane <jane@example.com>\r\nSubject: hello\r\n\r\n"
    line = b"x" * 70 + b"\r\n"
    raw = header + line * ((MAIL_BYTES - len(header)) // len(line))
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as smtp:
        for _ in range(MAILS):
            smtp.sendmail("jane@example.com", ["info@house.example"], raw)


def _completed(folder: Path, environment: Mapping[str, str]) -> int:
    told = json.loads(_run(folder, environment, "mail", "list", "--limit", str(MAILS), "--json"))
    return sum(each["status"] == "completed" for each in told)


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "mailtumble.cli", *arguments]


def _start(folder: Path, environment: Mapping[str, str], *arguments: str) -> subprocess.Popen[str]:
    """Start it, and wait for what it says once it is ready."""
    process = subprocess.Popen(
        _command(*arguments),
        cwd=folder,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None  # noqa: S101 - it was asked for
    if arguments[0] == "local":
        for text in process.stdout:
            if text.startswith("ready"):
                break
    return process


def _run(folder: Path, environment: Mapping[str, str], *arguments: str) -> str:
    done = subprocess.run(
        _command(*arguments),
        cwd=folder,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def _stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    if process.stdout is not None:
        process.stdout.close()
