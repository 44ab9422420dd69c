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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import pytest

from mailtumble.aws.dynamodb import DynamoItems
from schemas.ids import mail_id
from schemas.values import ENDED

PREFIX = "mailtumble"
STOPS_WITHIN_S = 30


@dataclass
class Stack:
    """A running local stack, used through its command line; tests look behind it with boto3."""

    folder: Path
    process: subprocess.Popen[str]
    _clients: list[Any] = field(default_factory=list)

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command in the stack's folder, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "mailtumble.cli", *arguments],
            cwd=self.folder,
            env=clean_environment({}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def run(self, *arguments: str) -> str:
        """A command that succeeds; what it prints."""
        done = self.call(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def json(self, *arguments: str) -> Any:  # noqa: ANN401 - whatever the command prints
        """A command's JSON."""
        return json.loads(self.run(*arguments, "--json"))

    def pids(self) -> dict[str, int]:
        """The processes that run, as ``local status`` tells them."""
        rows = self.json("local", "status")
        return {row["name"]: row["pid"] for row in rows if row["state"] == "running"}

    @property
    def state(self) -> dict[str, Any]:
        """What the stack wrote down for commands."""
        text = (self.folder / ".mailtumble" / "local.json").read_text(encoding="utf-8")
        state: dict[str, Any] = json.loads(text)
        return state

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes the classes at run time
        """A boto3 client of the stack's AWS."""
        told = self.state["environment"]
        made = boto3.client(
            service,
            endpoint_url=told["AWS_ENDPOINT_URL"],
            region_name=told["AWS_REGION"],
            aws_access_key_id=told["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=told["AWS_SECRET_ACCESS_KEY"],
        )
        self._clients.append(made)
        return made

    @cached_property
    def items(self) -> DynamoItems:
        """The stack's tables."""
        return DynamoItems(self.client("dynamodb"), PREFIX)

    def ses(self, path: str) -> bytes:
        """Ask the local SES."""
        with urllib.request.urlopen(self.state["ses_url"] + path, timeout=30) as answer:  # noqa: S310
            data: bytes = answer.read()
        return data

    def change_ses(self, **settings: object) -> None:
        """Change how the local SES behaves."""
        url, data = self.state["ses_url"] + "/_local/settings", json.dumps(settings).encode()
        with urllib.request.urlopen(url, data, timeout=30):  # noqa: S310
            pass

    def sent(self) -> list[dict[str, Any]]:
        """What the local SES has accepted, the oldest first."""
        entries: list[dict[str, Any]] = json.loads(self.ses("/_local/sent"))
        return entries

    def stats(self) -> dict[str, int]:
        """The local SES's counters."""
        counters: dict[str, int] = json.loads(self.ses("/_local/stats"))
        return counters

    def deliver(self, mails: Sequence[tuple[str, bytes]]) -> None:
        """Send mails in by SMTP, one connection for all."""
        with smtplib.SMTP("127.0.0.1", self.state["smtp_port"], timeout=60) as smtp:
            for recipient, raw in mails:
                smtp.sendmail("jane@example.com", [recipient], raw)

    def stored(self, recipients: Sequence[str]) -> dict[str, bytes]:
        """The S3 objects of all mails to these recipients, by mail id."""
        s3, bucket = self.client("s3"), self.state["resources"]["bucket"]
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="inbound/")
        keys = [each["Key"] for page in pages for each in page.get("Contents", ())]
        found: dict[str, bytes] = {}
        for key in keys:
            raw = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            ses_id = key.removeprefix("inbound/")
            found.update({mail_id(ses_id, recipient): raw for recipient in recipients})
        return found

    def await_ended(self, count: int, within_s: float) -> list[dict[str, Any]]:
        """Wait until so many mails have ended; the list of mails."""
        deadline = time.monotonic() + within_s
        while True:
            statuses = [str(item["status"]) for item in self.items.scan("mails")]
            if len(statuses) == count and ENDED.issuperset(statuses):
                break
            assert time.monotonic() < deadline, statuses
            time.sleep(1)
        mails: list[dict[str, Any]] = self.json("mail", "list")
        return mails

    def await_status(self, mail: str, *statuses: str, within_s: float = 600) -> dict[str, Any]:
        """Wait until a mail stands so; its item."""
        deadline = time.monotonic() + within_s
        while True:
            item = dict(self.items.get("mails", {"mail_key": f"g1#{mail}"}) or {})
            if item.get("status") in statuses:
                return item
            assert time.monotonic() < deadline, item
            time.sleep(0.3)

    def inject(self, file: Path, recipient: str) -> str:
        """Take a mail in past SMTP; its id."""
        told = self.json(
            "local", "inject", str(file), "--from", "jane@example.com", "--to", recipient
        )
        mail: str = told[0]["mails"][0]["mail_id"]
        return mail

    def close(self) -> None:
        """Let the connections and the pipe go."""
        for client in self._clients:
            client.close()
        if self.process.stdout is not None:
            self.process.stdout.close()


def clean_environment(more: Mapping[str, str]) -> dict[str, str]:
    """This process's, without what would lead to another AWS."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**own, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), **more}


def _await_ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("ready"):
            return
    raise AssertionError(f"the local stack ended with {process.wait()}")


@pytest.fixture
def start_stack(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Start local stacks with options; they are stopped at the end of the test."""
    started: list[Stack] = []

    def start(*options: str, environment: Mapping[str, str] | None = None) -> Stack:
        process = subprocess.Popen(
            [sys.executable, "-m", "mailtumble.cli", "local", "--smtp-port", "0", *options],
            cwd=tmp_path,
            env=clean_environment(environment or {}),
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # with its children a group, as a terminal makes one
        )
        started.append(Stack(tmp_path, process))
        _await_ready(process)
        return started[-1]

    yield start
    for stack in started:
        if stack.process.poll() is None:
            stack.process.send_signal(signal.SIGTERM)
            stack.process.wait(STOPS_WITHIN_S)
        stack.close()
