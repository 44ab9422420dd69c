"""The world fails for a while, and no mail is lost for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest

from mailtumble.definition import load_definition, physical_name
from mailtumble.local.ministack import MiniStack
from tests.e2e.conftest import PATIENCE_S, PREFIX, Stack
from tests.e2e.mails import HOUSE, accepted, add_aliases, mail, wanted
from tests.e2e.proxy import HOST, Proxy

pytestmark = pytest.mark.servers

OUTAGE_S = 14.0
MAILS = 20
EVERY = 5
"""So many mails come at once, all through the outage."""


@pytest.fixture
def look_up(tmp_path: Path) -> Iterator[Proxy]:
    """The way to another DynamoDB than that of all the rest, which has the alias table alone."""
    table = load_definition().table("aliases")
    with MiniStack(tmp_path / "look-up.log") as aws, Proxy(aws.port) as proxy:
        dynamodb = boto3.client(
            "dynamodb",
            endpoint_url=aws.endpoint,
            region_name=aws.environment()["AWS_REGION"],
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        key = table.partition_key
        dynamodb.create_table(
            TableName=physical_name(PREFIX, table.name),
            KeySchema=[{"AttributeName": key.name, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key.name, "AttributeType": key.type}],
            BillingMode="PAY_PER_REQUEST",
        )
        dynamodb.close()
        yield proxy


def test_mail_that_comes_while_look_ups_fail_is_forwarded_afterwards(
    start_stack: Callable[..., Stack], look_up: Proxy
) -> None:
    """Look-ups get no answer for a while, then no connection: the messages wait, then go."""
    own = {"MAILTUMBLE_LOOKUP_ENDPOINT_URL": f"http://{HOST}:{look_up.port}"}
    stack = start_stack("--rate", "50", environment=own)
    add_aliases(stack)
    taken = look_up.taken
    assert taken >= len(HOUSE)  # so these are the look-ups that matter
    stack.deliver([mail(MAILS)])
    stack.await_ended(1)
    assert look_up.taken > taken
    before = stack.stats()["accepted"]

    began = time.monotonic()
    look_up.hang()
    _mails_come(stack, range(MAILS // 2), until=began + OUTAGE_S / 2)
    hung = _await_waiting(stack, EVERY)
    look_up.vanish()
    _mails_come(stack, range(MAILS // 2, MAILS), until=began + OUTAGE_S)
    refused = _await_waiting(stack, len(hung) + 1)
    assert stack.stats()["accepted"] == before  # nothing could be looked up meanwhile
    look_up.come_back()

    assert hung < refused
    mails = stack.await_ended(MAILS + 1)
    assert {each["status"] for each in mails} == {"completed"}
    counts = accepted(stack.sent())
    assert set(counts) == wanted(mails)
    assert set(counts.values()) == {1}


def _mails_come(stack: Stack, numbers: range, until: float) -> None:
    """Some at once, evenly until then."""
    groups = [numbers[start : start + EVERY] for start in range(0, len(numbers), EVERY)]
    for index, group in enumerate(groups):
        stack.deliver([mail(number) for number in group])
        left_s = until - time.monotonic()
        time.sleep(max(0.0, left_s / (len(groups) - index)))


def _await_waiting(stack: Stack, count: int) -> set[str]:
    """Wait until this many messages wait for a look-up, and return them as the list tells."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        mails = stack.json("mail", "list", "--status", "deferred")
        if len(mails) >= count:
            return {each["mail_id"] for each in mails}
        assert time.monotonic() < deadline, mails
