"""The local SES as a process of its own, as ``mailtumble local`` starts it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from mailtumble.local.bootstrap import Resources

STARTS_WITHIN_S: Final = 300
STOPS_WITHIN_S: Final = 60


class LocalSes:
    """``with LocalSes(...) as ses:`` waits for it, and stops it at the end."""

    def __init__(
        self, folder: Path, resources: Resources, environment: Mapping[str, str], *, rate: int
    ) -> None:
        """Start it; ``rate``: mails a second."""
        self._port_file = folder / "ses.json"
        arguments = {
            "--smtp-port": 0,
            "--rate": rate,
            "--daily-quota": -1,
            "--bucket": resources.buckets["mail"],
            "--inbound-topic-arn": resources.topic_arns["inbound"],
            "--feedback-topic-arn": resources.topic_arns["feedback"],
            "--spool-dir": folder / "sent",
            "--port-file": self._port_file,
        }
        flat = [str(part) for pair in arguments.items() for part in pair]
        with (folder / "ses.log").open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "mailtumble.local.ses", *flat],
                env=dict(environment),
                cwd=folder,
                stdout=out,
                stderr=out,
            )
        self.endpoint = ""

    def __enter__(self) -> Self:
        """Wait until it listens."""
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not self._port_file.exists():
            assert self._process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        ports = json.loads(self._port_file.read_text(encoding="utf-8"))
        self.endpoint = f"http://127.0.0.1:{ports['api_port']}"
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

    def sent(self) -> list[dict[str, Any]]:
        """What it has accepted."""
        with urllib.request.urlopen(f"{self.endpoint}/_local/sent", timeout=30) as answer:  # noqa: S310
            entries: list[dict[str, Any]] = json.loads(answer.read())
        return entries
