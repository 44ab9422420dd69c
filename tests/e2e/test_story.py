"""A mail's story comes from the stream; the view only says where to read it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.e2e.conftest import PREFIX, Stack
from tests.e2e.mails import add_aliases, mail

pytestmark = pytest.mark.servers

DONE_WITHIN_S = 60
SIMULATOR = "simulator.amazonses.com"


def test_the_story_needs_nothing_of_the_view_but_the_range(
    start_stack: Callable[..., Stack],
) -> None:
    """With all of the mail's item gone but its sequence range, mail show prints the very same."""
    stack = start_stack()
    recipient, raw = mail(1)
    add_aliases(stack, {recipient: ["jane@far.example", f"bounce@{SIMULATOR}"]})
    stack.deliver([(recipient, raw)])
    (ended,) = stack.await_ended(1, 30)
    mail_id = ended["mail_id"]
    _await_last_record(stack, mail_id)
    before = stack.json("mail", "show", mail_id), stack.run("mail", "show", mail_id)
    (row,) = stack.json("mail", "list")
    assert before[0]["status"] == row["status"] == "bounced"

    dynamodb, table = stack.client("dynamodb"), f"{PREFIX}-mails"
    (item,) = dynamodb.scan(TableName=table)["Items"]
    bare = {name: item[name] for name in ("mail_key", "spans")}
    dynamodb.put_item(TableName=table, Item=bare)
    after = stack.json("mail", "show", mail_id), stack.run("mail", "show", mail_id)
    assert dynamodb.scan(TableName=table)["Items"] == [bare]  # nobody has mended it meanwhile
    assert after == before

    assert after[0]["events"][0]["type"] == "MailReceived"
    assert "received from jane@example.com" in after[1]
    assert f"bounce@{SIMULATOR}: bounced" in after[1]


def _await_last_record(stack: Stack, mail_id: str) -> None:
    """Each acceptance is told twice, by the call and by SES; then the feedback, and the end."""
    deadline = time.monotonic() + DONE_WITHIN_S
    while True:
        types = [event["type"] for event in stack.json("mail", "show", mail_id)["events"]]
        over = {"BounceReceived", "DeliveryConfirmed", "MailCompleted"} <= set(types)
        if over and types.count("SendAccepted") == 4:
            return
        assert time.monotonic() < deadline, types
        time.sleep(1)
