"""Lease rows made before the daemon starts: it then takes them at once.

On an empty lease table the KCL waits up to 30 s before it looks for shards, and longer to elect
who does. A row for every shard that may begin takes all of that away; a row that is there
already stays as it is.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from mailtumble.aws.errors import Calling, code_of
from mailtumble.ports.store import ItemStore
from mailtumble.ports.stream import Shard
from mailtumble.worker.assembly import startable
from mailtumble.worker.cursor import cursor_key
from schemas.errors import RetryableError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Row = Mapping[str, Mapping[str, Any]]

TRIM_HORIZON: Final = "TRIM_HORIZON"
SHARD_END: Final = "SHARD_END"
ACTIVE_WITHIN_S: Final = 60.0
_POLL_S: Final = 0.1


def closed_shards(
    store: ItemStore, application: str, generation: str, shards: Sequence[Shard]
) -> set[str]:
    """The shards that the application has read to their end, by its cursors."""
    keys = {each.id: cursor_key(application, generation, each.id) for each in shards if each.closed}
    items = {shard_id: store.get("cursors", key) for shard_id, key in keys.items()}
    return {shard_id for shard_id, item in items.items() if item and item.get("closed")}


def rows_to_make(shards: Sequence[Shard], closed: set[str], leased: set[str]) -> list[Row]:
    """Rows for the shards that may begin now: every parent read to its end, or not listed.

    The KCL makes those of the others when it ends their parents. It begins at the oldest record;
    what the cursor has passed is skipped by the lane.
    """
    begun = closed | leased
    return [_row(shard) for shard in startable(shards, begun.__contains__, closed.__contains__)]


def _row(shard: Shard) -> Row:
    row: dict[str, Mapping[str, Any]] = {
        "leaseKey": {"S": shard.id},
        "checkpoint": {"S": TRIM_HORIZON},
        "checkpointSubSequenceNumber": {"N": "0"},
        "leaseCounter": {"N": "0"},
        "ownerSwitchesSinceCheckpoint": {"N": "0"},
        "startingHashKey": {"S": str(shard.first_hash_key)},
        "endingHashKey": {"S": str(shard.last_hash_key)},
    }
    if shard.parents:
        row["parentShardId"] = {"SS": sorted(shard.parents)}
    return row


class LeaseTable:
    """The KCL's lease table of one application, which is named after it."""

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        """``name`` is the KCL's application name."""
        self._client = client
        self._name = name
        self._what = f"lease table {name}"

    def ensure(self) -> None:
        """Create the table as the KCL would, if it is missing, and wait until it is active.

        Raises:
            RetryableError: it isn't active after a minute.
        """
        deadline = time.monotonic() + ACTIVE_WITHIN_S
        with Calling(self._what):
            while (status := self._status()) != "ACTIVE":
                if status is None:
                    self._create()
                if time.monotonic() > deadline:
                    raise RetryableError(f"{self._what} is not active: {status}")
                time.sleep(_POLL_S)

    def leased(self) -> set[str]:
        """The shards that have a row."""
        with Calling(self._what):
            pages = self._client.get_paginator("scan").paginate(
                TableName=self._name, ProjectionExpression="leaseKey", ConsistentRead=True
            )
            return {item["leaseKey"]["S"] for page in pages for item in page["Items"]}

    def make(self, rows: Sequence[Row]) -> None:
        """Write the rows that are not there; a daemon that runs already may make the same ones."""
        for row in rows:
            with Calling(self._what):
                try:
                    self._client.put_item(
                        TableName=self._name,
                        Item=row,
                        ConditionExpression="attribute_not_exists(leaseKey)",
                    )
                except self._client.exceptions.ConditionalCheckFailedException:
                    continue

    def owner(self, shard_id: str) -> str | None:
        """The worker that has the shard's lease."""
        with Calling(self._what):
            answer = self._client.get_item(
                TableName=self._name, Key={"leaseKey": {"S": shard_id}}, ConsistentRead=True
            )
        return answer.get("Item", {}).get("leaseOwner", {}).get("S")

    def owners(self) -> dict[str, str | None]:
        """Who has each shard's lease; shards that were read to their end left out."""
        with Calling(self._what):
            pages = self._client.get_paginator("scan").paginate(
                TableName=self._name,
                ProjectionExpression="leaseKey, leaseOwner, #c",
                # A word of DynamoDB's own, perhaps: its list grows.
                ExpressionAttributeNames={"#c": "checkpoint"},
            )
            items = [item for page in pages for item in page["Items"]]
        return {
            item["leaseKey"]["S"]: item.get("leaseOwner", {}).get("S")
            for item in items
            if item.get("checkpoint", {}).get("S") != SHARD_END
        }

    def hand_over(self, worker_id: str) -> int:
        """Leave a worker's leases to the others, once it has ended; how many there were.

        The KCL keeps them at its end, and the others would wait until they run out.
        """
        left = 0
        with Calling(self._what):
            pages = self._client.get_paginator("scan").paginate(
                TableName=self._name,
                FilterExpression="leaseOwner = :me",
                ExpressionAttributeValues={":me": {"S": worker_id}},
                ConsistentRead=True,
            )
            for item in [item for page in pages for item in page["Items"]]:
                left += self._leave({"leaseKey": item["leaseKey"]}, worker_id)
        return left

    def _leave(self, key: Row, worker_id: str) -> bool:
        try:
            self._client.update_item(
                TableName=self._name,
                Key=key,
                UpdateExpression="ADD leaseCounter :one REMOVE leaseOwner",
                ConditionExpression="leaseOwner = :me",
                ExpressionAttributeValues={":me": {"S": worker_id}, ":one": {"N": "1"}},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _status(self) -> str | None:
        try:
            return self._client.describe_table(TableName=self._name)["Table"]["TableStatus"]
        except self._client.exceptions.ResourceNotFoundException:
            return None

    def _create(self) -> None:
        try:
            self._client.create_table(
                TableName=self._name,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
                KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
            )
        except self._client.exceptions.ClientError as error:
            if code_of(error) != "ResourceInUseException":
                raise
