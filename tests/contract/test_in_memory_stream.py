"""What InMemoryStream does besides the contract: resharding, retention, repeats.

MiniStack deletes a split shard with its records, so the fake alone can show a reader's way through.
"""

from __future__ import annotations

import itertools

import pytest

from mailtumble.ports.stream import EventStream, OutgoingRecord
from schemas.errors import BadInput, PermanentError
from schemas.ids import hash_key
from tests.fakes import InMemoryStream, VirtualClock


@pytest.fixture
def stream() -> InMemoryStream:
    """One shard."""
    return InMemoryStream(VirtualClock(), shards=1)


def _append(stream: EventStream, *subjects: str) -> list[str]:
    return list(stream.append([OutgoingRecord(subject, b"x") for subject in subjects]))


def test_a_split_shard_is_read_to_its_end_and_its_children_go_on(stream: InMemoryStream) -> None:
    """The parent keeps its records and ends; new ones lie on the child that holds them."""
    (parent,) = stream.shards()
    _append(stream, "mail:1", "mail:2")
    children = stream.split(parent.id)
    _append(stream, "mail:1", "mail:2")
    batch = stream.reader(parent.id, after=None).read(10)
    assert ([record.subject for record in batch.records], batch.ended) == (
        ["mail:1", "mail:2"],
        True,
    )
    later = [record.subject for child in children for record in stream.records(child)]
    assert sorted(later) == ["mail:1", "mail:2"]
    for shard in stream.shards()[1:]:
        assert shard.parents == (parent.id,)
        assert all(shard.holds(hash_key(each.subject)) for each in stream.records(shard.id))


def test_parents_are_listed_before_their_children(stream: InMemoryStream) -> None:
    """Also over a split and a merge, which has two parents."""
    (parent,) = stream.shards()
    first, second = stream.split(parent.id)
    merged = stream.merge(second, first)
    assert [shard.id for shard in stream.shards()] == [parent.id, first, second, merged]
    assert set(stream.shards()[-1].parents) == {first, second}
    assert [shard.closed for shard in stream.shards()] == [True, True, True, False]


def test_a_reader_that_waits_at_the_tip_is_told_of_the_end(stream: InMemoryStream) -> None:
    """A closed shard that was read already ends with an empty read, and stays ended."""
    (parent,) = stream.shards()
    reader = stream.reader(parent.id, after=None)
    assert not reader.read(10).ended
    stream.split(parent.id)
    assert reader.read(10).ended
    assert reader.read(10).ended


def test_a_closed_shard_is_neither_split_nor_merged(stream: InMemoryStream) -> None:
    """Closing happens once."""
    (parent,) = stream.shards()
    children = stream.split(parent.id)
    with pytest.raises(BadInput, match="closed already"):
        stream.split(parent.id)
    stream.split(children[0])
    with pytest.raises(BadInput, match="not neighbours"):
        stream.merge("shardId-000000000003", children[1])


def test_a_trimmed_position_is_an_error(stream: InMemoryStream) -> None:
    """After the last trimmed record is fine; at it, or after an earlier one, is a gap."""
    (shard,) = stream.shards()
    numbers = _append(stream, "mail:1", "mail:2", "mail:3")
    stream.trim(shard.id, numbers[1])
    assert len(stream.reader(shard.id, after=numbers[1]).read(10).records) == 1
    with pytest.raises(PermanentError, match="trimmed"):
        stream.reader(shard.id, after=numbers[0])
    with pytest.raises(PermanentError, match="trimmed"):
        stream.reader(shard.id, after=None, at=numbers[1])


def test_trimming_does_not_move_a_reader(stream: InMemoryStream) -> None:
    """A position is a sequence number, not a count."""
    (shard,) = stream.shards()
    numbers = _append(stream, "mail:1", "mail:2", "mail:3")
    reader = stream.reader(shard.id, after=None)
    reader.read(2)
    stream.trim(shard.id, numbers[1])
    assert [record.sequence_number for record in reader.read(2).records] == [numbers[2]]


def test_a_repeat_has_a_number_of_its_own(stream: InMemoryStream) -> None:
    """As a producer's retry makes it: same bytes, later."""
    (number,) = _append(stream, "mail:1")
    again = stream.repeat(number)
    assert again > number
    assert [record.data for record in stream.records()] == [b"x", b"x"]


def test_sequence_numbers_are_not_dense(stream: InMemoryStream) -> None:
    """Nobody may conclude anything from the distance of two numbers."""
    numbers = [int(number) for number in _append(stream, *["mail:1"] * 8)]
    gaps = {later - earlier for earlier, later in itertools.pairwise(numbers)}
    assert len(gaps) > 3
    assert len(str(numbers[0])) == 56


def test_a_forgotten_shard_is_not_listed(stream: InMemoryStream) -> None:
    """Its children still name it as their parent, as Kinesis's do."""
    (parent,) = stream.shards()
    stream.split(parent.id)
    stream.unlist(parent.id)
    assert parent.id not in {shard.id for shard in stream.shards()}
    assert all(shard.parents == (parent.id,) for shard in stream.shards())
