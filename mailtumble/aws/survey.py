"""Looks at what stands in AWS (:mod:`mailtumble.ports.survey`); changes nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Final, TypeVar, cast

import botocore.session
from botocore.exceptions import ClientError

from mailtumble.aws.clients import Clients, endpoint_overridden
from mailtumble.aws.errors import Calling, code_of, status_of
from mailtumble.definition import AttributeType, Index, KeyAttribute, Table
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
    StandingTable,
)

T = TypeVar("T")

MISSING: Final = frozenset(
    {
        "404",
        "AWS.SimpleQueueService.NonExistentQueue",
        "ConfigurationSetDoesNotExist",
        "NoSuchBucket",
        "NotFoundException",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    }
)
NOT_OFFERED: Final = frozenset(
    {
        "InvalidAction",
        "NotImplemented",
        "NotImplementedException",
        "UnknownOperationException",
        "UnsupportedOperation",
        "UnsupportedOperationException",
    }
)
_NOT_IMPLEMENTED: Final = 501
EXPIRES: Final = frozenset({"ENABLED", "ENABLING"})
HALF_A_SECOND_NS: Final = 500_000_000
NS_PER_S: Final = 1_000_000_000


class AwsSurvey:
    """A :class:`mailtumble.ports.survey.Survey` by boto3."""

    def __init__(self, clients: Clients, now_ns: Callable[[], int] = time.time_ns) -> None:
        """``now_ns`` is this machine's clock."""
        self._clients = clients
        self._now_ns = now_ns

    def is_emulated(self, service: str) -> bool:
        """See the port."""
        return endpoint_overridden(service)

    def knows_region(self, region: str) -> bool:
        """See the port."""
        session = botocore.session.get_session()
        partitions = session.get_available_partitions()
        return any(
            region in session.get_available_regions("kinesis", partition_name=each)
            for each in partitions
        )

    def caller(self) -> Caller:
        """See the port."""
        with Calling("credentials"):
            told = self._clients.sts.get_caller_identity()
        return Caller(told["Account"], told["Arn"])

    def clock_skew_us(self) -> int:
        """See the port. A refusal has AWS's time, too: at five minutes every call is refused."""
        began = self._now_ns()
        try:
            answer: Mapping[str, Any] = self._clients.sts.get_caller_identity()
        except ClientError as error:
            answer = cast("Mapping[str, Any]", error.response)
        except Exception:
            with Calling("clock"):
                raise
        ended = self._now_ns()
        said = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        if said is None:
            raise NotOffered("the answer has no Date")
        # Whole seconds, cut off: the middle of that second is nearest.
        theirs = int(parsedate_to_datetime(said).timestamp()) * NS_PER_S + HALF_A_SECOND_NS
        return ((began + ended) // 2 - theirs) // 1000

    def stream(self, name: str) -> StandingStream | None:
        """See the port."""
        kinesis = self._clients.kinesis
        told = _found(f"stream {name}", lambda: kinesis.describe_stream_summary(StreamName=name))
        if told is None:
            return None
        summary = told["StreamDescriptionSummary"]
        return StandingStream(
            summary["StreamStatus"], summary["OpenShardCount"], summary["RetentionPeriodHours"]
        )

    def table(self, name: str) -> StandingTable | None:
        """See the port."""
        dynamodb, what = self._clients.dynamodb, f"table {name}"
        told = _found(what, lambda: dynamodb.describe_table(TableName=name))
        if told is None:
            return None
        expiry: Any = _found(what, lambda: dynamodb.describe_time_to_live(TableName=name)) or {}
        ttl: Mapping[str, Any] = expiry.get("TimeToLiveDescription", {})
        return StandingTable(told["Table"]["TableStatus"], _shape(name, told["Table"], ttl))

    def bucket(self, name: str) -> bool:
        """See the port."""
        s3 = self._clients.s3
        return _found(f"bucket {name}", lambda: s3.head_bucket(Bucket=name)) is not None

    def queue(self, name: str) -> StandingQueue | None:
        """See the port."""
        sqs, what = self._clients.sqs, f"queue {name}"
        url = _found(what, lambda: sqs.get_queue_url(QueueName=name))
        if url is None:
            return None
        with Calling(what):
            told = sqs.get_queue_attributes(QueueUrl=url["QueueUrl"], AttributeNames=["All"])
        attributes: Mapping[str, str] = told.get("Attributes", {})  # type: ignore[assignment]
        redrive = json.loads(attributes.get("RedrivePolicy") or "{}")
        arn = redrive.get("deadLetterTargetArn")
        return StandingQueue(
            dead_letters=arn.rpartition(":")[2] if arn else None,
            receives_max=int(redrive.get("maxReceiveCount", 0)),
            waiting=int(attributes.get("ApproximateNumberOfMessages", 0)),
        )

    def active_rule_set(self) -> RuleSet | None:
        """See the port."""
        told = _found("receipt rules", self._clients.ses_v1.describe_active_receipt_rule_set)
        if told is None or not told.get("Metadata"):
            return None
        return RuleSet(told["Metadata"]["Name"], tuple(map(_rule, told.get("Rules", ()))))

    def destinations(self, configuration_set: str) -> tuple[Destination, ...] | None:
        """See the port."""
        what, name = f"configuration set {configuration_set}", configuration_set
        v1, v2 = self._clients.ses_v1, self._clients.ses

        def by_v2() -> Iterable[Destination] | None:
            told = _found(
                what,
                lambda: v2.get_configuration_set_event_destinations(ConfigurationSetName=name),
            )
            return told and [_destination(each) for each in told.get("EventDestinations", ())]

        def by_v1() -> Iterable[Destination] | None:
            told = _found(
                what,
                lambda: v1.describe_configuration_set(
                    ConfigurationSetName=name,
                    ConfigurationSetAttributeNames=["eventDestinations"],
                ),
            )
            return told and [_destination_v1(each) for each in told.get("EventDestinations", ())]

        found = _either(by_v2, by_v1)
        return None if found is None else tuple(found)

    def identity(self, domain: str) -> Identity | None:
        """See the port."""
        what, v1, v2 = f"identity {domain}", self._clients.ses_v1, self._clients.ses

        def by_v2() -> Identity | None:
            told = _found(what, lambda: v2.get_email_identity(EmailIdentity=domain))
            return told and Identity(
                told["VerifiedForSendingStatus"], told.get("DkimAttributes", {}).get("Status", "")
            )

        def by_v1() -> Identity | None:
            with Offered(what):
                told = v1.get_identity_verification_attributes(Identities=[domain])
                signed = v1.get_identity_dkim_attributes(Identities=[domain])
            found = told["VerificationAttributes"].get(domain)
            dkim = signed["DkimAttributes"].get(domain)
            return found and Identity(
                found["VerificationStatus"] == "Success",
                dkim["DkimVerificationStatus"].upper() if dkim else "",
            )

        return _either(by_v2, by_v1)

    def account(self) -> SendingAccount:
        """See the port."""
        v1, v2 = self._clients.ses_v1, self._clients.ses

        def by_v2() -> SendingAccount:
            with Offered("SES's account"):
                told = v2.get_account()
            quota = told["SendQuota"]
            return SendingAccount(
                told.get("ProductionAccessEnabled"),
                told.get("SendingEnabled"),
                quota["MaxSendRate"],
                quota["Max24HourSend"],
                quota["SentLast24Hours"],
            )

        def by_v1() -> SendingAccount:
            with Offered("SES's account"):
                quota = v1.get_send_quota()
            rate, day = quota["MaxSendRate"], quota["Max24HourSend"]
            return SendingAccount(None, None, rate, day, quota["SentLast24Hours"])

        return _either(by_v2, by_v1)


class Offered(Calling):
    """As :class:`Calling`; where the API itself is absent, NotOffered."""

    __slots__ = ()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Raise what the error means."""
        if error is not None and (
            code_of(error) in NOT_OFFERED or status_of(error) == _NOT_IMPLEMENTED
        ):
            raise NotOffered(str(error)) from error
        super().__exit__(kind, error, traceback)


def _found(resource: str, call: Callable[[], T]) -> T | None:
    """A call's answer, None where AWS says that there is no such thing."""
    with Offered(resource):
        try:
            return call()
        except ClientError as error:
            if code_of(error) in MISSING:
                return None
            raise


def _either(first: Callable[[], T], second: Callable[[], T]) -> T:
    """Ask SES's API of today; where it isn't offered, its first one."""
    try:
        return first()
    except NotOffered:
        return second()


def _shape(name: str, told: Mapping[str, Any], ttl: Mapping[str, Any]) -> Table:
    types = {each["AttributeName"]: each["AttributeType"] for each in told["AttributeDefinitions"]}
    partition, sort = _keys(told["KeySchema"], types)
    expires = ttl.get("TimeToLiveStatus") in EXPIRES
    indexes = [
        Index(each["IndexName"], *_keys(each["KeySchema"], types))
        for each in told.get("GlobalSecondaryIndexes", ())
    ]
    return Table(
        name=name,
        partition_key=partition,
        sort_key=sort,
        ttl=ttl["AttributeName"] if expires else None,
        indexes=tuple(indexes),
    )


def _keys(
    schema: Iterable[Mapping[str, str]], types: Mapping[str, AttributeType]
) -> tuple[KeyAttribute, KeyAttribute | None]:
    by_role = {each["KeyType"]: each["AttributeName"] for each in schema}
    sort = by_role.get("RANGE")
    partition = by_role["HASH"]
    return (
        KeyAttribute(partition, types[partition]),
        KeyAttribute(sort, types[sort]) if sort else None,
    )


def _rule(told: Mapping[str, Any]) -> ReceiptRule:
    stores = [each["S3Action"] for each in told.get("Actions", ()) if "S3Action" in each]
    first = stores[0] if stores else {}
    return ReceiptRule(
        name=told["Name"],
        enabled=bool(told.get("Enabled")),
        bucket=first.get("BucketName", ""),
        topic_arn=first.get("TopicArn", ""),
        recipients=tuple(told.get("Recipients", ())),
    )


def _destination(told: Mapping[str, Any]) -> Destination:
    return Destination(
        told["Name"],
        bool(told.get("Enabled")),
        told.get("SnsDestination", {}).get("TopicArn", ""),
        frozenset(told.get("MatchingEventTypes", ())),
    )


def _destination_v1(told: Mapping[str, Any]) -> Destination:
    return Destination(
        told["Name"],
        bool(told.get("Enabled")),
        told.get("SNSDestination", {}).get("TopicARN", ""),
        frozenset(each.upper() for each in told.get("MatchingEventTypes", ())),
    )
