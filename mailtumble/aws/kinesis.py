"""The event stream on Kinesis."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from mailtumble.aws import patience as waiting
from mailtumble.aws.errors import Calling, code_of
from mailtumble.aws.patience import Patience, Sleep
from mailtumble.ports.stream import Batch, OutgoingRecord, Shard, StoredRecord
from schemas.errors import BadInput, PermanentError, RetryableError
from schemas.ids import padded

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

RECORDS_MAX: Final = 500
BYTES_MAX: Final = 4 * 1024 * 1024
"""Kinesis takes 10 MiB a call, some emulators 5."""
READ_MAX: Final = 10_000
_US: Final = 1_000_000


class KinesisStream:
    """An :class:`mailtumble.ports.stream.EventStream`.

    Order is kept because one call at a time is in flight for the records of one ``append``. Two
    threads must not append records of the same subject at the same time.
    """

    def __init__(
        self,
        client: KinesisClient,
        name: str,
        *,
        patience: Patience | None = None,
        sleep: Sleep = waiting.sleep,
    ) -> None:
        """Use the stream with the physical ``name``."""
        self._client = client
        self._name = name
        self._patience = patience or Patience(tries=10, first_s=0.1, longest_s=2.0)
        self._sleep = sleep
        self._digits = 0

    def append(self, records: Sequence[OutgoingRecord]) -> Sequence[str]:
        """Append all, chunk by chunk; their last sequence numbers, padded."""
        numbers = [""] * len(records)
        for chunk in _chunks(records):
            self._append_chunk(records, chunk, numbers)
        return numbers

    def shards(self) -> Sequence[Shard]:
        """Every listed shard, parents first."""
        listed: list[Shard] = []
        arguments: dict[str, Any] = {"StreamName": self._name}
        while arguments:
            with Calling(f"stream {self._name}"):
                answer = self._client.list_shards(**arguments)
            for each in answer["Shards"]:
                listed.append(_shard(each))
                self._digits = len(each["SequenceNumberRange"]["StartingSequenceNumber"])
            token = answer.get("NextToken")
            arguments = {"NextToken": token} if token else {}
        return parents_first(listed)

    def reader(
        self, shard_id: str, *, after: str | None, at: str | None = None
    ) -> KinesisShardReader:
        """Read a shard; the position is first looked at by the first read."""
        if after is not None and at is not None:
            raise BadInput("a reader starts after a record or at one, not both")
        return KinesisShardReader(self._client, self._name, shard_id, self._own, after=after, at=at)

    def _own(self, padded_number: str) -> str:
        """A sequence number as long as the stream's own are: 56 digits on Kinesis.

        Some emulators' are shorter, begin with noughts, and are compared as text.
        """
        if not self._digits:
            self.shards()
        return padded_number[-self._digits :]

    def _append_chunk(
        self, records: Sequence[OutgoingRecord], chunk: Sequence[int], numbers: list[str]
    ) -> None:
        pending = chunk
        pauses = self._patience.pauses()
        while True:
            pending, why = self._put(records, pending, numbers)
            if not pending:
                return
            pause = next(pauses, None)
            if pause is None:
                raise RetryableError(
                    f"stream {self._name}: {len(pending)} records not acknowledged after "
                    f"{self._patience.tries} tries, the last one: {why}"
                )
            self._sleep(pause)

    def _put(
        self, records: Sequence[OutgoingRecord], places: Sequence[int], numbers: list[str]
    ) -> tuple[list[int], str]:
        """One PutRecords; the places to send again, and why."""
        entries = [
            {"Data": records[place].data, "PartitionKey": records[place].subject}
            for place in places
        ]
        try:
            with Calling(f"stream {self._name}"):
                answer = self._client.put_records(
                    StreamName=self._name,
                    Records=entries,  # type: ignore[arg-type]
                )
        except RetryableError as error:
            return list(places), str(error)
        failed_subjects: set[str] = set()
        again: list[int] = []
        why = ""
        for place, result in zip(places, answer["Records"], strict=True):
            subject = records[place].subject
            if result.get("ErrorCode"):
                failed_subjects.add(subject)
                why = f"{result['ErrorCode']}: {result.get('ErrorMessage', '')}"
            else:
                numbers[place] = padded(result["SequenceNumber"])
            if subject in failed_subjects:
                again.append(place)
        return again, why


class KinesisShardReader:
    """A :class:`mailtumble.ports.stream.ShardReader`."""

    def __init__(
        self,
        client: KinesisClient,
        stream_name: str,
        shard_id: str,
        own: Callable[[str], str],
        *,
        after: str | None,
        at: str | None,
    ) -> None:
        """Start after or at a padded sequence number, or at the oldest record.

        ``own`` turns a padded sequence number into the stream's.
        """
        self._own = own
        self._client = client
        self._stream_name = stream_name
        self._shard_id = shard_id
        self._after = after
        self._at = at
        self._iterator: str | None = None
        self._over = False

    def read(self, limit: int) -> Batch:
        """One GetRecords call, and one GetShardIterator before it where there is no iterator."""
        if self._over:
            return Batch((), ended=True, lag_ms=0)
        with Calling(f"shard {self._shard_id} of stream {self._stream_name}"):
            answer = self._get_records(min(limit, READ_MAX))
        records = [_stored(each) for each in answer["Records"]]
        if records:
            self._after, self._at = records[-1].sequence_number, None
        self._iterator = answer.get("NextShardIterator")
        self._over = self._iterator is None
        return Batch(records, ended=self._over, lag_ms=int(answer.get("MillisBehindLatest") or 0))

    def _get_records(self, limit: int) -> Any:  # noqa: ANN401 - the stubs' times are datetimes
        if self._iterator is not None:
            try:
                return self._client.get_records(ShardIterator=self._iterator, Limit=limit)
            except self._client.exceptions.ExpiredIteratorException:
                self._iterator = None
        self._iterator = self._new_iterator()
        return self._client.get_records(ShardIterator=self._iterator, Limit=limit)

    def _new_iterator(self) -> str:
        position = self._at or self._after
        arguments: dict[str, Any] = {"ShardIteratorType": "TRIM_HORIZON"}
        if position:
            kind = "AT_SEQUENCE_NUMBER" if self._at else "AFTER_SEQUENCE_NUMBER"
            arguments = {"ShardIteratorType": kind}
            arguments["StartingSequenceNumber"] = self._own(position)
        try:
            answer = self._client.get_shard_iterator(
                StreamName=self._stream_name, ShardId=self._shard_id, **arguments
            )
        except self._client.exceptions.ClientError as error:
            if position and code_of(error) == "InvalidArgumentException":
                raise PermanentError(
                    f"shard {self._shard_id} of stream {self._stream_name}: Kinesis doesn't accept "
                    f"position {position}; its record is trimmed, or of another stream: {error}"
                ) from error
            raise
        return answer["ShardIterator"]


def parents_first(shards: Sequence[Shard]) -> Sequence[Shard]:
    """Sort so that every listed parent stands before its children, else by id."""
    by_id = {shard.id: shard for shard in sorted(shards, key=lambda shard: shard.id)}
    placed: dict[str, Shard] = {}
    waiting_for = list(reversed(by_id.values()))
    while waiting_for:
        shard = waiting_for[-1]
        missing = [name for name in shard.parents if name in by_id and name not in placed]
        if missing:
            waiting_for += [by_id[name] for name in missing]
        else:
            waiting_for.pop()
            placed.setdefault(shard.id, shard)
    return list(placed.values())


def _chunks(records: Sequence[OutgoingRecord]) -> Iterator[Sequence[int]]:
    """Places of records that fit into one call each; a record too big by itself goes alone."""
    start = size = 0
    for place, record in enumerate(records):
        weight = len(record.data) + len(record.subject.encode())
        if place > start and (place - start == RECORDS_MAX or size + weight > BYTES_MAX):
            yield range(start, place)
            start, size = place, 0
        size += weight
    if start < len(records):
        yield range(start, len(records))


def _shard(answer: Any) -> Shard:  # noqa: ANN401 - botocore's dict
    parents = (answer.get("ParentShardId"), answer.get("AdjacentParentShardId"))
    hash_keys = answer["HashKeyRange"]
    return Shard(
        id=answer["ShardId"],
        first_hash_key=int(hash_keys["StartingHashKey"]),
        last_hash_key=int(hash_keys["EndingHashKey"]),
        parents=tuple(parent for parent in parents if parent),
        closed=bool(answer["SequenceNumberRange"].get("EndingSequenceNumber")),
    )


def _stored(answer: Any) -> StoredRecord:  # noqa: ANN401 - botocore's dict
    return StoredRecord(
        sequence_number=padded(answer["SequenceNumber"]),
        subject=answer["PartitionKey"],
        data=answer["Data"],
        arrived_at=round(float(answer["ApproximateArrivalTimestamp"]) * _US),
    )
