"""Which permissions a call needs."""

from __future__ import annotations

from typing import Any

import pytest

from tools.aws_calls.grants import grants


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "wanted"),
    [
        (
            "dynamodb",
            "TransactWriteItems",
            {
                "TransactItems": [
                    {"Put": {"TableName": "mailtumble-mails"}},
                    {"Update": {"TableName": "mailtumble-cursors"}},
                    {"Delete": {"TableName": "mailtumble-timers"}},
                    {"ConditionCheck": {"TableName": "mailtumble-cursors"}},
                ]
            },
            {
                ("table/mails", "dynamodb:PutItem"),
                ("table/cursors", "dynamodb:UpdateItem"),
                ("table/timers", "dynamodb:DeleteItem"),
                ("table/cursors", "dynamodb:ConditionCheckItem"),
            },
        ),
        (
            "dynamodb",
            "BatchGetItem",
            {"RequestItems": {"mailtumble-aliases": {}, "mailtumble-subjects": {}}},
            {
                ("table/aliases", "dynamodb:BatchGetItem"),
                ("table/subjects", "dynamodb:BatchGetItem"),
            },
        ),
        (
            "dynamodb",
            "Query",
            {"TableName": "mailtumble-mails", "IndexName": "by_held"},
            {("table/mails/index/by_held", "dynamodb:Query")},
        ),
        (
            "dynamodb",
            "UpdateItem",
            {"TableName": "mailtumble-kcl-core-g1-CoordinatorState"},
            {("leases/core", "dynamodb:UpdateItem")},
        ),
        (
            "kinesis",
            "GetRecords",
            {"ShardIterator": "x"},
            {("stream/events", "kinesis:GetRecords")},
        ),
        ("s3", "HeadObject", {"Bucket": "mailtumble-mail"}, {("objects/mail", "s3:GetObject")}),
        ("s3", "HeadBucket", {"Bucket": "mailtumble-mail"}, {("bucket/mail", "s3:ListBucket")}),
        (
            "sqs",
            "DeleteMessageBatch",
            {"QueueUrl": "http://127.0.0.1:1/000000000000/mailtumble-intake"},
            {("queue/intake", "sqs:DeleteMessage")},
        ),
        ("sesv2", "SendEmail", {"Content": {"Raw": {}}}, {("ses/identities", "ses:SendRawEmail")}),
        ("sesv2", "SendEmail", {"Content": {"Simple": {}}}, {("ses/identities", "ses:SendEmail")}),
        ("sesv2", "GetAccount", {}, {("ses/account", "ses:GetAccount")}),
    ],
)
def test_a_call_needs(
    service: str, operation: str, parameters: dict[str, Any], wanted: set[tuple[str, str]]
) -> None:
    """The action of IAM, on the resource by its short name."""
    assert grants(service, operation, parameters) == wanted


def test_a_service_that_is_new_here_is_an_error() -> None:
    """It must not pass for a call without permissions."""
    with pytest.raises(KeyError):
        grants("sns", "Publish", {})
