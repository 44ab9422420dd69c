"""mailtumble doctor on a real stack: well, then broken on purpose, part by part."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.conftest import PATIENCE_S, PREFIX, Stack

pytestmark = pytest.mark.servers


def _examined(stack: Stack) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and each part's finding."""
    done = stack.call("doctor", "--json")
    assert done.stderr == ""
    return done.returncode, {each["part"]: each for each in json.loads(done.stdout)}


def _breaks(stack: Stack) -> None:
    """Delete a table, take the dead letters' way away, and stop a worker for good."""
    stack.client("dynamodb").delete_table(TableName=f"{PREFIX}-quarantine")
    sqs = stack.client("sqs")
    url = sqs.get_queue_url(QueueName=f"{PREFIX}-intake")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": ""})
    dead = sqs.get_queue_url(QueueName=f"{PREFIX}-intake-dead-letters")["QueueUrl"]
    sqs.delete_queue(QueueUrl=dead)
    stack.client("s3").delete_bucket(Bucket=f"{PREFIX}-mail")
    os.kill(stack.pids()["sender"], signal.SIGSTOP)


def test_a_stack_that_works_has_no_failure_and_a_broken_one_names_each(
    start_stack: Callable[..., Stack],
) -> None:
    """Exit code 0 before, 1 after; what was not touched stays well."""
    stack = start_stack()
    stack.run("aliases", "add", "info@house.example", "t@far.example")
    deadline = time.monotonic() + PATIENCE_S
    while True:  # until the sender has heard its quota
        code, before = _examined(stack)
        if before["sender's quota"]["mark"] == "ok":
            break
        assert time.monotonic() < deadline
    assert code == 0
    assert not [part for part, each in before.items() if each["mark"] == "fail"]
    for part in ("credentials", "clock", "stream", "look-up", "core", "sender", "table quarantine"):
        assert before[part]["mark"] == "ok", before[part]

    frozen = stack.pids()["sender"]
    try:
        _breaks(stack)
        code, after = _examined(stack)
    finally:
        os.kill(frozen, signal.SIGCONT)
    assert code == 1
    broken = {
        "table quarantine": "fail",
        "queue intake": "fail",
        "queue intake-dead-letters": "fail",
        "bucket mail": "fail",
        "sender": "warn",
    }
    changed = {part for part in after if after[part]["mark"] != before[part]["mark"]}
    assert {part: after[part]["mark"] for part in changed} == broken
    assert all(after[part]["todo"] for part in broken)
