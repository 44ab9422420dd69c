"""Segments: names say what they hold, and nothing can be changed unseen."""

from __future__ import annotations

import hashlib

import msgpack
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from mailtumble.archive.segment import (
    MAGIC,
    ArchiveBroken,
    Segment,
    SegmentName,
    name_of,
    pack,
    unpack,
)
from mailtumble.ports.stream import StoredRecord
from schemas.ids import padded

SHARD = "shardId-000000000001"
HASH = hashlib.sha256(b"before").hexdigest()


def record(number: int, subject: str = "mail:1", data: bytes = b"x") -> StoredRecord:
    """One, as the stream stores it."""
    return StoredRecord(padded(str(number)), subject, data, number % 10**16)


RECORDS = st.lists(
    st.builds(record, st.integers(1, 10**50), st.text(max_size=9), st.binary(max_size=90)),
    min_size=1,
    unique_by=lambda each: each.sequence_number,
).map(lambda found: sorted(found, key=lambda each: each.sequence_number))


@given(RECORDS, st.sampled_from(["", HASH]), st.sampled_from([(), (("shard-0", HASH),)]))
def test_what_is_packed_is_unpacked(
    records: list[StoredRecord], previous: str, parents: tuple[tuple[str, str], ...]
) -> None:
    """Whatever bytes the records have; and the same records give the same bytes."""
    segment = Segment(SHARD, previous, tuple(records), parents)
    name, data = pack(segment)
    found = unpack(name, data)
    assert (found.shard, found.previous, tuple(found.parents)) == (SHARD, previous, parents)
    assert list(found.records) == records
    assert pack(segment) == (name, data)
    assert name_of(name.key) == name


def test_a_key_that_names_no_segment_is_none() -> None:
    """Whatever else lies in the bucket."""
    for key in ("segments/a/b", "x", f"other/{SHARD}/{'0' * 64}.{'0' * 64}.{'0' * 64}", ""):
        assert name_of(key) is None


def test_a_changed_byte_is_noticed() -> None:
    """Any of them."""
    name, data = pack(Segment(SHARD, "", [record(1)]))
    for place in range(len(data)):
        spoilt = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises(ArchiveBroken, match="was changed"):
            unpack(name, spoilt)


def forged(header: dict[str, object], *records: list[object]) -> tuple[SegmentName, bytes]:
    """An object whose hash is right and whose content need not be."""
    plain = b"".join(msgpack.packb(each) for each in (header, *records))
    data = MAGIC + zstandard.compress(plain)
    return SegmentName(SHARD, padded("1"), "", hashlib.sha256(data).hexdigest()), data


ONE, TWO = (padded(each) for each in "12")
HEADER: dict[str, object] = {
    "shard": SHARD,
    "previous": "",
    "parents": [],
    "count": 2,
    "first": ONE,
    "last": TWO,
}
FIRST: list[object] = [ONE, "mail:1", 1, b"x"]
SECOND: list[object] = [TWO, "mail:1", 2, b"y"]


def test_arrival_times_read_from_a_segment_are_whole_milliseconds() -> None:
    """A segment that was written with a finer time is judged as the workers judged its records."""
    finer: list[object] = [ONE, "mail:1", 1_767_225_600_123_456, b"x"]
    segment = unpack(*forged(HEADER, finer, SECOND))
    assert segment.records[0].arrived_at == 1_767_225_600_123_000


def test_a_forged_segment_that_is_right_is_read() -> None:
    """So that the next test is about what it changes."""
    assert len(unpack(*forged(HEADER, FIRST, SECOND)).records) == 2


@pytest.mark.parametrize(
    ("header", "records"),
    [
        (HEADER, [FIRST]),
        (HEADER, [SECOND, FIRST]),
        ({**HEADER, "count": 3}, [FIRST, SECOND]),
        ({**HEADER, "shard": "another"}, [FIRST, SECOND]),
        ({**HEADER, "previous": HASH}, [FIRST, SECOND]),
        ({**HEADER, "first": ONE, "last": ONE}, [FIRST, FIRST]),
        ({}, [FIRST, SECOND]),
        (HEADER, [FIRST, [TWO]]),
    ],
)
def test_what_contradicts_itself_is_refused(
    header: dict[str, object], records: list[list[object]]
) -> None:
    """By its name, in words."""
    name, data = forged(header, *records)
    with pytest.raises(ArchiveBroken, match=name.hash):
        unpack(name, data)


def test_what_is_no_segment_is_refused() -> None:
    """Also where its name has its hash."""
    for data in (b"", b"MTA1", b"MTA1 and no frame", zstandard.compress(b"x")):
        name = SegmentName(SHARD, ONE, "", hashlib.sha256(data).hexdigest())
        with pytest.raises(ArchiveBroken, match="can't be read"):
            unpack(name, data)
