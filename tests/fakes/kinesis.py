"""Kinesis's PutRecords over the stream in memory, for the product's own producer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mailtumble.ports.stream import OutgoingRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.fakes.stream import InMemoryStream


class InMemoryKinesis:
    """The one call of a boto3 client that :class:`mailtumble.aws.kinesis.KinesisStream` appends by.

    ``fails``: asked for each record, whether Kinesis refuses it this time; the others are stored.
    """

    def __init__(self, stream: InMemoryStream, fails: Callable[[], bool]) -> None:
        """Store what does not fail in ``stream``."""
        self._stream = stream
        self._fails = fails

    def put_records(self, *, StreamName: str, Records: Sequence[Mapping[str, Any]]) -> Any:  # noqa: N803, ANN401, ARG002 - boto3's names
        """Store the records in order, but for those that fail."""
        results = [self._result(record) for record in Records]
        failed = sum(1 for result in results if "ErrorCode" in result)
        return {"FailedRecordCount": failed, "Records": results}

    def _result(self, record: Mapping[str, Any]) -> dict[str, str]:
        if self._fails():
            return {
                "ErrorCode": "ProvisionedThroughputExceededException",
                "ErrorMessage": "Rate exceeded for shard",
            }
        outgoing = OutgoingRecord(record["PartitionKey"], record["Data"])
        number = self._stream.append([outgoing])[0]
        return {"SequenceNumber": number.lstrip("0"), "ShardId": "shardId-0"}
