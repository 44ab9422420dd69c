"""The process as a whole, beside an emulated AWS, spoken to by smtplib and boto3."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import smtplib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.config import Config

from mailtumble.local.ministack import free_port

ROOT = Path(__file__).parents[5]
RAW = b"From: s@x.example\r\nTo: list@y.example\r\nSubject: hi\r\n\r\n.dot\r\n"


def _environment(endpoint_port: int) -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{endpoint_port}",
        "PYTHONPATH": str(ROOT),
    }


@contextlib.contextmanager
def _running(command: list[str], **options: object) -> Iterator[subprocess.Popen[str]]:
    """Start a process, and end it with the test."""
    process = subprocess.Popen(command, text=True, **options)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


class EmulatedAws:
    """S3 bucket ``mail`` and two topics, each with a queue behind it."""

    def __init__(self, port: int) -> None:
        """Make them at the emulator on this port."""
        self.port = port
        self.s3, self.sns, self.sqs = (self._client(name) for name in ("s3", "sns", "sqs"))
        self.s3.create_bucket(Bucket="mail")
        self.topics = {name: self._topic(name) for name in ("inbound", "feedback")}

    def messages(self, name: str, count: int) -> list[dict[str, Any]]:
        """Wait for so many notifications on a topic's queue."""
        url = self.sqs.get_queue_url(QueueName=name)["QueueUrl"]
        found: list[dict[str, Any]] = []
        deadline = time.monotonic() + 30
        while len(found) < count:
            assert time.monotonic() < deadline
            reply = self.sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1
            )
            for message in reply.get("Messages", []):
                found.append(json.loads(json.loads(message["Body"])["Message"]))
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def close(self) -> None:
        """Close the clients."""
        for client in (self.s3, self.sns, self.sqs):
            client.close()

    def _client(self, name: str) -> BaseClient:
        return boto3.client(
            name,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(s3={"addressing_style": "path"}),
        )

    def _topic(self, name: str) -> str:
        arn: str = self.sns.create_topic(Name=name)["TopicArn"]
        url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        queue_arn = attributes["Attributes"]["QueueArn"]
        self.sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn)
        return arn


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[EmulatedAws]:
    """A fresh emulator on loopback."""
    port = free_port()
    environment = {**os.environ, "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1"}
    with (
        (tmp_path / "ministack.log").open("w") as log,
        _running(
            [sys.executable, "-m", "ministack"],
            env=environment,
            cwd=tmp_path,
            stdout=log,
            stderr=log,
        ),
    ):
        _wait_for(f"http://127.0.0.1:{port}/_ministack/health")
        emulated = EmulatedAws(port)
        yield emulated
        emulated.close()


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - of this test
                return
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < deadline
            time.sleep(0.1)


def _ses_command(arns: dict[str, str], *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "mailtumble.local.ses", "--smtp-port", "0", "--bucket", "mail"),
        *("--inbound-topic-arn", arns["inbound"], "--feedback-topic-arn", arns["feedback"]),
        *more,
    ]


@pytest.mark.servers
def test_mail_comes_in_and_goes_out_as_through_ses(aws: EmulatedAws, tmp_path: Path) -> None:
    """SMTP to S3 and topic, SendEmail to events, and a clean end at SIGTERM."""
    port_file = tmp_path / "ports.json"
    command = _ses_command(aws.topics, "--port-file", str(port_file), "--spool-dir", str(tmp_path))
    environment = _environment(aws.port)
    with _running(command, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        ports = json.loads(process.stdout.readline())
        assert json.loads(port_file.read_text(encoding="ascii")) == ports

        with smtplib.SMTP("127.0.0.1", ports["smtp_port"], timeout=30) as client:
            client.sendmail("bounces@x.example", ["hidden@y.example", "two@z.example"], RAW)
        (received,) = aws.messages("inbound", 1)
        assert received["receipt"]["recipients"] == ["hidden@y.example", "two@z.example"]
        action = received["receipt"]["action"]
        assert action["objectKey"] == "inbound/" + received["mail"]["messageId"]
        stored = aws.s3.get_object(Bucket=action["bucketName"], Key=action["objectKey"])
        with contextlib.closing(stored["Body"]) as body:
            assert body.read() == RAW

        message_id = _send_with_boto3(ports["api_port"])
        events = aws.messages("feedback", 2)
        assert {event["eventType"] for event in events} == {"Send", "Bounce"}
        assert {event["mail"]["messageId"] for event in events} == {message_id}

        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert [path.read_bytes() for path in tmp_path.rglob(f"{message_id}.eml")] == [RAW]


def _send_with_boto3(port: int) -> str:
    ses = boto3.client(
        "sesv2",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with contextlib.closing(ses):
        message_id: str = ses.send_email(
            Destination={"ToAddresses": ["bounce@simulator.amazonses.com"]},
            Content={"Raw": {"Data": RAW}},
            ConfigurationSetName="events",
            EmailTags=[{"Name": "attempt", "Value": "a-1"}],
        )["MessageId"]
    return message_id


ARNS = {name: f"arn:aws:sns:us-east-1:000000000000:{name}" for name in ("inbound", "feedback")}


@pytest.mark.servers
def test_mail_is_deferred_and_the_end_is_clean_while_aws_is_away() -> None:
    """With nothing at AWS's endpoint: 451 by SMTP, sends accepted, and the loss told at the end."""
    command = _ses_command(ARNS)
    environment = _environment(free_port())
    with _running(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        ports = json.loads(process.stdout.readline())
        with smtplib.SMTP("127.0.0.1", ports["smtp_port"], timeout=60) as client:
            with pytest.raises(smtplib.SMTPDataError) as refusal:
                client.sendmail("s@x.example", ["r@y.example"], RAW)
            assert refusal.value.smtp_code == 451
        _send_with_boto3(ports["api_port"])
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert re.search("stopped with the events of 1 mails unpublished", errors)


@pytest.mark.servers
def test_a_port_in_use_is_told() -> None:
    """The process that can't listen ends with 1 and says why."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = _ses_command(ARNS, "--api-port", str(taken.getsockname()[1]))
        ended = subprocess.run(
            command,
            env=_environment(free_port()),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 1
    assert "can't start" in ended.stderr
    assert ended.stdout == ""
