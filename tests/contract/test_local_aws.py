"""MiniStack as a child process, and the resources created in it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mailtumble.aws.clients import Clients
from mailtumble.aws.sqs import SqsQueue
from mailtumble.definition import load_definition
from mailtumble.local.bootstrap import Resources, create_resources
from mailtumble.local.ministack import HOST, MiniStack
from mailtumble.local.ministack_server import at_most_every
from schemas.errors import RetryableError

pytestmark = pytest.mark.servers

PARENT = """
import sys, time
from pathlib import Path
from mailtumble.local.ministack import MiniStack
aws = MiniStack(Path(sys.argv[1]))
aws.start()
print(aws.port, flush=True)
time.sleep(600)
"""


def _listens(host: str, port: int) -> bool:
    with socket.socket() as probing:
        return probing.connect_ex((host, port)) == 0


def _own_address() -> str:
    """An address of this machine that is not loopback's (nothing is sent by a UDP connect)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probing:
        try:
            probing.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.2"
        address: str = probing.getsockname()[0]
        return address


def test_it_listens_on_loopback_alone_and_is_gone_after_its_stop(tmp_path: Path) -> None:
    """Its own default is every interface, for everybody on the net."""
    with MiniStack(tmp_path / "log") as aws:
        assert aws.is_healthy()
        assert _listens(HOST, aws.port)
        assert not _listens(_own_address(), aws.port)
    assert not aws.is_healthy()
    assert not _listens(HOST, aws.port)


def test_a_start_that_fails_names_the_log(tmp_path: Path) -> None:
    """The port is taken by somebody who doesn't answer."""
    with socket.create_server((HOST, 0)) as taken:
        aws = MiniStack(tmp_path / "log", port=taken.getsockname()[1])
        with pytest.raises(RetryableError, match="log"):
            aws.start()
    assert "already in use" in (tmp_path / "log").read_text()


def test_it_does_not_outlive_a_parent_that_was_killed(tmp_path: Path) -> None:
    """Not even kill -9 leaves it behind."""
    packages = str(Path(__file__).resolve().parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "log")],
        env={**os.environ, "PYTHONPATH": packages},
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline())
        assert _listens(HOST, port)
        parent.send_signal(signal.SIGKILL)
    for _ in range(600):
        if not _listens(HOST, port):
            break
        time.sleep(0.05)
    assert not _listens(HOST, port)


def test_expiry_runs_at_most_once_in_a_while() -> None:
    """Calls that come too soon do nothing."""
    now = [0.0]
    ran: list[int] = []
    wrapped = at_most_every(60, ran.append, monotonic=lambda: now[0])
    for second in (0, 1, 59, 60, 61, 119, 121):
        now[0] = second
        wrapped(second)
    assert ran == [0, 60, 121]


def test_creating_again_changes_nothing(clients: Clients, resources: Resources) -> None:
    """Every part may be there already."""
    assert create_resources(clients, "contract") == resources


def test_everything_the_definition_names_is_there(clients: Clients, resources: Resources) -> None:
    """With keys, indexes, expiry, shards and retention."""
    defined = load_definition()
    for table in defined.tables:
        physical = f"contract-{table.name}"
        told = clients.dynamodb.describe_table(TableName=physical)["Table"]
        keys = [key.name for key in (table.partition_key, table.sort_key) if key is not None]
        assert [key["AttributeName"] for key in told["KeySchema"]] == keys
        indexes = [index["IndexName"] for index in told.get("GlobalSecondaryIndexes", ())]
        assert indexes == [index.name for index in table.indexes]
        expiry = clients.dynamodb.describe_time_to_live(TableName=physical)
        assert expiry["TimeToLiveDescription"].get("AttributeName") == table.ttl
    stream = clients.kinesis.describe_stream_summary(StreamName=resources.stream)
    summary = stream["StreamDescriptionSummary"]
    assert summary["OpenShardCount"] == defined.stream.local_shards
    assert summary["RetentionPeriodHours"] == defined.stream.retention_hours
    clients.s3.head_bucket(Bucket=resources.buckets["mail"])


def test_a_queue_tells_where_its_topics_are(clients: Clients, resources: Resources) -> None:
    """Intake takes the topics' partition, region and account from its queue's ARN."""
    queue = SqsQueue(clients.sqs, resources.queue_urls["intake"])
    for name, topic in resources.topic_arns.items():
        place, _, physical = queue.arn().rpartition(":")
        assert physical == "contract-intake"
        assert topic == f"{place.replace(':sqs:', ':sns:')}:contract-{name}"


def test_what_a_topic_is_told_arrives_in_the_queue(clients: Clients, resources: Resources) -> None:
    """Once from either topic, in SNS's wrapping; the queue sends aside what is never deleted."""
    queue = SqsQueue(clients.sqs, resources.queue_urls["intake"])
    for name in ("inbound", "feedback"):
        clients.sns.publish(TopicArn=resources.topic_arns[name], Message=f"about {name}")
    bodies: list[str] = []
    while len(bodies) < 2:
        found = queue.receive(5)
        queue.delete(found)
        bodies += [json.loads(message.body)["Message"] for message in found]
    assert sorted(bodies) == ["about feedback", "about inbound"]
    assert list(queue.receive(0)) == []
    told = clients.sqs.get_queue_attributes(
        QueueUrl=resources.queue_urls["intake"], AttributeNames=["All"]
    )["Attributes"]
    assert json.loads(told["RedrivePolicy"])["maxReceiveCount"] == 5
    assert told["VisibilityTimeout"] == "60"
