"""PutRecords that fails in part, over a real stream: the order on it, not in a script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from mailtumble.aws.clients import Clients
from mailtumble.aws.kinesis import KinesisStream
from mailtumble.aws.patience import Patience
from mailtumble.ports.stream import OutgoingRecord
from schemas.errors import RetryableError

pytestmark = pytest.mark.servers


class FailingInPart:
    """A Kinesis client that keeps chosen records of each PutRecords from the server."""

    def __init__(self, client: Any, failures: Iterator[set[int]]) -> None:  # noqa: ANN401 - a client
        """``failures``: the places to fail, call by call; then none."""
        self._client = client
        self._failures = failures

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the client has
        """Everything else is the client's."""
        return getattr(self._client, name)

    def put_records(self, *, StreamName: str, Records: Sequence[Any]) -> dict[str, Any]:  # noqa: N803
        """Send the others, and answer as Kinesis would."""
        failing = next(self._failures, set())
        passing = [record for place, record in enumerate(Records) if place not in failing]
        results = iter(())
        if passing:
            answer = self._client.put_records(StreamName=StreamName, Records=passing)
            results = iter(answer["Records"])
        failure = {"ErrorCode": "ProvisionedThroughputExceededException"}
        return {
            "Records": [
                failure if place in failing else next(results) for place in range(len(Records))
            ]
        }


def _stored(stream: KinesisStream) -> list[tuple[str, str, bytes]]:
    found = [
        (record.sequence_number, record.subject, record.data)
        for shard in stream.shards()
        for record in stream.reader(shard.id, after=None).read(1000).records
    ]
    return sorted(found)


@pytest.fixture
def name(clients: Clients, unique: str) -> str:
    """A stream of one shard."""
    clients.kinesis.create_stream(StreamName=unique, ShardCount=1)
    waiter = clients.kinesis.get_waiter("stream_exists")
    waiter.wait(StreamName=unique, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    return unique


def test_subjects_keep_their_order_on_the_stream(clients: Clients, name: str) -> None:
    """The last of each record's repeats stand as given, and are the numbers that are told."""
    failures: list[set[int]] = [{0, 3}, {1}, set()]
    client: Any = FailingInPart(clients.kinesis, iter(failures))
    stream = KinesisStream(client, name, sleep=lambda _: None)
    records = [OutgoingRecord("ab"[place % 2], b"%d" % place) for place in range(8)]
    numbers = stream.append(records)
    stored = _stored(stream)
    last = {data: number for number, _, data in stored}
    assert [last[record.data] for record in records] == list(numbers)
    for subject in "ab":
        mine = [last[record.data] for record in records if record.subject == subject]
        assert mine == sorted(mine)
    assert len(stored) > len(records)


def test_what_is_never_acknowledged_is_told(clients: Clients, name: str) -> None:
    """What was acknowledged stands there; the caller appends all again."""
    client: Any = FailingInPart(clients.kinesis, iter([{1}] + [{0}] * 9))
    patience = Patience(tries=3)
    stream = KinesisStream(client, name, patience=patience, sleep=lambda _: None)
    with pytest.raises(RetryableError, match="1 records not acknowledged"):
        stream.append([OutgoingRecord("a", b"0"), OutgoingRecord("b", b"1")])
    assert [data for _, _, data in _stored(stream)] == [b"0"]
