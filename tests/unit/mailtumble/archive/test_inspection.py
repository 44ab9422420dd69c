"""An inspection finds each way in which the archive can be less than what was on the stream."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from mailtumble.archive import heads
from mailtumble.archive.losses import Problem, ProblemKind
from mailtumble.ports.store import Update
from tests.unit.mailtumble.archive.conftest import (
    BUCKET,
    EVERY_S,
    RETENTION_S,
    World,
    inspect,
    kinds,
    look,
    shard_of,
)


def test_an_archive_that_never_ran_is_no_fault(world: World) -> None:
    """The stream alone says nothing about an archive."""
    world.tell(3)
    report = inspect(world)
    assert not report.has_run
    assert report.shards == []


def test_a_sound_shard_has_no_problems(written: World) -> None:
    """Also while its newest records wait to be written."""
    written.clock.advance(5)
    written.tell(1)
    written.clock.advance(7)
    report = look(written)
    assert (report.state, report.segments, report.records) == ("archived", 3, 6)
    assert report.on_stream
    assert report.behind_s == 7
    assert report.problems == []


@pytest.mark.parametrize("with_cursor", [True, False])
@pytest.mark.parametrize("with_segments", [True, False])
def test_a_lost_head_is_found_before_and_after_a_restart(
    written: World, *, with_cursor: bool, with_segments: bool
) -> None:
    """With what it led to or without; the restarted worker's chain names the break."""
    written.lose(head=True, cursor=with_cursor, segments=with_segments)
    assert kinds(written) == [ProblemKind.NO_HEAD]
    written.tell(1)
    written.archive()
    after = [ProblemKind.RESTARTED] + [ProblemKind.ORPHANED] * (not with_segments)
    assert kinds(written) == after
    written.tell(1)
    written.archive()
    assert kinds(written) == after


def test_a_lost_bucket_is_found_without_its_marks_too(written: World) -> None:
    """The cursor still says that something was written."""
    written.lose(head=True, segments=True, marks=True)
    assert kinds(written) == [ProblemKind.NO_HEAD]


def test_a_shard_that_is_gone_everywhere_is_not_archived(written: World) -> None:
    """Nothing says that it ever was; another shard says that the archive runs."""
    written.stream.split(shard_of(written))
    parent = written.lane()
    parent.take_over()
    parent.close()
    written.tell(9)
    written.archive(1)
    assert kinds(written, 2) == [ProblemKind.NOT_BEGUN]
    assert look(written, 2).state == "not begun"


def test_children_of_a_shard_that_is_not_read_to_its_end_wait(written: World) -> None:
    """That is no fault, and neither is a shard without records."""
    written.stream.split(shard_of(written))
    written.tell(9)
    assert {look(written, place).state for place in (1, 2)} == {"waiting"}
    assert kinds(written, 1) == kinds(written, 2) == []
    parent = written.lane()
    parent.take_over()
    parent.process(written.told())
    parent.close()
    written.archive(1)
    written.archive(2)
    assert kinds(written) == kinds(written, 1) == kinds(written, 2) == []


def test_a_shard_that_was_begun_and_is_empty_is_sound(world: World) -> None:
    """Its worker has a cursor, and nothing to write."""
    lane = world.lane()
    lane.take_over()
    assert look(world).state == "empty"
    assert kinds(world) == []


def test_a_lost_head_of_a_parent_is_found_at_the_child_too(written: World) -> None:
    """A child's first segment names the last one of its parent."""
    parent = written.lane()
    parent.take_over()
    parent.close()
    written.stream.split(shard_of(written))
    written.tell(9)
    written.archive(1)
    written.lose(head=True, cursor=True)
    assert kinds(written) == [ProblemKind.NO_HEAD]
    assert kinds(written, 1) == [ProblemKind.BROKEN]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_missing_segment_is_named_by_its_hash(written: World, place: int) -> None:
    """What lies before it is led to by nothing."""
    gone = written.segments()[place]
    del written.objects._objects[BUCKET, gone]
    report = look(written)
    assert report.problems[0].kind is ProblemKind.BROKEN
    assert gone.rpartition(".")[2] in report.problems[0].text
    assert [each.kind for each in report.problems[1:]] == [ProblemKind.ORPHANED] * (place > 0)
    assert report.segments == 2 - place


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("data", [b"", b"other bytes"])
def test_a_changed_segment_is_named_and_the_others_are_read(
    written: World, place: int, data: bytes
) -> None:
    """A second fault is not hidden behind the first."""
    keys = written.segments()
    written.objects.put(BUCKET, keys[place], data)
    (problem,) = look(written).problems
    assert problem.kind is ProblemKind.BROKEN
    assert keys[place] in problem.text
    assert look(written).segments == 2
    other = (place + 1) % 3
    written.objects.put(BUCKET, keys[other], b"swapped")
    assert len(look(written).problems) == 2


def test_segments_that_were_swapped_are_named(written: World) -> None:
    """Each has a name that its bytes belie."""
    one, two = written.segments()[:2]
    first, second = written.objects.get(BUCKET, one), written.objects.get(BUCKET, two)
    written.objects.put(BUCKET, one, second)
    written.objects.put(BUCKET, two, first)
    assert kinds(written) == [ProblemKind.BROKEN] * 2


def test_what_interrupted_writes_leave_is_spare(written: World) -> None:
    """A zombie's segment follows the chain; the chain has its records, and so has the stream."""
    zombie, owner = written.lane(), written.lane()
    zombie.take_over()
    written.tell(3)
    zombie.process(written.told()[:-1])
    zombie._sealed = zombie._seal()
    # What release() does before its transaction.
    written.objects.put(BUCKET, zombie._sealed.name.key, zombie._sealed.data)
    report = look(written)
    assert (report.spare_segments, report.problems) == (1, [])
    owner.take_over()
    owner.process(written.told())
    owner.release()
    report = look(written)
    assert (report.spare_segments, report.problems) == (1, [])


def test_a_head_that_tells_of_other_counts_is_broken(written: World) -> None:
    """Segments cut off at the beginning would not show otherwise."""
    head = heads.find(written.store, shard_of(written))
    assert head is not None
    written.store.write(heads.put(replace(head, records=head.records + 1)))
    assert kinds(written) == [ProblemKind.BROKEN]


def test_a_worker_that_is_away_for_longer_than_the_retention_is_found(written: World) -> None:
    """While it is away, and at the place where it goes on."""
    written.clock.advance(RETENTION_S + 1)
    written.tell(2)
    assert kinds(written) == []  # the stream still has the last archived record
    written.stream.trim(shard_of(written), written.told()[-2].sequence_number)
    assert kinds(written) == [ProblemKind.BEHIND]
    written.archive()
    assert kinds(written) == [ProblemKind.FORGOTTEN]


def test_a_quiet_shard_whose_records_expired_is_sound(written: World) -> None:
    """Somebody has looked since, and the cursor says until when."""
    lane = written.lane()
    lane.take_over()
    written.clock.advance(RETENTION_S + EVERY_S)
    written.stream.trim(shard_of(written), written.told()[-1].sequence_number)
    assert kinds(written) == [ProblemKind.BEHIND]
    lane.quiet(written.clock.now())
    assert kinds(written) == []


def test_a_shard_that_the_stream_dropped_unread_is_found(written: World) -> None:
    """A shard that was read to its end is none."""
    written.stream.split(shard_of(written))
    gone = shard_of(written)
    written.stream.unlist(gone)
    (report,) = inspect(written, gone).shards
    assert [each.kind for each in report.problems] == [ProblemKind.FORGOTTEN]
    key = {"cursor": f"archive#0#{gone}"}
    written.store.write(Update("cursors", key, set={"closed": True}))
    (report,) = inspect(written, gone).shards
    assert (report.is_listed, report.problems) == (False, [])


def test_a_shard_whose_end_was_dropped_unread_is_found(written: World) -> None:
    """No record is left that a marked segment could begin with."""
    written.tell(1)
    written.clock.advance(RETENTION_S + 1)
    written.stream.trim(shard_of(written), written.told()[-1].sequence_number)
    written.stream.split(shard_of(written))
    lane = written.lane()
    lane.take_over()
    lane.close()
    assert kinds(written) == [ProblemKind.FORGOTTEN]


def test_a_forged_record_on_the_stream_is_found(written: World) -> None:
    """The archive and the stream tell of the same record."""
    content = written.stream._contents[shard_of(written)].records
    content[-1] = replace(content[-1], data=b"forged")
    assert kinds(written) == [ProblemKind.BROKEN]


def test_a_worker_that_writes_meanwhile_is_no_fault(
    written: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Segments that are newer than the heads that were read are not orphans."""
    listed = written.objects.listed

    def slowly(bucket: str, prefix: str = "") -> object:
        if prefix == "segments/":
            for _ in range(2):
                written.tell(1)
                written.archive()
        return listed(bucket, prefix)

    monkeypatch.setattr(written.objects, "listed", slowly)
    assert kinds(written) == []


def test_a_first_segment_that_is_written_meanwhile_is_no_fault(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is a head that was not there when the heads were read."""
    lane = world.lane()
    lane.take_over()
    listed, wrote = world.objects.listed, []

    def slowly(bucket: str, prefix: str = "") -> object:
        if not wrote:
            wrote.append(True)
            world.tell(1)
            lane.process(world.told())
            lane.release()
        return listed(bucket, prefix)

    monkeypatch.setattr(world.objects, "listed", slowly)
    assert kinds(world) == []


def test_each_loss_has_an_identity_of_its_own(written: World) -> None:
    """Losing the same shard again is another loss."""
    seen: list[set[str]] = []
    for _ in range(2):
        written.lose(head=True, cursor=True, segments=True)
        seen.append({each.id for each in look(written).problems})
        written.tell(1)
        written.archive()
        seen.append({each.id for each in look(written).problems})
    assert all(seen)
    for place, ids in enumerate(seen):
        assert not any(ids & other for other in seen[place + 1 :])


def test_acknowledged_problems_are_not_open(written: World) -> None:
    """And the report says which are."""
    written.lose(head=True)
    report = inspect(written)
    (shard,) = report.shards
    assert report.open_problems(shard) == shard.problems != []
    assert isinstance(shard.problems[0], Problem)


def test_costs_grow_with_the_segments_and_no_faster(
    written: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each segment is read once, the bucket is listed once per prefix, the table scanned once."""
    calls: Counter[str] = Counter()
    for owner, name in (
        (written.objects, "get"),
        (written.objects, "listed"),
        (written.store, "scan"),
    ):

        def counted(
            *given: object, name: str = name, call: object = getattr(owner, name)
        ) -> object:
            calls[name] += 1
            return call(*given)  # type: ignore[operator]

        monkeypatch.setattr(owner, name, counted)
    for count in (3, 8):
        calls.clear()
        assert look(written).segments == count
        assert calls == {"get": count, "listed": 2, "scan": 1}
        for _ in range(5):
            written.tell(1)
            written.archive()
