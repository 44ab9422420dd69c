"""The stream's adapter where Kinesis fails in part, wholly, or slowly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st

from mailtumble.aws.clients import Clients
from mailtumble.aws.kinesis import BYTES_MAX, RECORDS_MAX, KinesisStream, parents_first
from mailtumble.aws.patience import Patience
from mailtumble.ports.stream import OutgoingRecord, Shard
from schemas.errors import PermanentError, RetryableError
from schemas.ids import padded
from tests.fakes.answers import error_answer as answer

FIRST = "4" + "9" * 55


class ScriptedKinesis:
    """Stores what PutRecords brings, save the places each call is told to fail."""

    def __init__(self, failures: Sequence[set[int] | Exception]) -> None:
        """``failures``: one entry a call, then no more failures."""
        self._failures = list(failures)
        self.stored: list[tuple[str, bytes]] = []
        self.calls: list[int] = []
        self.sizes: list[int] = []

    def put_records(self, *, StreamName: str, Records: Sequence[Any]) -> dict[str, Any]:  # noqa: N803
        """As Kinesis answers."""
        assert StreamName == "events"
        failure = self._failures.pop(0) if self._failures else set()
        self.calls.append(len(Records))
        self.sizes.append(sum(len(record["Data"]) for record in Records))
        if isinstance(failure, Exception):
            raise failure
        results: list[dict[str, str]] = []
        for place, record in enumerate(Records):
            if place in failure:
                results.append({"ErrorCode": "ProvisionedThroughputExceededException"})
            else:
                self.stored.append((record["PartitionKey"], record["Data"]))
                results.append({"SequenceNumber": str(len(self.stored))})
        return {"Records": results}


def _stream(client: Any, pauses: list[float], tries: int = 5) -> KinesisStream:  # noqa: ANN401
    patience = Patience(tries=tries, first_s=1, longest_s=3)
    return KinesisStream(client, "events", patience=patience, sleep=pauses.append)


def _records(*subjects: str) -> list[OutgoingRecord]:
    return [OutgoingRecord(subject, b"%d" % place) for place, subject in enumerate(subjects)]


def test_the_failed_record_and_all_later_ones_of_its_subject_go_again(pauses: list[float]) -> None:
    """Others that were taken are not repeated."""
    client = ScriptedKinesis([{1}])
    numbers = _stream(client, pauses).append(_records("a", "b", "a", "b", "c"))
    assert client.stored == [
        ("a", b"0"),
        ("a", b"2"),
        ("b", b"3"),
        ("c", b"4"),
        ("b", b"1"),
        ("b", b"3"),
    ]
    assert numbers == [padded(number) for number in ("1", "5", "2", "6", "4")]
    assert (client.calls, pauses) == ([5, 2], [1])


@given(
    subjects=st.lists(st.sampled_from("abc"), min_size=1, max_size=12),
    failures=st.lists(st.sets(st.integers(0, 11)), max_size=4),
)
def test_whatever_fails_the_last_of_each_stand_in_order(
    subjects: list[str], failures: list[set[int]]
) -> None:
    """No later record of a subject stays before an earlier one without standing after it too."""
    client = ScriptedKinesis(failures)
    records = _records(*subjects)
    numbers = _stream(client, []).append(records)
    last = {data: place for place, (_, data) in enumerate(client.stored, start=1)}
    assert numbers == [padded(str(last[record.data])) for record in records]
    for subject in set(subjects):
        mine = [last[record.data] for record in records if record.subject == subject]
        assert mine == sorted(mine)


def test_patience_ends(pauses: list[float]) -> None:
    """The pauses double up to the longest, then the caller is told."""
    client = ScriptedKinesis([{0}] * 99)
    with pytest.raises(RetryableError, match="1 records not acknowledged after 5 tries"):
        _stream(client, pauses).append(_records("a"))
    assert pauses == [1, 2, 3, 3]


def test_a_call_that_fails_wholly_is_made_again(pauses: list[float]) -> None:
    """A lost reply may leave repeats, in order; readers know them by id."""
    client = ScriptedKinesis([answer("InternalFailure", 500), {0}])
    _stream(client, pauses).append(_records("a", "a"))
    assert (client.calls, pauses) == ([2, 2, 2], [1, 2])
    assert [data for _, data in client.stored] == [b"1", b"0", b"1"]


def test_a_refusal_for_good_is_not_repeated(pauses: list[float]) -> None:
    """Access denied will be denied again."""
    client = ScriptedKinesis([answer("AccessDeniedException")])
    with pytest.raises(PermanentError, match="stream events: AccessDenied"):
        _stream(client, pauses).append(_records("a"))
    assert pauses == []


def test_a_later_chunk_waits_for_the_earlier_one(pauses: list[float]) -> None:
    """Order over calls: the second chunk goes when the first is acknowledged whole."""
    client = ScriptedKinesis([{499}])
    _stream(client, pauses).append(_records(*["a"] * 501))
    assert [data for _, data in client.stored] == [b"%d" % place for place in range(501)]
    assert client.calls == [500, 1, 1]


@given(st.lists(st.integers(0, 1_000_000), max_size=30))
def test_no_call_is_too_big(sizes: list[int]) -> None:
    """500 records and 4 MiB at most, and all are sent."""
    client = ScriptedKinesis([])
    _stream(client, []).append([OutgoingRecord("a", bytes(size)) for size in sizes])
    assert all(count <= RECORDS_MAX for count in client.calls)
    assert all(size <= BYTES_MAX for size in client.sizes)
    assert [len(data) for _, data in client.stored] == sizes


def _shard(number: int, *parents: int, closed: bool = False) -> dict[str, Any]:
    sequence = {"StartingSequenceNumber": FIRST}
    if closed:
        sequence["EndingSequenceNumber"] = FIRST
    names = [f"shardId-{parent:012d}" for parent in parents]
    return {
        "ShardId": f"shardId-{number:012d}",
        "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": "9"},
        "SequenceNumberRange": sequence,
        **dict(zip(("ParentShardId", "AdjacentParentShardId"), names, strict=False)),
    }


def test_shards_are_listed_over_pages_parents_first(clients: Clients) -> None:
    """Both parents of a merge are told, and the closed ones."""
    client = clients.kinesis
    with Stubber(client) as stub:
        stub.add_response(
            "list_shards",
            {"Shards": [_shard(3, 1, 2)], "NextToken": "more"},
            {"StreamName": "events"},
        )
        stub.add_response(
            "list_shards",
            {"Shards": [_shard(1, closed=True), _shard(2, closed=True)]},
            {"NextToken": "more"},
        )
        shards = KinesisStream(client, "events").shards()
    assert [shard.id[-1] for shard in shards] == ["1", "2", "3"]
    assert [shard.closed for shard in shards] == [True, True, False]
    assert shards[2].parents == ("shardId-000000000001", "shardId-000000000002")
    assert (shards[0].first_hash_key, shards[0].last_hash_key) == (0, 9)


@given(st.permutations(range(7)))
def test_parents_come_first_whatever_the_order_and_the_ids(order: list[int]) -> None:
    """A tree of splits and a merge, with an unlisted parent among them."""
    parents = {0: (), 6: ("0",), 1: ("0",), 5: ("6", "1"), 2: ("5",), 4: ("gone",), 3: ("2", "4")}
    shards = parents_first([Shard(str(each), 0, 1, parents[each]) for each in order])
    places = {shard.id: place for place, shard in enumerate(shards)}
    assert len(places) == 7
    for shard in shards:
        assert all(places[p] < places[shard.id] for p in shard.parents if p in places)


def _batch(*numbers: str, following: str | None = "next") -> dict[str, Any]:
    records = [
        {
            "SequenceNumber": number,
            "PartitionKey": "a",
            "Data": b"x",
            "ApproximateArrivalTimestamp": 1.5,
        }
        for number in numbers
    ]
    batch: dict[str, Any] = {"Records": records, "MillisBehindLatest": 7}
    if following is not None:
        batch["NextShardIterator"] = following
    return batch


def _expect(stub: Stubber, position: dict[str, str], *batches: dict[str, Any]) -> None:
    stub.add_response(
        "get_shard_iterator",
        {"ShardIterator": "first"},
        {"StreamName": "events", "ShardId": "shardId-0", **position},
    )
    for batch in batches:
        stub.add_response("get_records", batch)


def test_an_expired_iterator_is_renewed_after_the_last_record(clients: Clients) -> None:
    """The caller sees nothing of it."""
    client = clients.kinesis
    with Stubber(client) as stub:
        _expect(stub, {"ShardIteratorType": "TRIM_HORIZON"}, _batch(FIRST))
        stub.add_client_error("get_records", "ExpiredIteratorException")
        stub.add_response("list_shards", {"Shards": [_shard(0)]})
        after = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": FIRST}
        _expect(stub, after, _batch())
        reader = KinesisStream(client, "events").reader("shardId-0", after=None)
        (record,) = reader.read(10).records
        assert (record.sequence_number, record.arrived_at) == (padded(FIRST), 1_500_000)
        assert reader.read(10).lag_ms == 7
        stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("given", "milliseconds"),
    [
        (1_767_225_600.123, 1_767_225_600_123),
        (1_767_225_600.123999, 1_767_225_600_123),
        (1_767_225_600.1235, 1_767_225_600_123),
        (1_767_225_600, 1_767_225_600_000),
    ],
)
def test_arrival_is_rounded_down_to_milliseconds(
    clients: Clients, given: float, milliseconds: int
) -> None:
    """So that a worker in the embedded host and one in the KCL judge by the same time."""
    batch = _batch(FIRST)
    batch["Records"][0]["ApproximateArrivalTimestamp"] = given
    with Stubber(clients.kinesis) as stub:
        _expect(stub, {"ShardIteratorType": "TRIM_HORIZON"}, batch)
        reader = KinesisStream(clients.kinesis, "events").reader("shardId-0", after=None)
        (record,) = reader.read(10).records
    assert record.arrived_at == milliseconds * 1_000


def test_a_shards_end_is_told_and_stays(clients: Clients) -> None:
    """No following iterator: the shard is closed and read. No call is made after that."""
    client = clients.kinesis
    with Stubber(client) as stub:
        _expect(stub, {"ShardIteratorType": "TRIM_HORIZON"}, _batch(FIRST, following=None))
        reader = KinesisStream(client, "events").reader("shardId-0", after=None)
        batch = reader.read(10)
        assert (len(batch.records), batch.ended) == (1, True)
        assert reader.read(10).ended


def test_a_throttled_read_is_retryable_and_keeps_its_place(clients: Clients) -> None:
    """The next read goes on with the same iterator."""
    client = clients.kinesis
    with Stubber(client) as stub:
        _expect(stub, {"ShardIteratorType": "TRIM_HORIZON"})
        stub.add_client_error("get_records", "ProvisionedThroughputExceededException")
        stub.add_response("get_records", _batch(), {"ShardIterator": "first", "Limit": 10})
        reader = KinesisStream(client, "events").reader("shardId-0", after=None)
        with pytest.raises(RetryableError, match="shard shardId-0 of stream events"):
            reader.read(10)
        assert not reader.read(10).ended


def test_a_position_kinesis_refuses_is_told_as_trimmed(clients: Clients) -> None:
    """Nobody can read on from there: say so, rather than begin elsewhere."""
    client = clients.kinesis
    with Stubber(client) as stub:
        stub.add_response("list_shards", {"Shards": [_shard(0)]})
        stub.add_client_error("get_shard_iterator", "InvalidArgumentException")
        reader = KinesisStream(client, "events").reader("shardId-0", after=padded(FIRST))
        with pytest.raises(PermanentError, match="trimmed"):
            reader.read(10)
