"""``mailtumble local smtp`` beside an AWS that keeps receipt rules and receives nothing."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest

from mailtumble.local.ministack import REGION, MiniStack

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parents[5]
RAW = b"From: s@x.example\r\nSubject: hi\r\n\r\n.dot\r\n"


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[MiniStack]:
    """An emulator on loopback."""
    with MiniStack(tmp_path / "ministack.log") as made:
        yield made


def client(aws: MiniStack, service: str) -> Any:  # noqa: ANN401 - boto3 makes the classes
    """A client of it."""
    return boto3.client(
        service,
        endpoint_url=aws.endpoint,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def start(aws: MiniStack, folder: Path) -> subprocess.Popen[str]:
    """The command, at a free port."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.Popen(
        [sys.executable, "-m", "mailtumble.cli", "local", "smtp", "--port", "0"],
        env={**own, **aws.environment(), "PYTHONPATH": str(ROOT)},
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )


def port_of(process: subprocess.Popen[str]) -> int:
    """Where it listens, as its log tells."""
    assert process.stderr is not None
    for line in process.stderr:
        said = json.loads(line)["message"]
        if said.startswith("mail comes in by SMTP at 127.0.0.1:"):
            return int(said.rpartition(":")[2])
    raise AssertionError(process.wait())


def apply_rule(aws: MiniStack) -> str:
    """A bucket, a topic with a queue, and an active rule for one domain; the queue's URL."""
    with (
        closing(client(aws, "s3")) as s3,
        closing(client(aws, "sns")) as sns,
        closing(client(aws, "sqs")) as sqs,
        closing(client(aws, "ses")) as ses,
    ):
        s3.create_bucket(Bucket="mail")
        topic = sns.create_topic(Name="inbound")["TopicArn"]
        url: str = sqs.create_queue(QueueName="intake")["QueueUrl"]
        told = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=told["Attributes"]["QueueArn"])
        action = {"BucketName": "mail", "ObjectKeyPrefix": "in/", "TopicArn": topic}
        ses.create_receipt_rule_set(RuleSetName="rules")
        ses.create_receipt_rule(
            RuleSetName="rules",
            Rule={
                "Name": "store",
                "Enabled": True,
                "Recipients": ["house.example"],
                "Actions": [{"S3Action": action}],
            },
        )
        ses.set_active_receipt_rule_set(RuleSetName="rules")
    return url


def test_mail_is_received_by_the_rules_that_aws_keeps(aws: MiniStack, tmp_path: Path) -> None:
    """Refused without a rule; else stored and announced; and SIGTERM ends it in order."""
    url = apply_rule(aws)
    with start(aws, tmp_path) as process:
        with smtplib.SMTP("127.0.0.1", port_of(process), timeout=30) as smtp:
            refused = smtp.sendmail("s@x.example", ["info@house.example", "a@b.example"], RAW)
        assert {address: code for address, (code, _) in refused.items()} == {"a@b.example": 550}
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        assert process.returncode == 0
    with closing(client(aws, "sqs")) as sqs, closing(client(aws, "s3")) as s3:
        (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
        received = json.loads(json.loads(message["Body"])["Message"])
        assert received["receipt"]["recipients"] == ["info@house.example"]
        key = received["receipt"]["action"]["objectKey"]
        with closing(s3.get_object(Bucket="mail", Key=key)["Body"]) as body:
            assert body.read() == RAW


def test_without_an_active_rule_set_it_says_what_to_do(aws: MiniStack, tmp_path: Path) -> None:
    """One line, and exit code 1: a service that starts too early is started again."""
    with start(aws, tmp_path) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors == ("mailtumble: SES has no active receipt rule set: apply Terraform first\n")
