"""S3 and SNS as far as the local SES uses them, in memory."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import EndpointConnectionError


class InMemoryS3:
    """Keeps objects in a dictionary; ``failures`` puts fail first."""

    def __init__(self) -> None:
        """Begin empty."""
        self.objects: dict[tuple[str, str], bytes] = {}
        self.failures = 0

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> object:  # noqa: N803
        """As boto3 does."""
        if self.failures:
            self.failures -= 1
            raise EndpointConnectionError(endpoint_url="s3")
        self.objects[Bucket, Key] = Body
        return {}


class InMemorySns:
    """Keeps messages in a list; fails first as often as it's told, whole or in part."""

    def __init__(self) -> None:
        """Begin empty."""
        self.messages: list[tuple[str, str]] = []
        self.batch_sizes: list[int] = []
        self.failures = 0
        self.refused_entries = 0
        self.changed = threading.Condition()

    def publish(self, *, TopicArn: str, Message: str) -> object:  # noqa: N803
        """As boto3 does."""
        self._fail()
        self.messages.append((TopicArn, Message))
        return {}

    def publish_batch(
        self,
        *,
        TopicArn: str,  # noqa: N803
        PublishBatchRequestEntries: Sequence[Any],  # noqa: N803
    ) -> dict[str, Any]:
        """As boto3 does."""
        with self.changed:
            self._fail()
            entries = list(PublishBatchRequestEntries)
            refused, self.refused_entries = entries[: self.refused_entries], 0
            self.batch_sizes.append(len(entries))
            self.messages += [(TopicArn, entry["Message"]) for entry in entries[len(refused) :]]
            self.changed.notify_all()
        return {"Failed": [{"Id": entry["Id"]} for entry in refused]}

    def wait_for(self, count: int) -> list[str]:
        """Wait until so many messages are there, and return their texts."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.messages) >= count, timeout=60)
            return [text for _, text in self.messages]

    def _fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise EndpointConnectionError(endpoint_url="sns")
