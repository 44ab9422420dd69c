"""Creates what Terraform creates in production, from the same definition, wherever boto points.

Meant for emulators and tests. It may run again at any time: what is there stays as it is.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from mailtumble.aws.clients import Clients
from mailtumble.aws.errors import Calling, code_of
from mailtumble.definition import (
    Definition,
    KeyAttribute,
    Queue,
    Table,
    load_definition,
    physical_name,
)
from mailtumble.local.startup import StartInterrupted
from schemas.errors import RetryableError

ACTIVE_LOOKS_MAX: Final = 600
"""How often a resource is looked at until it is active: for a minute, or longer where a busy
machine takes long for each answer."""
_POLL_S: Final = 0.1
_THREADS: Final = 8
_S3_HOME: Final = "us-east-1"
_RETENTION_HOURS_MIN: Final = 24
_ALREADY: Final = frozenset(
    {
        "BucketAlreadyExists",
        "BucketAlreadyOwnedByYou",
        "QueueNameExists",
        "QueueAlreadyExists",
        "ResourceInUseException",
        "TableAlreadyExistsException",
    }
)


@dataclass(frozen=True, slots=True)
class Resources:
    """What exists now, by the definition's short names."""

    stream: str
    buckets: Mapping[str, str]
    tables: Mapping[str, str]
    queue_urls: Mapping[str, str]
    topic_arns: Mapping[str, str]


def create_resources(
    clients: Clients,
    prefix: str,
    *,
    definition: Definition | None = None,
    shards: int | None = None,
    interrupted: Callable[[], bool] = lambda: False,
) -> Resources:
    """Create every resource that is missing, and wait until all are active.

    Args:
        clients: of the AWS, or emulator, to create them in.
        prefix: the first part of each name.
        definition: what to create (default: the definition that Terraform uses).
        shards: the stream's number of shards (default: the definition's, for one machine).
        interrupted: returns whether to give up; asked before each call.

    Returns:
        The names and addresses of all resources.

    Raises:
        StartInterrupted: ``interrupted`` said so.
        RetryableError: a resource did not become active, or AWS can't be reached.
        PermanentError: AWS refuses.
    """
    defined = definition or load_definition()
    creator = _Creator(clients, prefix, interrupted)
    with ThreadPoolExecutor(_THREADS) as threads:
        stream = threads.submit(
            creator.stream,
            defined.stream.name,
            shards or defined.stream.local_shards,
            defined.stream.retention_hours,
        )
        tables = [threads.submit(creator.table, table) for table in defined.tables]
        buckets = [threads.submit(creator.bucket, name) for name in defined.buckets]
        mail = threads.submit(creator.topics_and_queues, defined)
        topic_arns, queue_urls = mail.result()
        return Resources(
            stream=stream.result(),
            buckets=dict(bucket.result() for bucket in buckets),
            tables=dict(table.result() for table in tables),
            queue_urls=queue_urls,
            topic_arns=topic_arns,
        )


class _Creator:
    """Creates resources: one method for each kind. They may run in parallel."""

    def __init__(self, clients: Clients, prefix: str, interrupted: Callable[[], bool]) -> None:
        self._clients = clients
        self._prefix = prefix
        self._interrupted = interrupted

    def _calling(self, resource: str) -> Calling:
        """Return the context in which to make calls, unless the start is interrupted."""
        if self._interrupted():
            raise StartInterrupted(f"interrupted before {resource} was ready")
        return Calling(resource)

    def stream(self, name: str, shards: int, retention_hours: int) -> str:
        physical = physical_name(self._prefix, name)
        kinesis = self._clients.kinesis
        self._create(
            f"stream {physical}",
            lambda: kinesis.create_stream(
                StreamName=physical,
                ShardCount=shards,
                StreamModeDetails={"StreamMode": "PROVISIONED"},
            ),
        )

        def summary() -> Any:  # noqa: ANN401 - botocore's dict
            return kinesis.describe_stream_summary(StreamName=physical)["StreamDescriptionSummary"]

        self._wait(f"stream {physical}", lambda: summary()["StreamStatus"] == "ACTIVE")
        with self._calling(f"stream {physical}"):
            if summary()["RetentionPeriodHours"] < retention_hours > _RETENTION_HOURS_MIN:
                kinesis.increase_stream_retention_period(
                    StreamName=physical, RetentionPeriodHours=retention_hours
                )
        return physical

    def table(self, table: Table) -> tuple[str, str]:
        physical = physical_name(self._prefix, table.name)
        dynamodb = self._clients.dynamodb
        arguments = _table_arguments(table, physical)
        self._create(f"table {physical}", lambda: dynamodb.create_table(**arguments))
        self._wait(
            f"table {physical}",
            lambda: dynamodb.describe_table(TableName=physical)["Table"]["TableStatus"] == "ACTIVE",
        )
        if table.ttl is not None:
            self._expire(physical, table.ttl)
        return table.name, physical

    def _expire(self, physical: str, attribute: str) -> None:
        dynamodb = self._clients.dynamodb
        with self._calling(f"table {physical}"):
            told = dynamodb.describe_time_to_live(TableName=physical)["TimeToLiveDescription"]
            if told.get("TimeToLiveStatus") not in ("ENABLED", "ENABLING"):
                dynamodb.update_time_to_live(
                    TableName=physical,
                    TimeToLiveSpecification={"Enabled": True, "AttributeName": attribute},
                )

    def bucket(self, name: str) -> tuple[str, str]:
        physical = physical_name(self._prefix, name)
        arguments: dict[str, Any] = {"Bucket": physical}
        if self._clients.region != _S3_HOME:
            arguments["CreateBucketConfiguration"] = {"LocationConstraint": self._clients.region}
        self._create(f"bucket {physical}", lambda: self._clients.s3.create_bucket(**arguments))
        return name, physical

    def topics_and_queues(self, defined: Definition) -> tuple[dict[str, str], dict[str, str]]:
        """Topics, queues, dead letters first, and what ties them together."""
        topic_arns = {name: self._topic(name) for name in defined.topics}
        queue_urls: dict[str, str] = {}
        for queue in sorted(defined.queues, key=lambda each: each.redrive is not None):
            arns = [topic_arns[name] for name in queue.topics]
            queue_urls[queue.name] = self._queue(queue, queue_urls, arns)
        return topic_arns, queue_urls

    def _topic(self, name: str) -> str:
        physical = physical_name(self._prefix, name)
        with self._calling(f"topic {physical}"):
            return self._clients.sns.create_topic(Name=physical)["TopicArn"]

    def _queue(self, queue: Queue, urls: Mapping[str, str], topic_arns: Sequence[str]) -> str:
        physical = physical_name(self._prefix, queue.name)
        sqs, sns = self._clients.sqs, self._clients.sns
        with self._calling(f"queue {physical}"):
            url = sqs.create_queue(QueueName=physical)["QueueUrl"]
            arn = self._arn(url)
            attributes = {
                "VisibilityTimeout": str(queue.visibility_seconds),
                "MessageRetentionPeriod": str(queue.retention_seconds),
            }
            if queue.redrive is not None:
                policy = {
                    "deadLetterTargetArn": self._arn(urls[queue.redrive.queue]),
                    "maxReceiveCount": queue.redrive.receives_max,
                }
                attributes["RedrivePolicy"] = json.dumps(policy)
            if topic_arns:
                attributes["Policy"] = _topics_may_send(arn, topic_arns)
            sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)  # type: ignore[arg-type]
            for topic_arn in topic_arns:
                sns.subscribe(
                    TopicArn=topic_arn,
                    Protocol="sqs",
                    Endpoint=arn,
                    Attributes={"RawMessageDelivery": str(queue.raw_delivery).lower()},
                )
        return url

    def _create(self, resource: str, call: Callable[[], object]) -> None:
        """Make a creating call; a resource that exists already is as good."""
        with self._calling(resource):
            try:
                call()
            except Exception as error:
                if code_of(error) not in _ALREADY:
                    raise

    def _wait(self, resource: str, is_active: Callable[[], bool]) -> None:
        for _ in range(ACTIVE_LOOKS_MAX):
            with self._calling(resource):
                if is_active():
                    return
            time.sleep(_POLL_S)
        raise RetryableError(f"{resource} is not active after {ACTIVE_LOOKS_MAX} looks")

    def _arn(self, url: str) -> str:
        answer = self._clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return answer["Attributes"]["QueueArn"]


def _table_arguments(table: Table, physical: str) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "TableName": physical,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": key.name, "AttributeType": key.type} for key in table.key_attributes()
        ],
        "KeySchema": _key_schema(table.partition_key, table.sort_key),
    }
    if table.indexes:
        arguments["GlobalSecondaryIndexes"] = [
            {
                "IndexName": index.name,
                "KeySchema": _key_schema(index.partition_key, index.sort_key),
                "Projection": {"ProjectionType": "ALL"},
            }
            for index in table.indexes
        ]
    return arguments


def _key_schema(partition_key: KeyAttribute, sort_key: KeyAttribute | None) -> list[dict[str, str]]:
    schema = [{"AttributeName": partition_key.name, "KeyType": "HASH"}]
    if sort_key is not None:
        schema.append({"AttributeName": sort_key.name, "KeyType": "RANGE"})
    return schema


def _topics_may_send(queue_arn: str, topic_arns: Sequence[str]) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": list(topic_arns)}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
