"""Where a new owner goes on, and how it marks a place before which records may be missing."""

from __future__ import annotations

import pytest

from mailtumble.archive import heads
from mailtumble.archive.chain import read
from mailtumble.archive.segment import Break
from mailtumble.ports.store import Delete, Update
from mailtumble.worker.cursor import cursor_key
from schemas.errors import RetryableError
from tests.unit.mailtumble.archive.conftest import BUCKET, EVERY_S, RETENTION_S, Faulty, World


def _key(world: World) -> dict[str, str]:
    return cursor_key("archive", "0", world.stream.shards()[0].id)


def _gaps(world: World, place: int = 0) -> list[Break]:
    """Return what each segment of the chain says of its beginning, in order."""
    by_shard = {each.shard: each for each in heads.every(world.store)}
    head = by_shard[world.stream.shards()[place].id]
    return [each.gap for each in read(world.objects, BUCKET, head, by_shard)]


@pytest.mark.parametrize("position", ["7", "9" * 64, None])
def test_the_head_alone_says_where_the_chain_goes_on(world: World, position: str | None) -> None:
    """A cursor that was lost, or changed by hand, neither stops the worker nor leaves a gap."""
    world.tell(3)
    world.archive()
    if position is None:
        world.store.write(Delete("cursors", _key(world)))
    else:
        world.store.write(Update("cursors", _key(world), set={"sequence": position}))
    world.tell(3)
    world.archive()
    assert world.archived() == list(world.told())
    assert _gaps(world) == [Break.NONE, Break.NONE]


def test_a_cursor_ahead_of_its_head_does_not_vouch_for_records_that_are_gone(world: World) -> None:
    """The cursor was moved recently, but the segments that it counts are not in the chain."""
    world.tell(3)
    world.archive()
    older = heads.find(world.store, world.stream.shards()[0].id)
    assert older is not None
    world.clock.advance(RETENTION_S)
    world.tell(2)
    world.archive()
    world.store.write(heads.put(older))
    world.clock.advance(RETENTION_S / 2)
    world.tell(1)
    world.stream.trim(world.stream.shards()[0].id, world.told()[-2].sequence_number)
    world.archive()
    assert _gaps(world) == [Break.NONE, Break.FORGOTTEN]


@pytest.mark.parametrize("with_head", [False, True])
def test_a_cursor_that_was_ahead_does_not_vouch_after_the_first_commit_either(
    world: World, *, with_head: bool
) -> None:
    """The worker stops before it has read all records again, and stays away too long for the rest.

    Its head was set back, or lost.
    """
    world.tell(1)
    world.archive()
    older = heads.find(world.store, world.stream.shards()[0].id)
    assert older is not None
    for _ in range(3):
        world.clock.advance(RETENTION_S / 4)
        world.tell(1)
        world.archive()
    if with_head:
        world.store.write(heads.put(older))
    else:
        world.lose(head=True)
    lane = world.lane()
    lane.take_over()
    lane.process(world.told()[:2])
    lane.release()
    world.clock.advance(RETENTION_S * 7 / 8)
    world.stream.trim(world.stream.shards()[0].id, world.told()[2].sequence_number)
    world.archive()
    before = [Break.NONE, Break.NONE] if with_head else [Break.RESTARTED]
    assert _gaps(world) == [*before, Break.FORGOTTEN]


@pytest.mark.parametrize("with_segments", [True, False])
@pytest.mark.parametrize("with_cursor", [True, False])
def test_a_chain_that_replaces_a_lost_one_says_so(
    world: World, *, with_segments: bool, with_cursor: bool
) -> None:
    """It has all that the stream still has, and the worker is not stopped."""
    world.tell(3)
    world.archive()
    world.tell(3)
    world.archive()
    world.lose(head=True, cursor=with_cursor, segments=with_segments)
    world.stream.trim(world.stream.shards()[0].id, world.told()[1].sequence_number)
    world.tell(1)
    world.archive()
    assert world.archived() == list(world.told())
    world.tell(1)
    world.archive()
    assert _gaps(world) == [Break.RESTARTED, Break.NONE]


def test_a_first_write_that_was_interrupted_is_no_lost_chain(world: World) -> None:
    """Its segment stays in the bucket, and the chain has its records."""
    world.store = store = Faulty()
    world.tell(2)
    lane = world.lane()
    lane.take_over()
    lane.process(world.told())
    store.before = 1
    with pytest.raises(RetryableError):
        lane.release()
    world.tell(2)
    world.archive()
    assert len(world.segments()) == 2
    assert _gaps(world) == [Break.NONE]


def test_an_older_segment_than_the_chain_is_one_that_was_lost(world: World) -> None:
    """Also where the bucket's mark is gone: no interrupted write has what the stream dropped."""
    world.tell(3)
    world.archive()
    world.lose(head=True, cursor=True, marks=True)
    world.stream.trim(world.stream.shards()[0].id, world.told()[0].sequence_number)
    world.archive()
    assert _gaps(world) == [Break.RESTARTED]


def test_a_worker_that_was_away_for_too_long_marks_the_place(world: World) -> None:
    """The stream has dropped the record that it would go on from."""
    world.tell(3)
    world.archive()
    world.tell(3)
    world.clock.advance(RETENTION_S + 1)
    world.stream.trim(world.stream.shards()[0].id, world.told()[4].sequence_number)
    world.archive()
    assert len(world.archived()) == 4
    assert _gaps(world) == [Break.NONE, Break.FORGOTTEN]
    world.tell(1)
    world.archive()
    assert _gaps(world)[2] is Break.NONE


def test_a_quiet_shard_that_is_watched_loses_nothing(world: World) -> None:
    """Its last record expires, and the cursor says that there was no other."""
    world.tell(3)
    world.archive()
    lane = world.lane()
    lane.take_over()
    world.clock.advance(RETENTION_S / 2)
    lane.quiet(world.clock.now())
    lane.release()
    world.clock.advance(RETENTION_S * 2 / 3)
    world.stream.trim(world.stream.shards()[0].id, world.told()[-1].sequence_number)
    assert world.lane().take_over() is None
    world.tell(2)
    world.archive()
    assert len(world.archived()) == 5
    assert _gaps(world) == [Break.NONE, Break.NONE]


def test_a_worker_that_falls_behind_the_retention_marks_the_place(world: World) -> None:
    """Its reader is given later records, and nothing else shows that some are missing."""
    lane = world.lane()
    lane.take_over()
    world.tell(2)
    lane.process(world.told())
    world.clock.advance(RETENTION_S + 1)
    world.tell(2)
    lane.process(world.told())
    lane.release()
    assert _gaps(world) == [Break.NONE, Break.FORGOTTEN]
    assert world.archived() == list(world.told())


def test_a_backlog_that_expires_after_a_takeover_is_marked(world: World) -> None:
    """The record to go on from was still there when the worker took over, and S3 was away then."""
    world.tell(3)
    world.archive()
    world.tell(3)
    world.clock.advance(RETENTION_S - 3600)
    world.tell(1)
    lane = world.lane()
    assert lane.take_over() == world.told()[2].sequence_number
    world.clock.advance(7200)
    world.stream.trim(world.stream.shards()[0].id, world.told()[5].sequence_number)
    lane.process(world.told())
    lane.release()
    assert len(world.archived()) == 4
    assert _gaps(world) == [Break.NONE, Break.FORGOTTEN]


def test_a_child_that_is_begun_too_late_marks_the_place(world: World) -> None:
    """Its parent was read to its end, which says since when there may be records."""
    world.tell(2)
    parent = world.lane()
    parent.take_over()
    parent.process(world.told())
    parent.close()
    world.stream.split(world.stream.shards()[0].id)
    world.clock.advance(RETENTION_S + 1)
    world.tell(9)
    world.archive(1)
    assert _gaps(world, 1) == [Break.FORGOTTEN]


def test_a_gap_is_not_forgotten_before_it_is_written(world: World) -> None:
    """A worker that waits for a record to mark, and dies, leaves it to its successor."""
    world.tell(3)
    world.archive()
    world.clock.advance(RETENTION_S + 1)
    world.stream.trim(world.stream.shards()[0].id, world.told()[-1].sequence_number)
    dies = world.lane()
    dies.take_over()
    dies.quiet(world.clock.now())
    world.tell(1)
    world.archive()
    assert _gaps(world) == [Break.NONE, Break.FORGOTTEN]


def test_how_far_a_quiet_shard_is_read_is_written_once_a_minute(world: World) -> None:
    """And never past what is gathered."""
    lane = world.lane()
    lane.take_over()
    began = world.clock.now()
    lane.quiet(began)
    world.clock.advance(EVERY_S - 1)
    lane.quiet(world.clock.now())
    assert lane.cursor.arrived_at == began
    world.clock.advance(1)
    lane.quiet(world.clock.now())
    assert lane.cursor.arrived_at == world.clock.now()
    world.tell(1)
    lane.process(world.told())
    before = lane.cursor.arrived_at
    world.clock.advance(EVERY_S)
    lane.quiet(world.clock.now())
    assert lane.cursor.arrived_at == before
