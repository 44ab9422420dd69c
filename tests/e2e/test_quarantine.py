"""What can't be read is kept, listed and driven again, and everything else goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgpack
import pytest

from tests.e2e.conftest import PATIENCE_S, PREFIX, Stack

pytestmark = pytest.mark.servers

RAW = b"From: Jane <jane@example.com>\r\nSubject: hello\r\n\r\nhello\r\n"


def _await_open(stack: Stack, count: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        rows: list[dict[str, Any]] = stack.json("quarantine", "list")
        found = [row for row in rows if row["state"] == "open"]
        if len(found) >= count:
            return found
        assert time.monotonic() < deadline, rows


def test_garbage_of_every_kind_is_quarantined_and_the_rest_goes_on(
    start_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    """On the stream, on the queue, and on the dead-letter queue; what is mended is processed."""
    # One of the records is of a newer release: an upgrade is awaited, but not for 15 minutes.
    stack = start_stack(environment={"MAILTUMBLE_UPGRADE_WAIT_S": "2"})
    stack.run("aliases", "add", "info@house.example", "t@far.example")
    kinesis, sqs = stack.client("kinesis"), stack.client("sqs")
    stranger = {
        "id": "stranger-1",
        "subject": "mail:stranger",
        "cause": "nobody",
        "after": None,
        "recorded_at": 0,
        "decider": "stranger",
        "rule_version": 0,
        "events": [["HeardOfTomorrow", 1, {}]],
    }
    for subject, data in (
        ("garbage", b"\xc1 garbage"),
        ("mail:stranger", msgpack.packb(stranger)),
    ):
        kinesis.put_record(StreamName=f"{PREFIX}-events", PartitionKey=subject, Data=data)
    # Each by core and by sender; a message that is not SES's, and one whose mail isn't there yet.
    queue = sqs.get_queue_url(QueueName=f"{PREFIX}-intake")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody='{"hello": "world"}')
    sqs.send_message(QueueUrl=queue, MessageBody=_notification(stack, "inbound/late"))
    letters = sqs.get_queue_url(QueueName=f"{PREFIX}-intake-dead-letters")["QueueUrl"]
    sqs.send_message(QueueUrl=letters, MessageBody=_notification(stack, "inbound/dead"))
    rows = _await_open(stack, 7)
    assert sorted(row["application"] for row in rows) == [
        *("core", "core", "intake", "intake", "intake", "sender", "sender")
    ]
    reasons = " ".join(row["reason"] for row in rows)
    for words in ("not msgpack", "HeardOfTomorrow", "not a notification", "inbound/late"):
        assert words in reasons
    # The rest goes on.
    file = tmp_path / "mail.eml"
    file.write_bytes(RAW)
    stack.await_status(stack.inject(file, "info@house.example"), "completed")
    # The causes are mended: the mails' bytes are there now.
    s3, bucket = stack.client("s3"), stack.state["resources"]["bucket"]
    for key in ("inbound/late", "inbound/dead"):
        s3.put_object(Bucket=bucket, Key=key, Body=RAW)
    mended = [row["id"] for row in rows if "late" in row["reason"] or "dead" in row["reason"]]
    assert len(mended) == 2
    stack.run("quarantine", "redrive", *mended)
    ended = stack.await_ended(4)
    assert [each["status"] for each in ended].count("completed") == 3
    assert [each["status"] for each in ended if each["mail_id"] == "stranger"] == ["parked"]
    assert len(_await_open(stack, 5)) == 5
    assert stack.json("verify")["ok"]


def _notification(stack: Stack, key: str) -> str:
    """As SES announces a mail that it has put into S3."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    receipt = {
        "timestamp": now,
        "recipients": ["info@house.example"],
        "action": {
            "type": "S3",
            "bucketName": stack.state["resources"]["bucket"],
            "objectKey": key,
        },
    }
    mail = {
        "timestamp": now,
        "messageId": key.partition("/")[2],
        "source": "jane@example.com",
        "commonHeaders": {"subject": key},
    }
    return json.dumps({"notificationType": "Received", "mail": mail, "receipt": receipt})
