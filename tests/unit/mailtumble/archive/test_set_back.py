"""A head that was set back is told from an interrupted write, whatever it leaves in the bucket."""

from __future__ import annotations

import pytest

from mailtumble.archive.losses import ProblemKind
from mailtumble.ports.store import Item, Put
from tests.unit.mailtumble.archive.conftest import BUCKET, EVERY_S, World, kinds, look, shard_of


def set_back(world: World, *, segments: int, cursor: bool) -> None:
    """Write more segments of two records each, and restore the table as it was before."""
    shard = shard_of(world)
    keys = [{"cursor": f"archive-head#{shard}"}, {"cursor": f"archive#0#{shard}"}][: 1 + cursor]
    older = [world.store.get("cursors", key) for key in keys]
    for _ in range(segments):
        world.clock.advance(EVERY_S)
        world.tell(2)
        world.archive()
    for item in older:
        assert item is not None
        world.store.write(Put("cursors", item))


@pytest.mark.parametrize("cursor", [False, True])
def test_a_head_that_was_set_back_leaves_orphans(written: World, *, cursor: bool) -> None:
    """As a table restored from an older copy has it; by two segments or more."""
    set_back(written, segments=2, cursor=cursor)
    assert kinds(written) == [ProblemKind.SET_BACK] * (not cursor) + [ProblemKind.ORPHANED]


def test_a_head_that_is_behind_its_cursor_is_found_until_the_worker_has_read_on(
    written: World,
) -> None:
    """The stream still has every record after the head, so nothing is lost."""
    set_back(written, segments=1, cursor=False)
    assert kinds(written) == [ProblemKind.SET_BACK]
    written.archive()
    assert kinds(written) == []
    assert written.archived() == list(written.told())


def test_each_set_back_is_a_loss_of_its_own(written: World) -> None:
    """An acknowledged one does not hide the next."""
    seen = set()
    for _ in range(2):
        set_back(written, segments=1, cursor=False)
        seen |= {each.id for each in look(written).problems}
        written.archive()
    assert len(seen) == 2


@pytest.mark.parametrize("cursor", [False, True])
@pytest.mark.parametrize("kept", [0, 1])
def test_a_segment_that_has_the_only_copy_of_a_record_is_named(
    written: World, *, cursor: bool, kept: int
) -> None:
    """One segment in a row looks like an interrupted write; its records say what it is.

    The stream has dropped the record to go on from, and has ``kept`` of the segment's two records.
    """
    set_back(written, segments=1, cursor=cursor)
    written.tell(1)
    written.stream.trim(shard_of(written), written.told()[-2 - kept].sequence_number)
    orphans = [each for each in look(written).problems if each.kind is ProblemKind.ORPHANED]
    assert [f"{2 - kept} record" in each.text for each in orphans] == [True]
    assert look(written).spare_segments == 0
    before = kinds(written)
    assert before == [
        *[ProblemKind.SET_BACK] * (not cursor),
        ProblemKind.ORPHANED,
        ProblemKind.BEHIND,
    ]
    written.archive()
    assert set(kinds(written)) == {ProblemKind.ORPHANED, ProblemKind.FORGOTTEN}
    assert {each.id for each in orphans} <= {each.id for each in look(written).problems}


def test_a_leftover_of_a_shard_without_a_chain_can_be_the_only_copy(world: World) -> None:
    """Its write was the first one, and nobody continued before the stream dropped the records."""
    lane = world.lane()
    lane.take_over()
    world.tell(2)
    lane.process(world.told())
    sealed = lane._seal()
    world.objects.put(BUCKET, sealed.name.key, sealed.data)
    assert (look(world).spare_segments, kinds(world)) == (1, [])
    world.stream.trim(shard_of(world), world.told()[-1].sequence_number)
    assert (look(world).spare_segments, kinds(world)) == (0, [ProblemKind.ORPHANED])


def test_a_leftover_that_was_changed_is_broken(written: World) -> None:
    """Nobody can tell whether its records are anywhere else."""
    set_back(written, segments=1, cursor=True)
    written.objects.put(BUCKET, written.segments()[-1], b"changed")
    assert kinds(written) == [ProblemKind.BROKEN]


def test_a_leftover_whose_place_in_the_chain_is_broken_is_named(written: World) -> None:
    """It may have the only copy of what a changed segment of the chain had."""
    set_back(written, segments=1, cursor=True)
    (leftover,) = set(written.segments()[-1:])
    written.tell(1)
    written.archive()
    assert look(written).spare_segments == 1
    (chained,) = set(written.segments()[-2:]) - {leftover}
    written.objects.put(BUCKET, chained, b"changed")
    assert kinds(written) == [ProblemKind.BROKEN, ProblemKind.ORPHANED]


def test_a_leftover_costs_reads_of_the_segments_that_overlap_with_it_only(
    written: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Itself, and here two segments in the middle of a chain of seven."""
    zombie = written.lane()
    zombie.take_over()
    written.tell(2)
    zombie.process(written.told())
    sealed = zombie._seal()
    for _ in range(3):
        written.tell(1)
        owner = written.lane()
        owner.take_over()
        # The zombie's two records become one segment each.
        owner.process(written.told()[: -2 if owner.committed == zombie.committed else None])
        owner.release()
    written.tell(1)
    written.archive()
    written.objects.put(BUCKET, sealed.name.key, sealed.data)
    read: list[str] = []
    get = written.objects.get

    def counted(bucket: str, key: str) -> bytes:
        read.append(key)
        return get(bucket, key)

    monkeypatch.setattr(written.objects, "get", counted)
    report = look(written)
    assert (report.segments, report.spare_segments, report.problems) == (7, 1, [])
    assert len(read) == 7 + 1 + 2


def test_a_cursor_that_is_read_after_its_head_is_no_fault(
    written: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scan is no snapshot: the worker may move both items between the reads of the two."""
    scan, shard = written.store.scan, shard_of(written)

    def slowly(table: str) -> list[Item]:
        before = scan(table)
        written.tell(1)
        written.archive()
        after = {str(each["cursor"]): each for each in scan(table)}
        changed = f"archive#0#{shard}"
        return [after[changed] if each["cursor"] == changed else each for each in before]

    monkeypatch.setattr(written.store, "scan", slowly)
    assert kinds(written) == []
    assert look(written).spare_segments == 0


def test_a_segment_that_is_written_and_expires_during_the_inspection_is_no_orphan(
    written: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The head that was read is older than the segment, and the inspection took very long."""
    listed = written.objects.listed

    def slowly(bucket: str, prefix: str = "") -> object:
        if prefix == "segments/":
            written.tell(1)
            written.archive()
            last = written.told()[-1].sequence_number
            found = list(listed(bucket, prefix))
            written.stream.trim(shard_of(written), last)
            return found
        return listed(bucket, prefix)

    monkeypatch.setattr(written.objects, "listed", slowly)
    assert ProblemKind.ORPHANED not in kinds(written)
