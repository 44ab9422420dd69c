"""Workers as a user starts them, under the KCL or embedded, on a MiniStack of their own."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mailtumble.aws.clients import Clients
from mailtumble.aws.dynamodb import DynamoItems
from mailtumble.aws.kinesis import KinesisStream
from mailtumble.intake.notification import Arrival
from mailtumble.local.bootstrap import create_resources
from mailtumble.local.ministack import REGION, MiniStack
from mailtumble.worker.records import outgoing
from schemas.codec import decode
from schemas.envelope import EventEnvelope
from schemas.values import Verdicts

PREFIX: Final = "mailtumble"
ALIAS: Final = "info@house.example"
SHARDS: Final = 4
FAILOVER_MS: Final = 1000
ROOT: Final = Path(__file__).resolve().parents[3]
ENDS_WITHIN_S: Final = 120
RAW: Final = b"From: Jane <jane@example.com>\r\nSubject: hello\r\n\r\nhello\r\n"
LEASES: Final = f"{PREFIX}-kcl-core-g1"


@dataclass
class Worker:
    """A supervisor, its daemon and its children."""

    name: str
    process: subprocess.Popen[bytes]
    status: Path
    log: Path
    started_at: float = field(default_factory=time.monotonic)

    def daemon(self) -> int:
        """The JVM's process."""
        (pid,) = children_of(self.process.pid)
        return pid

    def everybody(self) -> list[int]:
        """Supervisor, daemon, children; an embedded worker is alone."""
        daemons = children_of(self.process.pid)
        return [self.process.pid, *daemons, *(pid for each in daemons for pid in children_of(each))]

    def signal_all(self, number: signal.Signals) -> None:
        """A signal to each of them."""
        for pid in self.everybody():
            os.kill(pid, number)

    def ask(self, path: str) -> tuple[int, str]:
        """A page of its: status and text."""
        port = json.loads(self.status.read_text(encoding="utf-8"))["web_port"]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def said(self) -> list[dict[str, Any]]:
        """Its log: every line is a JSON object."""
        text = self.log.read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]


class Fleet:
    """AWS, and the workers that share a stream."""

    def __init__(
        self, folder: Path, *, shards: int = SHARDS, endpoints: Mapping[str, str] | None = None
    ) -> None:
        """Start AWS and create everything; ``endpoints``: boto's variables for other servers."""
        self.folder = folder
        self.aws = MiniStack(folder / "ministack.log")
        self.aws.start()
        self.environment = {
            **os.environ,
            **self.aws.environment(),
            **(endpoints or {}),
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(folder),
            "MAILTUMBLE_POLL_INTERVAL_S": "0.25",
            "MAILTUMBLE_KCL_FAILOVER_MS": str(FAILOVER_MS),
        }
        self.workers: list[Worker] = []
        before = dict(os.environ)
        os.environ.update({**self.aws.environment(), **(endpoints or {})})
        try:
            self.clients = Clients(REGION)
            self.resources = create_resources(self.clients, PREFIX, shards=shards)
            for service in ("ses", "s3"):
                getattr(self.clients, service)
        finally:
            os.environ.clear()
            os.environ.update(before)
        self.items = DynamoItems(self.clients.dynamodb, PREFIX)
        self.stream = KinesisStream(self.clients.kinesis, f"{PREFIX}-events")
        self.told = 0

    def start(self, name: str, application: str = "core", host: str = "kcl") -> Worker:
        """Start a worker; ``name`` is its worker id under the KCL."""
        log, status = self.folder / f"{name}.log", self.folder / f"{name}.json"
        command = ["worker", application, "--host", host, "--status-file", str(status)]
        with log.open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "mailtumble.cli", *command],
                env={**self.environment, "MAILTUMBLE_KCL_WORKER_ID": name},
                cwd=self.folder,
                stdout=out,
                stderr=out,
            )
        worker = Worker(name, process, status, log)
        self.workers.append(worker)
        return worker

    def call(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "mailtumble.cli", *arguments],
            env={**self.environment, **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def tell(self, count: int, alias: str = ALIAS) -> None:
        """So many more mails come in, as intake would write them."""
        now = time.time_ns() // 1000
        facts = [_arrival(self.told + number, now, alias) for number in range(count)]
        self.stream.append([outgoing(fact, now) for fact in facts])
        self.told += count

    def store_raw(self, count: int) -> None:
        """The bytes of the next mails, where SES puts them; SES knows who sends them on."""
        domain = ALIAS.rpartition("@")[2]
        self.clients.ses.create_email_identity(EmailIdentity=domain)
        self.clients.ses.create_configuration_set(ConfigurationSetName=PREFIX)
        for number in range(self.told, self.told + count):
            self.clients.s3.put_object(
                Bucket=f"{PREFIX}-mail", Key=f"inbound/{_name(number)}", Body=RAW
            )

    def statuses(self) -> set[str]:
        """Where the mails stand."""
        return {str(item["status"]) for item in self.items.scan("mails")}

    def shown(self) -> int:
        """How many mails the projections have."""
        return len(self.items.scan("mails"))

    def records(self) -> list[EventEnvelope]:
        """Everything on the stream."""
        return [record for records in self.by_shard().values() for record in records]

    def by_shard(self) -> dict[str, list[EventEnvelope]]:
        """Everything on the stream, parents first."""
        found: dict[str, list[EventEnvelope]] = {}
        for shard in self.stream.shards():
            mine = found[shard.id] = []
            reader = self.stream.reader(shard.id, after=None)
            while batch := reader.read(1000).records:
                mine += [decode(each.data) for each in batch]
        return found

    def owners(self) -> dict[str, str]:
        """Who holds which lease."""
        try:
            answer = self.clients.dynamodb.scan(TableName=LEASES, ConsistentRead=True)
        except self.clients.dynamodb.exceptions.ResourceNotFoundException:
            return {}
        return {
            item["leaseKey"]["S"]: item.get("leaseOwner", {}).get("S", "")
            for item in answer["Items"]
        }

    def until(self, holds: Callable[[], object], within_s: float) -> float:
        """Wait for a condition; how long that took."""
        began = time.monotonic()
        while not holds():
            took = time.monotonic() - began
            assert took < within_s, (self.owners(), self.shown(), self.told)
            time.sleep(0.05)
        return time.monotonic() - began

    def settled(self, within_s: float = 30) -> None:
        """Every mail is shown, and the projections are the stream's, each effect once."""
        self.until(lambda: self.shown() == self.told, within_s)

        def equal() -> bool:
            done = self.call("verify", "--json")
            told = json.loads(done.stdout)
            assert told["sum"]["received"] == self.told, told
            return done.returncode == 0 and not told.get("waiting")

        self.until(equal, within_s)

    def close(self) -> None:
        """End everybody, and AWS."""
        self.stop()
        self.clients.close()
        self.aws.stop()

    def stop(self) -> None:
        """End every worker."""
        for worker in self.workers:
            if worker.process.poll() is None:
                for pid in reversed(worker.everybody()):
                    os.kill(pid, signal.SIGCONT)
                worker.process.terminate()
        for worker in self.workers:
            try:
                worker.process.wait(ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()


def children_of(pid: int) -> list[int]:
    """The processes that a process has started and that live."""
    text = Path(f"/proc/{pid}/task").iterdir()
    found = [Path(task / "children").read_text(encoding="ascii").split() for task in text]
    return [int(child) for some in found for child in some]


def _arrival(number: int, now: int, alias: str) -> Any:  # noqa: ANN401 - a fact
    arrival = Arrival(
        ses_message_id=_name(number),
        envelope_sender="jane@example.com",
        recipients=(alias,),
        subject_line="hello",
        received_at=now,
        bucket=f"{PREFIX}-mail",
        object_key=f"inbound/{_name(number)}",
        verdicts=Verdicts(spam="PASS", virus="PASS", spf="PASS", dkim="PASS", dmarc="PASS"),
    )
    (fact,) = arrival.facts(len(RAW), f"notifications/{_name(number)}.json")
    return fact


def _name(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()[:40]
