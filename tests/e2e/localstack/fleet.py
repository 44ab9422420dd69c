"""The workers on what Terraform made: core and sender under the KCL, intake, and mail for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from mailtumble.aws.dynamodb import DynamoItems
from mailtumble.local.ses.identifiers import inbound_message_id
from mailtumble.local.ses.notification import ReceiptContext, received_notification
from schemas.codec import decode
from schemas.envelope import EventEnvelope
from schemas.events import DeliveryConfirmed, Event, SendAccepted, SendUnknown
from schemas.values import ENDED
from tests.e2e.kcl import fleet as kcl
from tests.e2e.localstack.deployment import Deployment
from tests.e2e.mails import HOUSE

OBJECT_PREFIX: Final = "inbound/"
APPLICATIONS: Final = {"core": "core-g1", "sender": "sender-0"}
WITHIN_S: Final = 600
"""For whatever is waited for: LocalStack commits 740 items a second, on an idle machine."""
POLL_S: Final = 1.0
TUNED: Final = {
    "MAILTUMBLE_POLL_INTERVAL_S": "0.25",
    # LocalStack's answers take their time.
    "MAILTUMBLE_LOOKUP_TIMEOUT_S": "10",
    "MAILTUMBLE_CALL_TIMEOUT_S": "10",
    # A send of unknown outcome is decided while the test waits.
    "MAILTUMBLE_UNKNOWN_WAIT_S": "15",
}


class Fleet(kcl.Fleet):
    """The KCL's fleet, on LocalStack; every client of its own is localstack-client's."""

    def __init__(self, folder: Path, deployment: Deployment) -> None:
        """No worker runs yet. Settings are Terraform's outputs."""
        # Not the parent's: that one starts a MiniStack.
        outputs = deployment.outputs()
        client = deployment.client
        self.folder = folder
        self.deployment = deployment
        self.bucket = outputs["buckets"]["mail"]
        self.topic = outputs["topic_arns"]["inbound"]
        self.environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("AWS_")},
            **outputs["settings"],
            **TUNED,
            "PYTHONPATH": str(kcl.ROOT),
            "TMPDIR": str(folder),
        }
        self.workers: list[kcl.Worker] = []
        self.clients = SimpleNamespace(dynamodb=client("dynamodb"), close=deployment.close)
        self.items = DynamoItems(client("dynamodb"), outputs["settings"]["MAILTUMBLE_PREFIX"])
        self.stream_name = outputs["stream"]
        self._read: dict[str, str] = {}
        self._records: list[EventEnvelope] = []
        self.aws = SimpleNamespace(stop=lambda: None)
        self.bodies: dict[str, bytes] = {}
        self.told = 0

    def until(self, holds: Callable[[], object], within_s: float) -> float:
        """Wait for a condition, with few questions: LocalStack has enough to do."""
        began = time.monotonic()
        while not holds():
            took = time.monotonic() - began
            assert took < within_s, (self.owners_in("core"), self.owners_in("sender"), self.told)
            time.sleep(POLL_S)
        return time.monotonic() - began

    def start_intake(self) -> None:
        """Intake needs no KCL: it reads a queue."""
        log, status = self.folder / "intake.log", self.folder / "intake.json"
        with log.open("ab") as out:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "mailtumble.cli", "worker", "intake"),
                    *("--status-file", str(status)),
                ],
                env=self.environment,
                cwd=self.folder,
                stdout=out,
                stderr=out,
            )
        self.workers.append(_Alone("intake", process, status, log))

    def receive(self, count: int) -> None:
        """So many more mails, as SES brings them: the bytes to S3, then word to the topic."""
        for _ in range(count):
            name = inbound_message_id()
            recipient = list(HOUSE)[self.told % len(HOUSE)]
            body = f"mail {self.told}: {name}, grüße\r\n".encode()
            raw = b"From: Jane <jane@example.com>\r\nTo: %s\r\nSubject: hello\r\n\r\n%s" % (
                recipient.encode(),
                body,
            )
            receipt = ReceiptContext(
                message_id=name,
                envelope_sender="jane@example.com",
                recipients=[recipient],
                received_at=datetime.now(UTC),
                processing_time_ms=150,
                topic_arn=self.topic,
                bucket=self.bucket,
                object_prefix=OBJECT_PREFIX,
            )
            self.deployment.client("s3").put_object(
                Bucket=self.bucket, Key=OBJECT_PREFIX + name, Body=raw
            )
            self.deployment.client("sns").publish(
                TopicArn=self.topic,
                Subject="Amazon SES Email Receipt Notification",
                Message=received_notification(raw, receipt),
            )
            self.bodies[name] = body
            self.told += 1

    def targets(self) -> int:
        """How many messages have to go out for the mails so far."""
        return sum(len(list(HOUSE.values())[number % len(HOUSE)]) for number in range(self.told))

    def settled(self, within_s: float = WITHIN_S) -> None:
        """Every mail has ended, and the projections are the stream's, each effect once."""
        self.until(self.has_ended, within_s)
        self.until(self._is_clean, within_s)

    def _is_clean(self) -> bool:
        done = self.call("verify", "--json")
        told = json.loads(done.stdout)
        assert told["sum"]["received"] == self.targets(), told
        return done.returncode == 0 and not (told["waiting"] or told["moving"])

    def sent(self) -> list[dict[str, Any]]:
        """What LocalStack's SES has accepted."""
        url = f"{self.deployment.endpoint}/_aws/ses"
        with urllib.request.urlopen(url, timeout=120) as answer:  # noqa: S310 - our own server
            messages: list[dict[str, Any]] = json.loads(answer.read())["messages"]
        return messages

    def has_ended(self) -> bool:
        """Every mail so far is shown, and none is open."""
        items = self.items.scan("mails")
        return len(items) == self.told and {str(item["status"]) for item in items} <= ENDED

    def owners_in(self, application: str) -> dict[str, str]:
        """Who holds which lease of an application."""
        table = f"{kcl.PREFIX}-kcl-{APPLICATIONS[application]}"
        answer = self.clients.dynamodb.scan(TableName=table, ConsistentRead=True)
        return {
            item["leaseKey"]["S"]: item.get("leaseOwner", {}).get("S", "")
            for item in answer["Items"]
        }

    def share(self, application: str, *names: str) -> None:
        """Wait until these workers hold an application's leases, each some, and are at work."""
        self.until(
            lambda: (
                len(owners := self.owners_in(application)) == kcl.SHARDS
                and set(owners.values()) == set(names)
            ),
            WITHIN_S,
        )
        for worker in self.workers:
            if worker.name in names and worker.process.poll() is None:
                self.until(lambda w=worker: w.status.exists(), WITHIN_S)
                self.until(lambda w=worker: w.ask("/health")[0] == 200, WITHIN_S)

    def records(self) -> list[EventEnvelope]:
        """Everything on the stream; what was read before isn't read again."""
        kinesis = self.deployment.client("kinesis")
        for shard in kinesis.list_shards(StreamName=self.stream_name)["Shards"]:
            name = shard["ShardId"]
            place = (
                {
                    "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                    "StartingSequenceNumber": self._read[name],
                }
                if name in self._read
                else {"ShardIteratorType": "TRIM_HORIZON"}
            )
            iterator = kinesis.get_shard_iterator(
                StreamName=self.stream_name, ShardId=name, **place
            )["ShardIterator"]
            while (answer := kinesis.get_records(ShardIterator=iterator))["Records"]:
                self._records += [decode(each["Data"]) for each in answer["Records"]]
                self._read[name] = answer["Records"][-1]["SequenceNumber"]
                iterator = answer["NextShardIterator"]
        return self._records

    def events(self) -> list[Event]:
        """What is on the log of accepted, delivered and unknown sends, repeated records once."""
        records = {record.id: record for record in self.records()}
        kinds = (SendAccepted, DeliveryConfirmed, SendUnknown)
        return [
            event
            for record in records.values()
            for event in record.events
            if isinstance(event, kinds)
        ]


class _Alone(kcl.Worker):
    """A worker that is one process."""

    def everybody(self) -> list[int]:
        """Itself."""
        return [self.process.pid]
