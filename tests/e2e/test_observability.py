"""What a running system tells of itself: logs by a mail's id, metrics, CloudWatch's lines."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import PATIENCE_S, Stack, running_stack
from tests.e2e.evidence import WORKERS, log_lines, metric, page

pytestmark = pytest.mark.servers

ALIAS, TARGET = "info@house.example", "target@far.example"
RAW = b"From: Jane <jane@example.com>\r\nSubject: hello\r\n\r\nhello\r\n"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that tells everything."""
    environment = {
        "MAILTUMBLE_LOG_LEVEL": "debug",
        "MAILTUMBLE_CLOUDWATCH_METRICS": "on",
        "MAILTUMBLE_CLOUDWATCH_EVERY_S": "1",
    }
    with running_stack(tmp_path_factory.mktemp("stack"), environment=environment) as running:
        yield running


def test_a_mail_is_followed_by_its_id_and_counted(stack: Stack) -> None:
    """From intake to SES and back, with shard, sequence number, target; and no address."""
    stack.run("aliases", "add", ALIAS, TARGET)
    (stack.folder / "mail.eml").write_bytes(RAW)
    mail = stack.inject(stack.folder / "mail.eml", ALIAS)
    stack.await_status(mail, "completed")
    lost = stack.inject(stack.folder / "mail.eml", "nobody@house.example")
    stack.await_status(lost, "unroutable")

    deadline = time.monotonic() + PATIENCE_S
    while True:
        mine = [line for line in log_lines(stack) if line.get("mail") == mail]
        told = {(line["application"], line.get("event")) for line in mine}
        if ("core", "MailCompleted") in told and ("sender", "SendAccepted") in told:
            break
        assert time.monotonic() < deadline, told
        time.sleep(0.3)
    assert {("intake", "MailReceived"), ("core", "RouteResolved"), ("core", "SendStarted")} <= told
    assert all(str(line["sequence"]).isdigit() for line in mine)
    assert all(line.get("shard") for line in mine if line["application"] != "intake")
    called = [line for line in mine if line["message"] == "SES accepted it"]
    assert [(line["target"], bool(line["attempt"])) for line in called] == [(0, True)]
    notable = [line for line in log_lines(stack) if line.get("mail") == lost]
    assert "info" in {line["level"] for line in notable if line.get("event") == "RouteNotFound"}
    assert not [line for line in log_lines(stack) if "@" in json.dumps(line)]

    assert metric(stack, "sender", "mailtumble_sends_total") == 1
    assert metric(stack, "core", "mailtumble_decisions_total") >= 3
    assert metric(stack, "core", "mailtumble_cursor_conflicts_total") == 0
    assert metric(stack, "intake", "mailtumble_intake_received_total") >= 2
    for worker in WORKERS:
        assert json.loads(page(stack, worker, "/health"))["status"] == "ok"


def test_a_worker_writes_cloudwatch_s_lines(stack: Stack) -> None:
    """As often as it is set to, among its logs: both are JSON, told apart by the key _aws."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        told = [line for line in log_lines(stack) if "_aws" in line]
        if {line["application"] for line in told} == set(WORKERS):
            break
        assert time.monotonic() < deadline, told
        time.sleep(1)
    by_sender = [line for line in told if line["application"] == "sender"]
    assert any(line.get("QueueDepth") == 0 and line.get("Refusals") == 0 for line in by_sender)
    assert any("LagMilliseconds" in line and "shard" in line for line in by_sender)
