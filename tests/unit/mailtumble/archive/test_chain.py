"""A chain is read whole or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailtumble.archive import heads
from mailtumble.archive.chain import check_joint, names
from mailtumble.archive.segment import ArchiveBroken
from mailtumble.archive.tail import find_joint
from mailtumble.ports.store import Put
from mailtumble.ports.stream import Batch, OutgoingRecord
from schemas.errors import RetryableError
from tests.unit.mailtumble.archive.conftest import BUCKET, World


@pytest.fixture
def written(world: World) -> World:
    """Three segments of two records each."""
    for _ in range(3):
        world.tell(2)
        lane = world.lane()
        lane.take_over()
        lane.process(world.told())
        lane.release()
    return world


def head_of(world: World) -> heads.Head:
    """The only shard's."""
    found = heads.find(world.store, world.stream.shards()[0].id)
    assert found is not None
    return found


def test_other_objects_don_t_matter(written: World) -> None:
    """Strangers' and zombies'."""
    written.objects.put(BUCKET, "segments/README", b"hello")
    written.objects.put(BUCKET, f"segments/{head_of(written).shard}/x", b"hello")
    assert written.archived() == list(written.told())


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_missing_segment_is_named(written: World, place: int) -> None:
    """By its hash, and the folder it should lie in."""
    gone = written.objects.keys(BUCKET)[place]
    del written.objects._objects[BUCKET, gone]
    with pytest.raises(ArchiveBroken, match=gone.rpartition(".")[2]):
        names(written.objects, BUCKET, head_of(written))


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_changed_segment_is_named(written: World, place: int) -> None:
    """Before any of its records is believed."""
    key = written.objects.keys(BUCKET)[place]
    written.objects.put(BUCKET, key, b"other bytes")
    with pytest.raises(ArchiveBroken, match="was changed"):
        written.archived()


def test_a_head_that_tells_of_more_is_an_error(written: World) -> None:
    """Segments cut off at the beginning would not show otherwise."""
    head = head_of(written)
    wrong = replace(head, records=head.records + 1)
    written.store.write(heads.put(wrong))
    with pytest.raises(ArchiveBroken, match="its head names 3 segments with 7 records"):
        written.archived()


def test_a_child_whose_parent_ends_elsewhere_is_an_error(written: World) -> None:
    """The parent's head was set back, say."""
    parent = written.stream.shards()[0].id
    written.stream.split(parent)
    written.tell(9)
    lane = written.lane(1)
    lane.take_over()
    lane.process(written.told(1))
    lane.release()
    assert written.archived(1) == list(written.told(1))
    head = heads.find(written.store, parent)
    assert head is not None
    written.store.write(heads.put(replace(head, hash="0" * 64)))
    with pytest.raises(ArchiveBroken, match=f"parent {parent}"):
        written.archived(1)


def test_the_joint_to_the_stream(written: World) -> None:
    """The stream has the very record, has it no more, or has another one: that is an error."""
    head, last = head_of(written), written.told()[-1]
    stream, clock = written.stream, written.clock
    assert find_joint(stream, clock, head.shard, head.last) == last
    check_joint(last, head.shard, last)
    with pytest.raises(ArchiveBroken, match="another one on the stream"):
        check_joint(replace(last, data=b"forged"), head.shard, last)
    assert find_joint(stream, clock, "gone", head.last) is None
    stream.append([OutgoingRecord("mail:x", b"later")])
    stream.trim(head.shard, last.sequence_number)
    assert find_joint(stream, clock, head.shard, head.last) is None


def test_heads_are_found_among_cursors(written: World) -> None:
    """And nothing else is."""
    written.store.write(Put("cursors", {"cursor": "core#g1#shard", "epoch": 1}))
    assert [each.shard for each in heads.every(written.store)] == [written.stream.shards()[0].id]


def test_a_stream_that_shows_no_record_is_no_sign_of_a_loss(
    written: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kinesis answers with nothing at times; the worker then tries again later."""
    head = head_of(written)

    class Lagging:
        def read(self, limit: int) -> Batch:
            """Say that there is more, and give nothing."""
            del limit
            return Batch((), ended=False, lag_ms=1_000)

    monkeypatch.setattr(written.stream, "reader", lambda *_, **__: Lagging())
    began = written.clock.now()
    with pytest.raises(RetryableError, match=f"{head.shard} shows no record"):
        find_joint(written.stream, written.clock, head.shard, head.last)
    assert written.clock.now() > began
