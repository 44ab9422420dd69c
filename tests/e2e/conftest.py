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
from contextlib import ExitStack, contextmanager
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
PATIENCE_S = 600
"""How long tests wait for a condition: what takes seconds takes minutes on a busy machine."""
STOPS_WITHIN_S = 120


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
            timeout=PATIENCE_S,
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
        with urllib.request.urlopen(self.state["ses_url"] + path, timeout=60) as answer:  # noqa: S310
            data: bytes = answer.read()
        return data

    def change_ses(self, **settings: object) -> None:
        """Change how the local SES behaves."""
        url, data = self.state["ses_url"] + "/_local/settings", json.dumps(settings).encode()
        with urllib.request.urlopen(url, data, timeout=60):  # noqa: S310
            pass

    def sent(self, domain: str = "") -> list[dict[str, Any]]:
        """Return what the local SES has accepted, the oldest first.

        Args:
            domain: only messages to the aliases of this domain.
        """
        entries: list[dict[str, Any]] = json.loads(self.ses("/_local/sent"))
        if not domain:
            return entries
        mails = {str(item["mail_id"]) for item in self._shown(domain)}
        return [each for each in entries if each["tags"]["mailtumble-mail"] in mails]

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

    def await_ended(self, count: int, domain: str = "") -> list[dict[str, Any]]:
        """Wait until this many messages have ended, and return the list of messages.

        Args:
            count: how many there are, ended or not.
            domain: only messages to the aliases of this domain.
        """
        deadline = time.monotonic() + PATIENCE_S
        while True:
            statuses = [str(item["status"]) for item in self._shown(domain)]
            if len(statuses) == count and ENDED.issuperset(statuses):
                break
            assert time.monotonic() < deadline, statuses
            time.sleep(0.5)
        mails: list[dict[str, Any]] = self.json("mail", "list")
        return [each for each in mails if str(each["recipient"]).endswith(domain)]

    def _shown(self, domain: str) -> list[Mapping[str, Any]]:
        """Return the items of the messages to aliases of a domain; of all if it is empty."""
        items = self.items.scan("mails")
        return [each for each in items if str(each.get("recipient", "")).endswith(domain)]

    def await_status(
        self, mail: str, *statuses: str, within_s: float = PATIENCE_S
    ) -> dict[str, Any]:
        """Wait until a message has one of these statuses, and return its item."""
        deadline = time.monotonic() + within_s
        while True:
            item = dict(self.items.get("mails", {"mail_key": f"g1#{mail}"}) or {})
            if item.get("status") in statuses:
                return item
            assert time.monotonic() < deadline, item
            time.sleep(0.3)

    def inject(self, file: Path, recipient: str, sender: str = "jane@example.com") -> str:
        """Take a message in without SMTP, and return its id."""
        told = self.json("local", "inject", str(file), "--from", sender, "--to", recipient)
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


@contextmanager
def running_stack(
    folder: Path, *options: str, environment: Mapping[str, str] | None = None
) -> Iterator[Stack]:
    """Start a local stack in a folder, and stop it at the end of the block.

    Args:
        folder: its working folder.
        options: more options of ``mailtumble local``.
        environment: more variables.
    """
    command = ["local", "--smtp-port", "0", "--same-priority", *options]
    process = subprocess.Popen(
        [sys.executable, "-m", "mailtumble.cli", *command],
        cwd=folder,
        env=clean_environment(environment or {}),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # with its children a group, as a terminal makes one
    )
    stack = Stack(folder, process)
    try:
        _await_ready(process)
        yield stack
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(STOPS_WITHIN_S)
        stack.close()


@pytest.fixture
def start_stack(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Start local stacks with options; they are stopped at the end of the test."""
    with ExitStack() as running:

        def start(*options: str, environment: Mapping[str, str] | None = None) -> Stack:
            started = running_stack(tmp_path, *options, environment=environment)
            return running.enter_context(started)

        yield start


@pytest.fixture(scope="session")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run one local stack for all tests that need no special one.

    Each test has alias domains and, where bounces count, senders of its own, and leaves nothing
    paused. Tests that share it run one after the other.
    """
    folder = tmp_path_factory.mktemp("shared")
    with running_stack(folder, "--rate", "100", "--daily-quota", "-1") as stack:
        yield stack
