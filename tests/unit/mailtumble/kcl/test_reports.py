"""What children tell, put together; health follows from it."""

from __future__ import annotations

from pathlib import Path

from mailtumble.kcl.reports import Children, Report, write
from mailtumble.worker.web import Vitals, health
from schemas.values import SECOND_US


def report(pid: int, shard: str, *, moved_at: int = 0, records: int = 0) -> Report:
    """A child's."""
    return Report(
        pid=pid,
        shard=shard,
        moved_at=moved_at,
        lag_ms=5,
        tally={"accepted": records},
        counters={"records": records},
    )


def test_children_are_added_up_and_told_by_shard(tmp_path: Path) -> None:
    """A later report takes an earlier one's place."""
    vitals = Vitals("core", 0, needs_shards=True)
    children = Children(tmp_path, alive=lambda pid: True)  # noqa: ARG005
    for each in (
        report(1, "s-0", records=1),
        report(1, "s-0", records=3),
        report(2, "s-1", records=4),
    ):
        write(tmp_path, each)
    children.look()
    children.tell(vitals)
    assert children.pids == [1, 2]
    assert vitals.counters == {"records": 7}
    assert vitals.tallies == {"s-0": {"accepted": 3}, "s-1": {"accepted": 4}}


def test_what_a_child_has_counted_outlives_it(tmp_path: Path) -> None:
    """A counter never falls; its shard is no longer shown."""
    alive = {1, 2}
    vitals = Vitals("core", 0)
    children = Children(tmp_path, alive=alive.__contains__)
    write(tmp_path, report(1, "s-0", records=3))
    write(tmp_path, report(2, "s-1", records=4))
    children.look()
    alive.remove(1)
    for _ in range(2):
        children.look()
        children.tell(vitals)
        assert vitals.counters == {"records": 7}
        assert set(vitals.pulses) == {"s-1"}


def test_health_fails_without_children_and_when_a_shard_stands_still(tmp_path: Path) -> None:
    """503 in both cases."""
    vitals = Vitals("core", 0, needs_shards=True)
    children = Children(tmp_path, alive=lambda pid: True)  # noqa: ARG005
    children.look()
    children.tell(vitals)
    status, body = health(vitals, SECOND_US)
    assert (status, body["status"]) == (503, "without shards")
    write(tmp_path, report(1, "s-0", moved_at=SECOND_US))
    children.look()
    children.tell(vitals)
    assert health(vitals, 2 * SECOND_US)[0] == 200
    status, body = health(vitals, 90 * SECOND_US)
    assert (status, body["stalled"]) == (503, ["s-0"])
