"""Reading for an audit is patient, goes easy on the shard, and keeps the order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mailtumble.audit import tapes
from mailtumble.audit.tapes import Tapes
from mailtumble.ports.stream import Batch, OutgoingRecord, Shard, StoredRecord
from schemas.errors import MailtumbleError, RetryableError
from schemas.values import SECOND_US
from tests.fakes import InMemoryStream, VirtualClock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LAST = "~"
"""Behind every sequence number."""


@pytest.fixture(autouse=True)
def small_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten records a read."""
    monkeypatch.setattr(tapes, "RECORDS_MAX", 10)


class Scripted:
    """A stream of one shard that answers its reads by a script; errors are raised."""

    def __init__(self, *answers: Batch | Exception) -> None:
        """Give these in their order."""
        self.answers = list(answers)

    def append(self, records: Sequence[OutgoingRecord]) -> Sequence[str]:
        """Not here."""
        raise NotImplementedError

    def shards(self) -> Sequence[Shard]:
        """The one."""
        return (Shard("shard-0", 0, 9),)

    def reader(self, shard_id: str, *, after: str | None, at: str | None = None) -> Scripted:
        """Itself, from the oldest record on."""
        assert (shard_id, after, at) == ("shard-0", None, None)
        return self

    def read(self, limit: int) -> Batch:
        """The next answer."""
        assert limit == 10
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def batch(*numbers: str, lag_ms: int = 0, at: int = 0) -> Batch:
    """A read's answer."""
    return Batch([StoredRecord(each, "s", b"", at) for each in numbers], ended=False, lag_ms=lag_ms)


def numbers(read: Tapes) -> list[str]:
    """All sequence numbers on the tapes."""
    return [record.sequence_number for tape in read for record, _ in tape.records(0, until=LAST)]


def read_all(stream: Scripted, clock: VirtualClock, position: str = "") -> list[str]:
    """Read a scripted stream to its end."""
    with Tapes(stream, clock, lambda share: None) as read:  # noqa: ARG005 - nobody listens
        read.shards()
        read.read_to_end({"shard-0": position})
        return numbers(read)


@pytest.fixture
def clock() -> VirtualClock:
    """Time passes where somebody sleeps."""
    return VirtualClock()


@pytest.fixture
def tape_world(clock: VirtualClock) -> Iterator[tuple[InMemoryStream, Tapes, list[float]]]:
    """A stream, its tapes, and what was heard of the progress."""
    stream, heard = InMemoryStream(clock, shards=1), []
    with Tapes(stream, clock, heard.append) as read:
        yield stream, read, heard


def test_all_records_are_read_with_a_second_between_reads(
    tape_world: tuple[InMemoryStream, Tapes, list[float]], clock: VirtualClock
) -> None:
    """Twenty-five records are three reads."""
    stream, read, heard = tape_world
    stream.append([OutgoingRecord(f"s{each}", b"x") for each in range(25)])
    clock.advance(60)
    before = clock.now()
    read.shards()
    read.read_to_end({})
    assert numbers(read) == [each.sequence_number for each in stream.records()]
    assert clock.now() - before == 2 * SECOND_US
    assert heard[-1] == 1
    assert heard == sorted(heard)


def test_a_tape_goes_on_where_it_was(
    tape_world: tuple[InMemoryStream, Tapes, list[float]],
) -> None:
    """What is appended later is read later, from an offset on, and up to a number."""
    stream, read, _ = tape_world
    first, second = stream.append([OutgoingRecord("s", b"1"), OutgoingRecord("s", b"2")])
    read.shards()
    read.read_to_end({})
    (tape,) = read
    ((record, offset),) = tape.records(0, until=first)
    assert record.data == b"1"
    (third,) = stream.append([OutgoingRecord("s", b"3")])
    read.read_until({tape.shard.id: second})
    assert tape.last == second
    read.read_until({tape.shard.id: third})
    assert [each.data for each, _ in tape.records(offset, until=LAST)] == [b"2", b"3"]
    assert [each.data for each, _ in tape.records(0, until=LAST)] == [b"1", b"2", b"3"]


def test_a_large_tape_lies_on_the_disk(
    tape_world: tuple[InMemoryStream, Tapes, list[float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And says the same."""
    monkeypatch.setattr(tapes, "IN_MEMORY_BYTES_MAX", 100)
    stream, read, _ = tape_world
    stream.append([OutgoingRecord(f"s{each}", b"x" * 50) for each in range(25)])
    read.shards()
    read.read_to_end({})
    assert numbers(read) == [each.sequence_number for each in stream.records()]


def test_a_throttled_read_is_tried_again(clock: VirtualClock) -> None:
    """The workers come first; a stream that stays out is an error."""
    out = RetryableError("throttled")
    assert read_all(Scripted(out, out, batch("1")), clock) == ["1"]
    with pytest.raises(RetryableError, match="throttled"):
        read_all(Scripted(*[out] * tapes.TRIES_MAX), clock)


def test_an_empty_read_with_a_lag_is_not_the_end(clock: VirtualClock) -> None:
    """Kinesis gives such where there are gaps."""
    script = (batch("1", lag_ms=9_000), batch(lag_ms=5_000), batch("2"))
    assert read_all(Scripted(*script), clock) == ["1", "2"]


def test_where_core_has_read_has_to_be_there(clock: VirtualClock) -> None:
    """It may take a moment to show; a shard that never shows it is another stream's."""
    assert read_all(Scripted(batch("1"), batch(), batch("2")), clock, "2") == ["1", "2"]
    with pytest.raises(MailtumbleError, match="tables and stream don't belong together"):
        read_all(Scripted(batch("1"), batch(), batch()), clock, "2")


def test_a_shard_whose_records_are_all_trimmed_is_empty(clock: VirtualClock) -> None:
    """Though core has read it once."""
    assert read_all(Scripted(batch(), batch(), batch()), clock, "2") == []


def test_a_shard_that_fills_as_fast_as_it_is_read_has_an_end(clock: VirtualClock) -> None:
    """What comes later than now is not needed."""
    later = clock.now() + 90 * SECOND_US
    script = (batch("1", lag_ms=9_000), batch("2", lag_ms=9_000, at=later))
    assert read_all(Scripted(*script), clock, "1") == ["1", "2"]
