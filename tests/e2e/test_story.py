"""A mail's story comes from the stream; the view only says where to read it."""

from __future__ import annotations

import time

import pytest

from tests.e2e.conftest import PATIENCE_S, PREFIX, Stack
from tests.e2e.mails import add_aliases, mail

pytestmark = pytest.mark.servers

DOMAIN = "story.example"
SIMULATOR = "simulator.amazonses.com"


def test_the_story_needs_nothing_of_the_view_but_the_range(shared_stack: Stack) -> None:
    """With all of the mail's item gone but its sequence range, mail show prints the very same."""
    stack, recipient, raw = shared_stack, f"jane@{DOMAIN}", mail(1)[1]
    add_aliases(stack, {recipient: ["jane@far.example", f"bounce+story@{SIMULATOR}"]})
    stack.deliver([(recipient, raw)])
    (ended,) = stack.await_ended(1, DOMAIN)
    mail_id = ended["mail_id"]
    _await_last_record(stack, mail_id)
    before = stack.json("mail", "show", mail_id), stack.run("mail", "show", mail_id)
    (row,) = (row for row in stack.json("mail", "list") if row["mail_id"] == mail_id)
    assert before[0]["status"] == row["status"] == "bounced"

    dynamodb, table = stack.client("dynamodb"), f"{PREFIX}-mails"
    key = {"mail_key": {"S": f"g1#{mail_id}"}}
    item = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
    bare = {name: item[name] for name in ("mail_key", "spans")}
    dynamodb.put_item(TableName=table, Item=bare)
    after = stack.json("mail", "show", mail_id), stack.run("mail", "show", mail_id)
    # Nobody has mended it meanwhile.
    assert dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"] == bare
    assert after == before
    dynamodb.put_item(TableName=table, Item=item)  # as it was, for the others on this stack

    assert after[0]["events"][0]["type"] == "MailReceived"
    assert "received from jane@example.com" in after[1]
    assert f"bounce+story@{SIMULATOR}: bounced" in after[1]


def _await_last_record(stack: Stack, mail_id: str) -> None:
    """Each acceptance is told twice, by the call and by SES; then the feedback, and the end."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        types = [event["type"] for event in stack.json("mail", "show", mail_id)["events"]]
        over = {"BounceReceived", "DeliveryConfirmed", "MailCompleted"} <= set(types)
        if over and types.count("SendAccepted") == 4:
            return
        assert time.monotonic() < deadline, types
        time.sleep(1)
