"""What a call is billed by."""

from __future__ import annotations

from typing import Any

import pytest

from tools.aws_calls.units import item_bytes, units

SMALL: dict[str, Any] = {"key": {"S": "x"}}
LARGE: dict[str, Any] = {"key": {"S": "x" * 1500}}
SHOWN: dict[str, Any] = {**LARGE, "received_day": {"S": "2026-01-01"}, "held": {"S": "g1"}}


@pytest.mark.parametrize(
    ("operation", "parameters", "answer", "wanted"),
    [
        ("PutItem", {"Item": SMALL}, {}, {"dynamodb_writes": 1}),
        ("PutItem", {"Item": LARGE}, {}, {"dynamodb_writes": 2}),
        # The table and two indexes, two units each.
        (
            "PutItem",
            {"TableName": "mailtumble-mails", "Item": SHOWN},
            {},
            {"dynamodb_writes": 6},
        ),
        (
            "TransactWriteItems",
            {"TransactItems": [{"Put": {"Item": LARGE}}, {"ConditionCheck": {"Key": SMALL}}]},
            {},
            {"dynamodb_writes": 6},
        ),
        ("Query", {"ConsistentRead": True}, {"Items": []}, {"dynamodb_reads": 1}),
        ("Query", {"ConsistentRead": False}, {"Items": [LARGE] * 4}, {"dynamodb_reads": 1}),
        (
            "BatchGetItem",
            {"RequestItems": {"t": {"Keys": [SMALL, SMALL]}}},
            {"Responses": {"t": [LARGE]}},
            {"dynamodb_reads": 2},
        ),
        ("DescribeTable", {}, {}, {}),
    ],
)
def test_units_of_dynamodb(
    operation: str, parameters: dict[str, Any], answer: dict[str, Any], wanted: dict[str, float]
) -> None:
    """As "DynamoDB read and write operations" in its developer guide tells."""
    assert units("dynamodb", operation, parameters, answer) == wanted


def test_an_items_size_is_names_and_values() -> None:
    """Nested ones too."""
    item = {"ab": {"M": {"c": {"S": "def"}}}, "g": {"L": [{"B": b"hi"}]}, "n": {"NULL": True}}
    assert item_bytes(item) == (2 + 3 + 1 + 3 + 1) + (1 + 3 + 1 + 2) + (1 + 1)


def test_bytes_of_kinesis_s3_and_ses() -> None:
    """What goes in and out, by recipient where a mail goes to several."""
    record = {"Data": b"12345", "PartitionKey": "mail"}
    assert units("kinesis", "PutRecords", {"Records": [record, record]}, {}) == {
        "kinesis_records": 2,
        "kinesis_in_kb": 2,  # each record is rounded up
    }
    assert units("kinesis", "GetRecords", {}, {"Records": [record]}) == {"kinesis_out_kb": 5 / 1024}
    assert units("s3", "PutObject", {"Body": b"123"}, {}) == {"s3_puts": 1, "s3_put_bytes": 3}
    assert units("s3", "HeadObject", {}, {}) == {"s3_gets": 1}
    mail = {"Destination": {"ToAddresses": ["a", "b"]}, "Content": {"Raw": {"Data": b"1234"}}}
    assert units("sesv2", "SendEmail", mail, {}) == {"ses_sends": 2, "ses_send_bytes": 8}


def test_a_poll_of_sqs_is_a_request_however_little_it_brings() -> None:
    """And each 64 KB of what it brings are one."""
    assert units("sqs", "ReceiveMessage", {}, {}) == {"sqs_requests": 1}
    full = {"Messages": [{"Body": "x" * 65_000}, {"Body": "x" * 65_000}]}
    assert units("sqs", "ReceiveMessage", {}, full) == {"sqs_requests": 2}
