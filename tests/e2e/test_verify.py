"""verify: clean after 2,000 mails, and it names what somebody has changed by hand."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from mailtumble.ports.store import Put, Update
from tests.e2e.conftest import Stack
from tests.e2e.mails import HOUSE, add_aliases

pytestmark = pytest.mark.servers

MAILS = 2_000
RAW = b"From: Jane <jane@example.com>\r\nSubject: hello\r\n\r\nhello\r\n"


def test_verify_is_clean_until_somebody_changes_a_view(start_stack: Callable[..., Stack]) -> None:
    """An item changed, a counter moved, a mail in S3 that nobody announced: each by its name."""
    stack = start_stack("--rate", "400", "--daily-quota", "-1")
    add_aliases(stack)
    names = list(HOUSE)
    stack.deliver([(names[number % len(names)], RAW) for number in range(MAILS)])
    mails = stack.await_ended(MAILS, 240)
    clean = stack.json("verify", "--s3")
    assert clean["ok"]
    assert clean["sum"]["holds"]
    assert clean["sum"]["received"] == sum(len(each["targets"]) for each in mails)
    assert clean["sum"]["ended"] == {"completed": clean["sum"]["received"]}
    # A mail that something is told of still is shown anew, by what its owner knows.
    while stack.json("queue", "status")["claimed"]:
        time.sleep(1)
    victim = mails[7]["mail_id"]
    item = dict(stack.items.get("mails", {"mail_key": f"g1#{victim}"}) or {})
    stack.items.write(Put("mails", {**item, "status": "bounced"}))
    counter = next(iter(stack.items.scan("throughput")))
    key = {"shard": str(counter["shard"]), "minute": str(counter["minute"])}
    stack.items.write(Update("throughput", key, add={"accepted": 1}))
    stack.client("s3").put_object(
        Bucket=stack.state["resources"]["bucket"], Key="inbound/unannounced", Body=RAW
    )
    done = stack.call("verify", "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert not found["ok"]
    named = {(each["table"], each["attribute"]) for each in found["differences"]}
    assert named == {("mails", "status"), ("throughput", "accepted")}
    assert any(victim in each["key"] for each in found["differences"])
    told = stack.call("verify")
    assert victim in told.stdout + told.stderr
    assert told.returncode == 1
