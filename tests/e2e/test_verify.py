"""verify: clean under load and after 300 messages, and it names what is wrong or missing."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from mailtumble.ports.store import Delete, Item, Put, Update
from tests.e2e.conftest import Stack
from tests.e2e.mails import HOUSE, add_aliases

pytestmark = pytest.mark.servers

MAILS = 300
UNDER_LOAD = 100
PATIENT = ("--watch", "500")
"""Workers read at low priority: on a busy machine that says nothing of them."""
IMPATIENT = ("--watch", "10")
AWAITED_S = 600
HELD = "held@house.example"
"""An alias whose mail waits for a moderator."""
RAW = b"From: Jane <jane@example.com>\r\nSubject: hello\r\n\r\nhello\r\n"


def test_verify_is_clean_until_somebody_changes_a_view(start_stack: Callable[..., Stack]) -> None:
    """An item changed, a counter moved, a mail in S3 that nobody announced: each by its name."""
    stack = start_stack("--rate", "200", "--daily-quota", "-1")
    add_aliases(stack)
    names = list(HOUSE)
    stack.deliver([(names[number % len(names)], RAW) for number in range(MAILS)])
    mails = stack.await_ended(MAILS)
    clean = stack.json("verify", "--s3", *PATIENT)
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


def test_verify_names_what_does_not_happen(start_stack: Callable[..., Stack]) -> None:
    """Nothing while mail comes in; then an entry, a timer, a claim, and core, one at a time."""
    stack = start_stack("--rate", "100", "--daily-quota", "-1")
    add_aliases(stack)
    stack.run("aliases", "add", HELD, "t@far.example", "--moderated")
    names = list(HOUSE)
    with ThreadPoolExecutor(1) as threads:
        coming = threads.submit(
            stack.deliver, [(names[number % len(names)], RAW) for number in range(UNDER_LOAD)]
        )
        while not coming.done():
            assert stack.json("verify", *PATIENT)["ok"]
        coming.result()
    sent = stack.await_ended(UNDER_LOAD)[0]["mail_id"]
    stack.run("queue", "pause")
    stack.deliver([(names[1], RAW), (HELD, RAW)])
    waiting, held = _await_one(stack, "scheduled"), _await_one(stack, "held")
    assert stack.json("verify", *PATIENT)["ok"]
    for table, mail in (("queue", waiting), ("timers", held), ("claims", sent)):
        with _removed(stack, table, mail):
            assert mail in _said(stack)
        assert stack.json("verify", *PATIENT)["ok"], f"{table} is as it was"
    core = stack.pids()["core"]
    os.kill(core, signal.SIGSTOP)
    try:
        stack.deliver([(names[1], RAW)])
        said = _said(stack)
    finally:
        os.kill(core, signal.SIGCONT)
    assert "core has read" in said
    assert "is not advancing on shardId-" in said
    assert stack.json("verify", *PATIENT)["ok"]


def _said(stack: Stack) -> str:
    """What verify says that fails."""
    done = stack.call("verify", *IMPATIENT)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout + done.stderr


def _await_one(stack: Stack, status: str) -> str:
    """The id of the one mail that stands so, when it does."""
    deadline = time.monotonic() + AWAITED_S
    while True:
        found = [each for each in stack.items.scan("mails") if each["status"] == status]
        if found:
            (item,) = found
            return str(item["mail_id"])
        assert time.monotonic() < deadline
        time.sleep(0.3)


@contextmanager
def _removed(stack: Stack, table: str, mail: str) -> Iterator[None]:
    """Let an item of a mail be gone for a while."""
    item: Item = next(each for each in stack.items.scan(table) if each["subject"] == f"mail:{mail}")
    names = ("attempt_id",) if table == "claims" else ("bucket", "position")
    stack.items.write(Delete(table, {name: str(item[name]) for name in names}))
    yield
    stack.items.write(Put(table, item))
