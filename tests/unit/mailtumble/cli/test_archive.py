"""``mailtumble archive``: what is archived is listed, and every bit of it is checked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mailtumble.archive.shard import ArchiveShard
from mailtumble.cli.archive import command
from mailtumble.worker.shard import Surroundings

if TYPE_CHECKING:
    from tests.unit.mailtumble.cli.conftest import Call, Run
    from tests.unit.mailtumble.cli.small_world import SmallWorld


def archive(world: SmallWorld) -> int:
    """Archive everything; how many records that is."""
    around = Surroundings(world.events, world.items, world.kept, world.archive_bucket, world.clock)
    count = 0
    for shard in world.events.shards():
        records = world.events.reader(shard.id, after=None).read(10_000).records
        lane = ArchiveShard(shard, around, 1)
        lane.take_over()
        lane.process(records)
        lane.release()
        count += len(records)
    return count


def test_an_empty_archive_is_said_to_be(run: Run) -> None:
    """With what to start."""
    for name in ("list", "verify"):
        assert run(command, name).stderr.startswith("Nothing is archived yet: start ")
    assert json.loads(run(command, "list", "--json").stdout) == []
    assert json.loads(run(command, "verify", "--json").stdout) == {"ok": True, "shards": []}


def test_what_is_archived_is_listed_and_sound(world: SmallWorld, run: Run) -> None:
    """All records; the last of them are on the stream too."""
    world.receive()
    count = archive(world)
    assert count
    rows = json.loads(run(command, "list", "--json").stdout)
    assert sum(row["records"] for row in rows) == count
    assert list(rows[0]) == [
        "shard",
        "hash",
        "last",
        "arrived_at",
        "segments",
        "records",
        "size_bytes",
    ]
    assert len(run(command, "list").stdout.splitlines()) == 1 + len(rows)
    told = json.loads(run(command, "verify", "--json").stdout)
    assert told["ok"]
    assert [each["records"] for each in told["shards"]] == [row["records"] for row in rows]
    assert all(each["on_stream"] and not each["problem"] for each in told["shards"])
    assert "are sound" in run(command, "verify").stdout


def test_a_broken_archive_is_told_by_shard(world: SmallWorld, call: Call) -> None:
    """With exit code 1; the other shards are checked all the same."""
    world.receive()
    archive(world)
    key = world.kept.keys(world.archive_bucket)[0]
    world.kept.put(world.archive_bucket, key, b"changed")
    ended = call("archive", "verify")
    assert ended.code == 1
    assert "was changed" in ended.out
    assert key.split("/")[1] in ended.err
    told = json.loads(call("archive", "verify", "--json").out)
    assert not told["ok"]
    assert sum(bool(each["problem"]) for each in told["shards"]) == 1
