"""``mailtumble archive``: what is archived is listed, and every bit of it is checked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mailtumble.archive.shard import ArchiveShard
from mailtumble.cli.archive import command
from mailtumble.ports.store import Delete
from mailtumble.worker.shard import Surroundings

if TYPE_CHECKING:
    from tests.unit.mailtumble.cli.conftest import Call, Exit, Run
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
    told = json.loads(run(command, "verify", "--json").stdout)
    assert told == {"ok": True, "has_run": False, "shards": []}


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
    assert told["has_run"]
    shards = {each["shard"]: each for each in told["shards"]}
    assert shards.keys() == {each.id for each in world.events.shards()}
    for row in rows:
        shard = shards.pop(row["shard"])
        assert (shard["state"], shard["records"]) == ("archived", row["records"])
        assert shard["on_stream"]
    assert {each["state"] for each in shards.values()} == {"empty"}
    assert not any(each["problem"] or each["problems"] for each in told["shards"])
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


def lose_head(world: SmallWorld) -> str:
    """Delete the head and the cursor of the shard that has records; its id."""
    (shard,) = {
        each.key.split("/")[1] for each in world.kept.listed(world.archive_bucket, "segments/")
    }
    for name in (f"archive-head#{shard}", f"archive#0#{shard}"):
        world.items.write(Delete("cursors", {"cursor": name}))
    return shard


def test_a_lost_head_fails_until_it_is_acknowledged(world: SmallWorld, call: Call) -> None:
    """Before and after a restart; the reason is listed, and a new loss fails again."""
    world.receive()
    archive(world)
    shard = lose_head(world)
    ended = call("archive", "verify")
    assert ended.code == 1
    assert f"{shard}: no-head: " in ended.out
    assert f"the archive of {shard} is broken" in ended.err
    archive(world)
    ended = call("archive", "verify")
    assert ended.code == 1
    assert f"{shard}: restarted: " in ended.out

    ended = call("archive", "acknowledge", shard, "--reason", "the table was restored", "--json")
    assert ended.code == 0
    (loss,) = json.loads(ended.out)
    assert loss["reason"] == "the table was restored"
    ended = call("archive", "verify")
    assert ended.code == 0
    assert "(the table was restored): " in ended.out
    told = json.loads(call("archive", "verify", "--json").out)
    assert told["ok"]
    (found,) = [each for each in told["shards"] if each["shard"] == shard]
    assert found["problem"] == ""
    assert [each["acknowledged"] for each in found["problems"]] == ["the table was restored"]
    assert [each["id"] for each in found["problems"]] == [loss["id"]]

    lose_head(world)
    assert call("archive", "verify").code == 1
    world.clock.advance(1)
    archive(world)
    ended = call("archive", "verify", "--json")
    assert ended.code == 1
    assert not json.loads(ended.out)["ok"]


def test_only_what_is_wrong_can_be_acknowledged(world: SmallWorld, fail: Exit) -> None:
    """Each refusal names what was given."""
    world.receive()
    archive(world)
    reason = ("--reason", "because")
    code, err = fail("archive", "acknowledge", "shardId-9", *reason)
    assert code
    assert "the archive has no shard 'shardId-9'" in err
    shard = world.events.shards()[0].id
    code, err = fail("archive", "acknowledge", shard, *reason)
    assert f"nothing is wrong with {shard}" in err
    shard = lose_head(world)
    code, err = fail("archive", "acknowledge", shard, "--reason", " ")
    assert "a reason must have 1 to 500 characters" in err
    code, err = fail("archive", "acknowledge", shard, "--reason", "x" * 501)
    assert "this one has 501" in err
