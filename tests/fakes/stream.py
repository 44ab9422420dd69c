"""A stream of shards in memory, with Kinesis's ways: gaps, padded numbers, split and merge."""

from __future__ import annotations

import dataclasses
import itertools
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mailtumble.ports.stream import Batch, Shard, StoredRecord
from schemas.errors import BadInput, PermanentError
from schemas.ids import HASH_KEY_SPACE, SEQUENCE_DIGITS, hash_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailtumble.ports.stream import OutgoingRecord
    from tests.fakes.clock import VirtualClock

_PREFIX: Final = "0" * (SEQUENCE_DIGITS - 56) + "49"
_COUNTER_DIGITS: Final = SEQUENCE_DIGITS - len(_PREFIX)
_FIRST: Final = 664_400_000_000_000_000_000
_GAPS: Final = (1, 17, 4_294_967_297, 2, 998_244_353, 65_537, 3)
"""Sequence numbers are not dense: the distance to the next one cycles through these."""


@dataclass(slots=True)
class _Content:
    """One shard's records; ``numbers`` are their sequence numbers, for bisection."""

    shard: Shard
    records: list[StoredRecord] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    trimmed_to: str = ""
    forgotten: list[StoredRecord] = field(default_factory=list)


class TrimmedPosition(PermanentError):  # noqa: N818 - what happened
    """What was asked for has fallen out of the retention."""


class InMemoryStream:
    """An :class:`mailtumble.ports.stream.EventStream` that never fails."""

    def __init__(self, clock: VirtualClock, shards: int = 4) -> None:
        """Open ``shards`` shards of (nearly) equal hash ranges."""
        self._clock = clock
        self._last = _FIRST
        self._appended = 0
        self._created = 0
        self._contents: dict[str, _Content] = {}
        self._unlisted: dict[str, _Content] = {}
        self._open: list[_Content] = []
        self._bounds: list[int] = []
        edges = [HASH_KEY_SPACE * number // shards for number in range(shards + 1)]
        for first, end in itertools.pairwise(edges):
            self._add_shard(first, end - 1, ())
        self._index_open_shards()

    def append(self, records: Sequence[OutgoingRecord]) -> Sequence[str]:
        """Append all; their sequence numbers in order."""
        return [self._append(record.subject, record.data) for record in records]

    def shards(self) -> Sequence[Shard]:
        """Every listed shard; a shard is created after its parents, so they come first."""
        return [content.shard for content in self._contents.values()]

    def reader(
        self, shard_id: str, *, after: str | None, at: str | None = None
    ) -> InMemoryShardReader:
        """Read from a position on; one that has been trimmed is an error.

        Raises:
            PermanentError: no such shard, or the position lies before the retained records.
        """
        content = self._content(shard_id)
        if after is not None and at is not None:
            message = "a reader starts after a record or at one, not both"
            raise BadInput(message)
        gone = content.trimmed_to
        if (after is not None and after < gone) or (at is not None and at <= gone):
            message = f"{shard_id}: position {after or at} has been trimmed from the stream"
            raise TrimmedPosition(message)
        if at is not None:
            start = bisect_right(content.numbers, at)
            found = start > 0 and content.numbers[start - 1] == at
            return InMemoryShardReader(self, content, at, inclusive=found)
        return InMemoryShardReader(self, content, after or "", inclusive=False)

    def split(self, shard_id: str, at: int | None = None) -> tuple[str, str]:
        """Close a shard and open its two children; the second begins at hash key ``at``."""
        parent = self._content(shard_id).shard
        middle = (parent.first_hash_key + parent.last_hash_key + 1) // 2 if at is None else at
        self._close(shard_id)
        children = (
            self._add_shard(parent.first_hash_key, middle - 1, (shard_id,)),
            self._add_shard(middle, parent.last_hash_key, (shard_id,)),
        )
        self._index_open_shards()
        return children

    def merge(self, shard_id: str, adjacent_id: str) -> str:
        """Close two neighbouring shards and open the one that takes both ranges."""
        both = sorted(
            (self._content(shard_id).shard, self._content(adjacent_id).shard),
            key=lambda shard: shard.first_hash_key,
        )
        if both[0].last_hash_key + 1 != both[1].first_hash_key:
            message = f"{shard_id} and {adjacent_id} are not neighbours"
            raise BadInput(message)
        self._close(shard_id)
        self._close(adjacent_id)
        child = self._add_shard(
            both[0].first_hash_key, both[1].last_hash_key, (shard_id, adjacent_id)
        )
        self._index_open_shards()
        return child

    def repeat(self, sequence_number: str) -> str:
        """Append a stored record once more, as a producer's retry does; its new number."""
        for record in self.all_records():
            if record.sequence_number == sequence_number:
                return self._append(record.subject, record.data)
        message = f"no record {sequence_number} to repeat"
        raise BadInput(message)

    def trim(self, shard_id: str, up_to: str) -> None:
        """Let the records up to and with ``up_to`` fall out of the retention."""
        content = self._content(shard_id)
        count = bisect_right(content.numbers, up_to)
        content.forgotten += content.records[:count]
        del content.records[:count], content.numbers[:count]
        content.trimmed_to = max(content.trimmed_to, up_to)

    def unlist(self, shard_id: str) -> None:
        """Forget a closed shard, as Kinesis does once all its records are out of retention."""
        if not self._content(shard_id).shard.closed:
            message = f"{shard_id} is open: only closed shards are ever forgotten"
            raise BadInput(message)
        self._unlisted[shard_id] = self._contents.pop(shard_id)

    def records(self, shard_id: str | None = None) -> Sequence[StoredRecord]:
        """What stands on a shard, or on all of them in the order of arrival; for assertions."""
        if shard_id is not None:
            return list(self._content(shard_id).records)
        everything = (record for content in self._contents.values() for record in content.records)
        return sorted(everything, key=lambda record: record.sequence_number)

    def last(self, shard_id: str) -> str:
        """The last sequence number of a shard, "" where nothing came; for assertions."""
        content = self._content(shard_id)
        return content.numbers[-1] if content.numbers else content.trimmed_to

    def every_shard(self) -> Sequence[Shard]:
        """Every shard there ever was, parents first, those no longer listed too."""
        everything = {**self._unlisted, **self._contents}
        return [everything[name].shard for name in sorted(everything)]

    def history(self) -> Mapping[str, Sequence[StoredRecord]]:
        """Everything that ever arrived, by shard, the forgotten records too; for assertions."""
        everything = {**self._unlisted, **self._contents}
        return {
            name: [*everything[name].forgotten, *everything[name].records]
            for name in sorted(everything)
        }

    def all_records(self) -> Sequence[StoredRecord]:
        """Everything that ever arrived, in the order of arrival; for assertions."""
        everything = (record for records in self.history().values() for record in records)
        return sorted(everything, key=lambda record: record.sequence_number)

    def lag_ms(self, last: StoredRecord) -> int:
        """How long ago ``last`` arrived, in milliseconds."""
        return (self._clock.now() - last.arrived_at) // 1000

    def _append(self, subject: str, data: bytes) -> str:
        content = self._open[bisect_right(self._bounds, hash_key(subject)) - 1]
        self._last += _GAPS[self._appended % len(_GAPS)]
        self._appended += 1
        number = f"{_PREFIX}{self._last:0{_COUNTER_DIGITS}d}"
        content.records.append(StoredRecord(number, subject, data, self._clock.now()))
        content.numbers.append(number)
        return number

    def _add_shard(self, first: int, last: int, parents: tuple[str, ...]) -> str:
        name = f"shardId-{self._created:012d}"
        self._created += 1
        self._contents[name] = _Content(Shard(name, first, last, parents))
        return name

    def _close(self, shard_id: str) -> None:
        content = self._content(shard_id)
        if content.shard.closed:
            message = f"{shard_id} is closed already"
            raise BadInput(message)
        content.shard = dataclasses.replace(content.shard, closed=True)

    def _index_open_shards(self) -> None:
        self._open = sorted(
            (content for content in self._contents.values() if not content.shard.closed),
            key=lambda content: content.shard.first_hash_key,
        )
        self._bounds = [content.shard.first_hash_key for content in self._open]

    def _content(self, shard_id: str) -> _Content:
        try:
            return self._contents[shard_id]
        except KeyError:
            message = f"the stream has no shard {shard_id}"
            if shard_id in self._unlisted:
                raise TrimmedPosition(message) from None
            raise PermanentError(message) from None


class InMemoryShardReader:
    """A position by sequence number, so that trimming under a reader doesn't shift it."""

    def __init__(
        self, stream: InMemoryStream, content: _Content, position: str, *, inclusive: bool
    ) -> None:
        """Start after ``position``, or at it."""
        self._stream = stream
        self._content = content
        self._position = position
        self._inclusive = inclusive
        self._over = False

    def read(self, limit: int) -> Batch:
        """The next records; ``ended`` comes with the last ones of a closed shard."""
        if self._over:
            return Batch((), ended=True, lag_ms=0)
        content = self._content
        start = bisect_right(content.numbers, self._position) - self._inclusive
        records = content.records[start : start + limit]
        if records:
            self._position = records[-1].sequence_number
            self._inclusive = False
        at_tip = start + len(records) >= len(content.records)
        self._over = at_tip and content.shard.closed
        lag_ms = 0 if at_tip or not records else self._stream.lag_ms(records[-1])
        return Batch(records, ended=self._over, lag_ms=lag_ms)
