"""The archive's lane: every record once, in order, through deaths, zombies, outages and splits."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtumble.archive import heads
from mailtumble.archive.shard import SEGMENT_BYTES
from mailtumble.worker.cursor import ShardLost, cursor_key
from mailtumble.worker.patience import Stopping
from schemas.errors import RetryableError
from tests.unit.mailtumble.archive.conftest import BUCKET, EVERY_S, Faulty, World


def test_records_are_gathered_and_written_in_time(world: World) -> None:
    """Nothing is committed before, all of it afterwards."""
    world.tell(5)
    lane = world.lane()
    assert lane.take_over() is None
    lane.process(world.told())
    lane.tick()
    assert lane.committed is None
    assert world.archived() == []
    world.clock.advance(EVERY_S)
    lane.tick()
    assert world.archived() == list(world.told())
    assert lane.committed == world.told()[-1].sequence_number
    lane.tick()
    assert len(world.segments()) == 1


def test_what_is_enough_is_written_at_once(world: World) -> None:
    """So that memory stays bounded."""
    world.tell(3, size=SEGMENT_BYTES // 2)
    lane = world.lane()
    lane.take_over()
    lane.process(world.told())
    assert lane.committed == world.told()[1].sequence_number
    assert len(world.archived()) == 2


def test_a_good_bye_leaves_nothing_behind(world: World) -> None:
    """The next owner goes on after it, in the same chain."""
    world.tell(3)
    first = world.lane()
    first.take_over()
    first.process(world.told())
    first.release()
    world.tell(2)
    second = world.lane()
    assert second.take_over() == world.told()[2].sequence_number
    second.process(world.told())
    second.release()
    assert world.archived() == list(world.told())
    head = heads.find(world.store, world.stream.shards()[0].id)
    assert head is not None
    assert (head.segments, head.records) == (2, 5)
    assert head.size_bytes == sum(each.size_bytes for each in world.objects.listed(BUCKET))


def test_a_zombie_writes_nothing_into_the_chain(world: World) -> None:
    """Its object stays, and is no part of it."""
    world.tell(3)
    zombie, owner = world.lane(), world.lane()
    zombie.take_over()
    zombie.process(world.told())
    owner.take_over()
    world.tell(2)
    owner.process(world.told())
    owner.release()
    with pytest.raises(ShardLost):
        zombie.release()
    assert len(world.segments()) == 2
    assert world.archived() == list(world.told())


def test_a_lost_reply_is_no_second_segment(world: World) -> None:
    """Also when more has come in before the next attempt."""
    world.store = store = Faulty()
    world.tell(2)
    lane = world.lane()
    lane.take_over()
    lane.process(world.told())
    store.after = 1
    world.clock.advance(EVERY_S)
    with pytest.raises(RetryableError):
        lane.tick()
    world.tell(2)
    lane.process(world.told())
    lane.tick()
    assert world.archived() == list(world.told())


def test_a_closed_shard_is_whole_and_its_children_follow_it(world: World) -> None:
    """A child's first segment names the last one of its parent, a merged one's both parents'."""
    world.tell(4)
    parent = world.lane()
    parent.take_over()
    parent.process(world.told())
    parent.close()
    low, high = world.stream.split(world.stream.shards()[0].id)
    world.tell(12)
    for place in (1, 2):
        child = world.lane(place)
        child.take_over()
        child.process(world.told(place))
        child.close()
        assert world.archived(place) == list(world.told(place)) != []
    world.stream.merge(low, high)
    world.tell(3)
    merged = world.lane(3)
    merged.take_over()
    merged.process(world.told(3))
    merged.release()
    assert world.archived(3) == list(world.told(3))
    item = world.store.get("cursors", cursor_key("archive", "0", low))
    assert item is not None
    assert item["closed"]


def test_an_outage_at_the_end_of_a_shard_is_waited_for(world: World) -> None:
    """Unless the worker has to stop."""
    world.store = store = Faulty()
    world.tell(1)
    lane = world.lane()
    lane.take_over()
    lane.process(world.told())
    store.before, world.stopping = 1, True
    with pytest.raises(Stopping):
        lane.close()
    store.before, world.stopping = 3, False
    lane.close()
    assert world.archived() == list(world.told())


class Play:
    """The archive's owners, one after the other, and what becomes of them."""

    def __init__(self, batch: int) -> None:
        """``batch``: how many records are told, and read, at a time."""
        self.world = World()
        self.world.store = self.store = Faulty()
        self.batch = batch
        self.succeed()

    def succeed(self) -> None:
        """A new owner; the one before it has died."""
        self.lane = self.world.lane()
        self.lane.take_over()
        self.read = len(self.world.archived())

    def tell(self) -> None:
        """Records come in."""
        self.world.tell(self.batch)

    def process(self) -> None:
        """Some of them are read."""
        some = self.world.told()[self.read : self.read + self.batch]
        self.lane.process(some)
        self.read += len(some)

    def wait(self) -> None:
        """What is gathered is due."""
        self.world.clock.advance(EVERY_S)

    def tick(self) -> None:
        """As the host's timer does."""
        self.lane.tick()

    def hand_over(self) -> None:
        """In order."""
        self.lane.release()
        self.succeed()

    def lose_a_reply(self) -> None:
        """The next transaction's."""
        self.store.after = 1

    def refuse(self) -> None:
        """The next transaction."""
        self.store.before = 1

    def check(self) -> None:
        """What is archived is a beginning of what was told."""
        archived = self.world.archived()
        assert archived == list(self.world.told()[: len(archived)])


STEPS = st.lists(
    st.sampled_from(
        ["tell", "process", "wait", "tick", "succeed", "hand_over", "lose_a_reply", "refuse"]
    ),
    max_size=40,
)


@given(STEPS, st.integers(1, 7))
def test_however_it_goes_the_archive_is_the_stream(steps: list[str], batch: int) -> None:
    """A beginning of it at any time, all of it in the end: no record lost, doubled or moved."""
    play = Play(batch)
    for step in steps:
        with suppress(RetryableError):
            getattr(play, step)()
        play.check()
    play.store.before = play.store.after = 0
    play.lane.process(play.world.told()[play.read :])
    play.lane.release()
    assert play.world.archived() == list(play.world.told())
