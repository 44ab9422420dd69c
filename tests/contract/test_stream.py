"""The contract of EventStream."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mailtumble.ports.stream import EventStream, OutgoingRecord, StoredRecord
from schemas.errors import BadInput, MailtumbleError
from schemas.ids import HASH_KEY_SPACE, SEQUENCE_DIGITS, hash_key


def _records(subject: str, count: int) -> list[OutgoingRecord]:
    return [OutgoingRecord(subject, b"%d" % number) for number in range(count)]


def _shard_of(stream: EventStream, subject: str) -> str:
    return next(shard.id for shard in stream.shards() if shard.holds(hash_key(subject)))


def _read(
    stream: EventStream, shard_id: str, wanted: int, *, after: str | None = None, limit: int = 1000
) -> list[StoredRecord]:
    reader = stream.reader(shard_id, after=after)
    found: list[StoredRecord] = []
    for _ in range(200):
        found += reader.read(limit).records
        if len(found) >= wanted:
            break
    return found


def _data(records: Sequence[StoredRecord]) -> list[bytes]:
    return [record.data for record in records]


def test_a_subjects_records_come_back_as_given_and_in_order(stream: EventStream) -> None:
    """Append and read keep bytes, subject and order."""
    stream.append(_records("mail:a", 20))
    found = _read(stream, _shard_of(stream, "mail:a"), 20)
    assert _data(found) == [b"%d" % number for number in range(20)]
    assert {record.subject for record in found} == {"mail:a"}


def test_append_tells_the_sequence_numbers_that_are_read(stream: EventStream) -> None:
    """Sequence numbers are padded to 64 digits, grow along the shard, and are those of append."""
    numbers = stream.append(_records("mail:a", 5))
    found = _read(stream, _shard_of(stream, "mail:a"), 5)
    assert [record.sequence_number for record in found] == list(numbers)
    assert {len(number) for number in numbers} == {SEQUENCE_DIGITS}
    assert sorted(numbers) == list(numbers)


def test_arrival_is_told_in_microseconds_and_does_not_go_back(stream: EventStream) -> None:
    """``arrived_at`` is whole milliseconds, in microseconds since 1970 (16 digits for long)."""
    stream.append(_records("mail:a", 3))
    times = [record.arrived_at for record in _read(stream, _shard_of(stream, "mail:a"), 3)]
    assert times == sorted(times)
    assert {len(str(time)) for time in times} == {16}
    assert {time % 1_000 for time in times} == {0}


def test_more_than_one_call_takes_is_appended_in_order(stream: EventStream) -> None:
    """1,201 records need three calls; none is lost and none is out of place."""
    numbers = stream.append(_records("mail:a", 1201))
    found = _read(stream, _shard_of(stream, "mail:a"), 1201)
    assert _data(found) == [b"%d" % number for number in range(1201)]
    assert [record.sequence_number for record in found] == list(numbers)


def test_more_bytes_than_one_call_takes_are_appended(stream: EventStream) -> None:
    """Seven records of a mebibyte, less the subject, are more than 4 MiB."""
    sent = [OutgoingRecord("mail:big", bytes([number]) * (1_048_576 - 8)) for number in range(7)]
    stream.append(sent)
    found = _read(stream, _shard_of(stream, "mail:big"), 7)
    assert _data(found) == [record.data for record in sent]


def test_appending_nothing_does_nothing(stream: EventStream) -> None:
    """No records, no numbers."""
    assert list(stream.append([])) == []


def test_the_open_shards_cover_every_hash_key_once(stream: EventStream) -> None:
    """Ranges touch each other from 0 to 2**128 - 1."""
    shards = sorted(stream.shards(), key=lambda shard: shard.first_hash_key)
    assert shards[0].first_hash_key == 0
    assert shards[-1].last_hash_key == HASH_KEY_SPACE - 1
    assert [shard.last_hash_key + 1 for shard in shards[:-1]] == [
        shard.first_hash_key for shard in shards[1:]
    ]
    assert not any(shard.closed or shard.parents for shard in shards)


def test_records_lie_on_the_shard_that_holds_their_subject(stream: EventStream) -> None:
    """The MD5 of the subject says where."""
    stream.append([OutgoingRecord(f"mail:{number}", b"x") for number in range(40)])
    for shard in stream.shards():
        expected = [f"mail:{n}" for n in range(40) if shard.holds(hash_key(f"mail:{n}"))]
        found = _read(stream, shard.id, len(expected))
        assert [record.subject for record in found] == expected


def test_reading_by_a_few_at_a_time_misses_and_repeats_nothing(stream: EventStream) -> None:
    """A reader moves on by itself."""
    stream.append(_records("mail:a", 10))
    found = _read(stream, _shard_of(stream, "mail:a"), 10, limit=3)
    assert _data(found) == [b"%d" % number for number in range(10)]


def test_a_read_brings_at_most_the_limit(stream: EventStream) -> None:
    """``limit`` bounds one read."""
    stream.append(_records("mail:a", 10))
    reader = stream.reader(_shard_of(stream, "mail:a"), after=None)
    assert len(reader.read(4).records) == 4


def test_reading_after_a_record_begins_with_the_next(stream: EventStream) -> None:
    """``after`` leaves the record itself out."""
    numbers = stream.append(_records("mail:a", 5))
    found = _read(stream, _shard_of(stream, "mail:a"), 2, after=numbers[2])
    assert _data(found) == [b"3", b"4"]


def test_reading_at_a_record_begins_with_it(stream: EventStream) -> None:
    """``at`` brings that very record first."""
    numbers = stream.append(_records("mail:a", 5))
    reader = stream.reader(_shard_of(stream, "mail:a"), after=None, at=numbers[3])
    assert _data(reader.read(10).records) == [b"3", b"4"]


def test_after_and_at_together_are_refused(stream: EventStream) -> None:
    """A position is one or the other."""
    (number,) = stream.append(_records("mail:a", 1))
    with pytest.raises(BadInput, match="not both"):
        stream.reader(_shard_of(stream, "mail:a"), after=number, at=number)


def test_a_reader_at_the_tip_sees_what_comes_later(stream: EventStream) -> None:
    """An empty read is no end: the shard is open."""
    reader = stream.reader(_shard_of(stream, "mail:a"), after=None)
    first = reader.read(10)
    assert (list(first.records), first.ended, first.lag_ms) == ([], False, 0)
    stream.append(_records("mail:a", 1))
    assert _data(reader.read(10).records) == [b"0"]


def test_an_unknown_shard_is_an_error(stream: EventStream) -> None:
    """It is said at the latest by the first read."""
    with pytest.raises(MailtumbleError):
        stream.reader("shardId-000000000099", after=None).read(1)
