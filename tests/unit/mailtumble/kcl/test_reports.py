"""What children tell, put together; health and metrics follow from it."""

from __future__ import annotations

from pathlib import Path

from mailtumble.kcl.reports import Children, Report, plain, write
from mailtumble.worker.exposition import metrics
from mailtumble.worker.metrics import QUEUE_DEPTH, RECORDS, SENDS, Meter
from mailtumble.worker.web import Vitals, health
from schemas.values import SECOND_US


def report(
    pid: int,
    shard: str,
    *,
    moved_at: int = 0,
    records: int = 0,
    sends: int = 0,
    depth: int = 0,
    awaits: str = "",
) -> Report:
    """A child's."""
    meter = Meter()
    meter.count(RECORDS, shard, by=records)
    meter.count(SENDS, by=sends)
    meter.set(QUEUE_DEPTH, shard, value=depth)
    return Report(
        pid=pid,
        shard=shard,
        moved_at=moved_at,
        lag_ms=5,
        steps={"ticks": moved_at},
        awaits=awaits,
        awaits_since=0,
        counts=plain(meter.counts()),
        gauges=plain(meter.gauges()),
    )


def test_children_are_added_up_and_told_by_shard(tmp_path: Path) -> None:
    """A later report takes an earlier one's place; what has no shard is one sum."""
    vitals = Vitals("sender", 0, needs_shards=True)
    children = Children(tmp_path, alive=lambda pid: True)  # noqa: ARG005
    for each in (
        report(1, "s-0", records=1, sends=1),
        report(1, "s-0", records=3, sends=2, depth=7),
        report(2, "s-1", records=4, sends=5),
    ):
        write(tmp_path, each)
    children.look()
    children.tell(vitals)
    assert sorted(children.pids) == [1, 2]
    told = {SENDS.of(): 7, RECORDS.of("s-0"): 3, RECORDS.of("s-1"): 4}
    assert told.items() <= dict(vitals.counts()).items()
    assert vitals.gauges(0)[QUEUE_DEPTH.of("s-0")] == 7
    assert 'mailtumble_sends_total{worker="sender"} 7.0\n' in metrics(vitals, 0)


def test_what_a_child_has_counted_outlives_it(tmp_path: Path) -> None:
    """A counter never falls, and goes on from there with the successor; gauges go."""
    alive = {1, 2}
    vitals = Vitals("sender", 0)
    children = Children(tmp_path, alive=alive.__contains__)
    write(tmp_path, report(1, "s-0", records=3, sends=3, depth=9))
    write(tmp_path, report(2, "s-1", records=4))
    children.look()
    alive.remove(1)
    for _ in range(2):
        children.look()
        children.tell(vitals)
        assert vitals.counts()[RECORDS.of("s-0")] == 3
        assert set(vitals.pulses) == {"s-1"}
        assert QUEUE_DEPTH.of("s-0") not in vitals.gauges(0)
    alive.add(3)
    write(tmp_path, report(3, "s-0", records=2, sends=1))
    children.look()
    children.tell(vitals)
    assert vitals.counts()[RECORDS.of("s-0")] == 5
    assert vitals.counts()[SENDS.of()] == 4


def test_of_two_children_with_one_shard_the_one_that_moves_is_believed(tmp_path: Path) -> None:
    """A zombie's pulse does not hide its successor's."""
    vitals = Vitals("core", 0, needs_shards=True)
    children = Children(tmp_path, alive=lambda pid: True)  # noqa: ARG005
    write(tmp_path, report(1, "s-0", moved_at=100 * SECOND_US))
    write(tmp_path, report(2, "s-0", moved_at=0))
    children.look()
    children.tell(vitals)
    assert health(vitals, 101 * SECOND_US)[0] == 200


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


def test_a_child_that_awaits_an_upgrade_is_named_and_healthy(tmp_path: Path) -> None:
    """The supervisor's page says what its child's would."""
    vitals = Vitals("core", 0, needs_shards=True)
    write(tmp_path, report(1, "s-0", moved_at=SECOND_US, awaits="MailReceived version 9"))
    children = Children(tmp_path, alive=lambda pid: True)  # noqa: ARG005
    children.look()
    children.tell(vitals)
    status, body = health(vitals, 2 * SECOND_US)
    assert (status, body["status"]) == (200, "awaits upgrade")
    assert body["shards"]["s-0"]["awaits_upgrade"] == "MailReceived version 9"
