"""What AWS answers, read: shapes, rules, destinations; what is missing, refused or not offered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from botocore.stub import Stubber

from mailtumble.aws.clients import Clients
from mailtumble.aws.survey import AwsSurvey
from mailtumble.definition import KeyAttribute
from mailtumble.ports.survey import (
    Caller,
    Destination,
    Identity,
    NotOffered,
    ReceiptRule,
    RuleSet,
    SendingAccount,
    StandingQueue,
    StandingStream,
)
from schemas.errors import PermanentError, RetryableError

ARN = "arn:aws:iam::123456789012:user/somebody"
NOW_NS = 1_700_000_000_250_000_000
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
"""1,700,000,000 seconds since 1970."""


class Answers:
    """What each client is to answer next."""

    def __init__(self, clients: Clients, stack: ExitStack) -> None:
        """Nothing is told yet."""
        self._clients, self._stack = clients, stack
        self._stubs: dict[str, Stubber] = {}

    def say(self, client: str, call: str, answer: dict[str, Any]) -> None:
        """An answer."""
        self._stub(client).add_response(call, answer)

    def refuse(self, client: str, call: str, code: str, status: int = 400, **headers: str) -> None:
        """An error."""
        self._stub(client).add_client_error(
            call, code, "no", status, response_meta={"HTTPHeaders": headers}
        )

    def _stub(self, name: str) -> Stubber:
        """Once a client is stubbed, an unexpected call of it fails."""
        if name not in self._stubs:
            made = Stubber(getattr(self._clients, name))
            self._stubs[name] = self._stack.enter_context(made)
        return self._stubs[name]


@pytest.fixture
def answers(clients: Clients) -> Iterator[Answers]:
    """No call reaches anybody."""
    with ExitStack() as stack:
        yield Answers(clients, stack)


@pytest.fixture
def survey(clients: Clients) -> AwsSurvey:
    """At a quarter of a second after the hour that AWS tells."""
    return AwsSurvey(clients, lambda: NOW_NS)


MISSING: dict[str, tuple[str, str, str, Callable[[AwsSurvey], object]]] = {
    "stream": (
        "kinesis",
        "describe_stream_summary",
        "ResourceNotFoundException",
        lambda s: s.stream("a"),
    ),
    "table": ("dynamodb", "describe_table", "ResourceNotFoundException", lambda s: s.table("a")),
    "queue": (
        "sqs",
        "get_queue_url",
        "AWS.SimpleQueueService.NonExistentQueue",
        lambda s: s.queue("a"),
    ),
    "set": (
        "ses",
        "get_configuration_set_event_destinations",
        "NotFoundException",
        lambda s: s.destinations("a"),
    ),
    "identity": ("ses", "get_email_identity", "NotFoundException", lambda s: s.identity("a.b")),
}


@pytest.mark.parametrize("name", MISSING)
def test_what_does_not_exist_is_none(answers: Answers, survey: AwsSurvey, name: str) -> None:
    """By each service's own word for it."""
    client, call, code, look = MISSING[name]
    answers.refuse(client, call, code)
    assert look(survey) is None


@pytest.mark.parametrize("name", MISSING)
def test_a_refusal_is_none_of_it(answers: Answers, survey: AwsSurvey, name: str) -> None:
    """What may not be seen may be there."""
    client, call, _, look = MISSING[name]
    answers.refuse(client, call, "AccessDeniedException")
    with pytest.raises(PermanentError, match="allow it to the role"):
        look(survey)


def test_a_throttle_may_be_tried_again(answers: Answers, survey: AwsSurvey) -> None:
    """It says nothing about the stream."""
    answers.refuse("kinesis", "describe_stream_summary", "LimitExceededException")
    with pytest.raises(RetryableError):
        survey.stream("a")


def test_a_bucket_is_there_or_not(answers: Answers, survey: AwsSurvey) -> None:
    """HeadBucket has no body: the status is all."""
    answers.say("s3", "head_bucket", {})
    assert survey.bucket("a")
    answers.refuse("s3", "head_bucket", "404", 404)
    assert not survey.bucket("a")


def test_a_caller_and_a_stream(answers: Answers, survey: AwsSurvey) -> None:
    """As AWS says."""
    answers.say("sts", "get_caller_identity", {"Account": "1", "Arn": ARN, "UserId": "u"})
    assert survey.caller() == Caller("1", ARN)
    summary = {
        "StreamName": "a",
        "StreamARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/a",
        "StreamStatus": "ACTIVE",
        "OpenShardCount": 4,
        "RetentionPeriodHours": 168,
        "StreamCreationTimestamp": 0,
        "EnhancedMonitoring": [],
    }
    answers.say("kinesis", "describe_stream_summary", {"StreamDescriptionSummary": summary})
    assert survey.stream("a") == StandingStream("ACTIVE", 4, 168)


@pytest.mark.parametrize("refused", [False, True])
def test_the_clock_is_compared_with_the_answer_s_date(
    answers: Answers, survey: AwsSurvey, *, refused: bool
) -> None:
    """A refusal has one too; a Date is cut to the second: half a second is as near as it gets."""
    if refused:
        answers.refuse("sts", "get_caller_identity", "SignatureDoesNotMatch", 403, date=DATE)
    else:
        meta = {"HTTPHeaders": {"date": DATE}}
        answers.say("sts", "get_caller_identity", {"ResponseMetadata": meta})
    assert survey.clock_skew_us() == -250_000


def test_a_table_has_the_definition_s_form(answers: Answers, survey: AwsSurvey) -> None:
    """Keys with their types, indexes, and the attribute by which it forgets."""
    table = {
        "TableStatus": "ACTIVE",
        "AttributeDefinitions": [
            {"AttributeName": "a", "AttributeType": "S"},
            {"AttributeName": "b", "AttributeType": "N"},
        ],
        "KeySchema": [
            {"AttributeName": "a", "KeyType": "HASH"},
            {"AttributeName": "b", "KeyType": "RANGE"},
        ],
        "GlobalSecondaryIndexes": [
            {"IndexName": "by_b", "KeySchema": [{"AttributeName": "b", "KeyType": "HASH"}]}
        ],
    }
    expiry = {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    answers.say("dynamodb", "describe_table", {"Table": table})
    answers.say("dynamodb", "describe_time_to_live", {"TimeToLiveDescription": expiry})
    found = survey.table("acme-t")
    assert found is not None
    assert found.status == "ACTIVE"
    assert (found.shape.partition_key, found.shape.sort_key) == (
        KeyAttribute("a", "S"),
        KeyAttribute("b", "N"),
    )
    (index,) = found.shape.indexes
    assert (index.name, index.partition_key, index.sort_key) == (
        "by_b",
        KeyAttribute("b", "N"),
        None,
    )
    assert found.shape.ttl == "expires_at"


@pytest.mark.parametrize(("arn", "name"), [("arn:aws:sqs:eu-west-1:1:dead", "dead"), ("", None)])
def test_a_queue_tells_where_its_dead_letters_go(
    answers: Answers, survey: AwsSurvey, arn: str, name: str | None
) -> None:
    """In a policy that is JSON within JSON."""
    policy = {"deadLetterTargetArn": arn, "maxReceiveCount": "5"} if arn else {}
    answers.say("sqs", "get_queue_url", {"QueueUrl": "http://q"})
    answers.say(
        "sqs",
        "get_queue_attributes",
        {"Attributes": {"RedrivePolicy": json.dumps(policy), "ApproximateNumberOfMessages": "3"}},
    )
    assert survey.queue("a") == StandingQueue(name, 5 if arn else 0, 3)


def test_the_active_rule_set_is_read(answers: Answers, survey: AwsSurvey) -> None:
    """An answer without a name: none is active."""
    store = {"S3Action": {"BucketName": "acme-mail", "TopicArn": "arn:t"}}
    rules = [
        {"Name": "r", "Enabled": True, "Recipients": ["a.b"], "Actions": [store]},
        {"Name": "bare", "Enabled": False, "Actions": [{"StopAction": {"Scope": "RuleSet"}}]},
    ]
    answers.say(
        "ses_v1",
        "describe_active_receipt_rule_set",
        {"Metadata": {"Name": "main"}, "Rules": rules},
    )
    answers.say("ses_v1", "describe_active_receipt_rule_set", {})
    assert survey.active_rule_set() == RuleSet(
        "main",
        (
            ReceiptRule("r", True, "acme-mail", "arn:t", ("a.b",)),  # noqa: FBT003
            ReceiptRule("bare", False, "", "", ()),  # noqa: FBT003
        ),
    )
    assert survey.active_rule_set() is None


def test_ses_is_asked_by_its_api_of_today(answers: Answers, survey: AwsSurvey) -> None:
    """Destinations, domains, the account."""
    destination = {
        "Name": "d",
        "Enabled": True,
        "MatchingEventTypes": ["BOUNCE"],
        "SnsDestination": {"TopicArn": "arn:t"},
    }
    quota = {"MaxSendRate": 14.0, "Max24HourSend": 50_000.0, "SentLast24Hours": 3.0}
    answers.say(
        "ses",
        "get_configuration_set_event_destinations",
        {"EventDestinations": [destination]},
    )
    answers.say(
        "ses",
        "get_email_identity",
        {"VerifiedForSendingStatus": True, "DkimAttributes": {"Status": "SUCCESS"}},
    )
    answers.say(
        "ses",
        "get_account",
        {"SendQuota": quota, "SendingEnabled": True, "ProductionAccessEnabled": False},
    )
    assert survey.destinations("s") == (
        Destination("d", True, "arn:t", frozenset({"BOUNCE"})),  # noqa: FBT003
    )
    assert survey.identity("a.b") == Identity(True, "SUCCESS")  # noqa: FBT003
    assert survey.account() == SendingAccount(False, True, 14.0, 50_000.0, 3.0)  # noqa: FBT003


@pytest.mark.parametrize(("code", "status"), [("InternalFailure", 501), ("InvalidAction", 400)])
def test_where_that_is_not_offered_the_first_one_is_asked(
    answers: Answers, survey: AwsSurvey, code: str, status: int
) -> None:
    """LocalStack answers 501; what the first API does not tell is not known."""
    for call in (
        "get_configuration_set_event_destinations",
        "get_email_identity",
        "get_account",
    ):
        answers.refuse("ses", call, code, status)
    destination = {
        "Name": "d",
        "Enabled": True,
        "MatchingEventTypes": ["bounce"],
        "SNSDestination": {"TopicARN": "arn:t"},
    }
    answers.say("ses_v1", "describe_configuration_set", {"EventDestinations": [destination]})
    verified = {"a.b": {"VerificationStatus": "Success"}}
    signed = {"a.b": {"DkimEnabled": True, "DkimVerificationStatus": "Success"}}
    answers.say(
        "ses_v1", "get_identity_verification_attributes", {"VerificationAttributes": verified}
    )
    answers.say("ses_v1", "get_identity_dkim_attributes", {"DkimAttributes": signed})
    quota = {"MaxSendRate": 1.0, "Max24HourSend": 200.0, "SentLast24Hours": 0.0}
    answers.say("ses_v1", "get_send_quota", quota)
    assert survey.destinations("s") == (
        Destination("d", True, "arn:t", frozenset({"BOUNCE"})),  # noqa: FBT003
    )
    assert survey.identity("a.b") == Identity(True, "SUCCESS")  # noqa: FBT003
    assert survey.account() == SendingAccount(None, None, 1.0, 200.0, 0.0)


def test_what_neither_offers_is_told_as_such(answers: Answers, survey: AwsSurvey) -> None:
    """That is no failure of the set-up."""
    answers.refuse("ses", "get_account", "UnknownOperationException", 404)
    answers.refuse("ses_v1", "get_send_quota", "InvalidAction")
    with pytest.raises(NotOffered):
        survey.account()


def test_regions_are_those_that_boto_knows(survey: AwsSurvey) -> None:
    """Of every partition."""
    assert survey.knows_region("eu-west-1")
    assert survey.knows_region("cn-north-1")
    assert not survey.knows_region("eu-west-99")
