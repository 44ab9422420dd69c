"""``mailtumble queue status`` shows mail at every stage, not only what waits in the queue."""

# ruff: noqa: D102, D103 - the names of these tests are sentences

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mailtumble import outlook, pipe
from mailtumble.audit import unread
from mailtumble.cli.queue import command
from mailtumble.ports.store import Delete
from schemas.errors import RetryableError
from schemas.ids import mail_subject
from schemas.values import SECOND_US
from tests.newer_states import store_as_newer
from tests.unit.mailtumble.cli.small_world import NEWS, SmallWorld

if TYPE_CHECKING:
    from tests.unit.mailtumble.cli.conftest import Run

FIRST = "Not in the queue yet: "


def status(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(command, "status", "--json").stdout)
    return found


def counts(run: Run) -> dict[str, int]:
    """Return the count of each stage that is not empty."""
    stages = status(run)["stages"]
    return {name: each["count"] for name, each in stages.items() if each["count"]}


def summary(run: Run) -> str:
    return run(command, "status").stdout.splitlines()[0]


def test_nothing_is_waiting_only_where_nothing_is_on_its_way(world: SmallWorld, run: Run) -> None:
    assert summary(run).startswith("Nothing is waiting.")
    assert counts(run) == {}
    world.intake.send(["a notification"])
    assert summary(run).startswith("The queue is empty.")
    assert f"{FIRST}about 1 in SQS." in summary(run)


def test_what_is_in_sqs_is_counted_by_whether_intake_has_it(world: SmallWorld, run: Run) -> None:
    world.intake.send([str(number) for number in range(300)])
    world.dead_letters.send(["broken"])
    world.intake.receive(0)
    assert counts(run) == {"in_sqs": 290, "receiving": 10, "dead_letters": 1}
    assert f"{FIRST}about 290 in SQS and about 10 being received." in summary(run)
    assert status(run)["stages"]["in_sqs"] == {
        "count": 290,
        "precision": "approximate",
        "age_seconds": 0,
    }


def test_what_core_has_not_read_is_undecided_and_core_is_behind(
    world: SmallWorld, run: Run
) -> None:
    world.receive(0)
    for number in range(1, 41):
        world.arrive(number)
    world.clock.advance(12)
    found = status(run)
    assert found["stages"]["undecided"]["count"] == 40
    assert found["stages"]["waiting"] == {"count": 2, "precision": "exact", "age_seconds": 12.0}
    assert found["applications"]["core"]["seconds_behind"] == 12.0
    assert found["applications"]["sender"]["seconds_behind"] == 12.0
    told = run(command, "status").stdout
    assert found["stages"]["undecided"]["precision"] == "approximate"
    assert f"{FIRST}about 40 undecided." in told
    assert "Behind the stream: core by 12 s and sender by 12 s. Archive is not running." in told
    rows = [line.split() for line in told.splitlines()]
    assert ["undecided", "about", "40", "now"] in rows
    assert ["waiting", "2", "12", "s", "ago"] in rows


def test_an_application_that_has_read_everything_is_not_behind(world: SmallWorld, run: Run) -> None:
    """However long ago the last record came."""
    world.receive()
    world.clock.advance(3_600)
    applications = status(run)["applications"]
    assert applications["core"] == {
        "running": True,
        "seconds_behind": 0,
        "shards": {"reading": 2},
    }
    assert applications["archive"] == {
        "running": False,
        "seconds_behind": None,
        "shards": {"not begun": 2},
    }


def test_what_the_sender_has_not_read_is_scheduled(world: SmallWorld, run: Run) -> None:
    world.arrive(1)
    world.work(world.cores)
    assert counts(run) == {"scheduled": 2}
    assert f"{FIRST}about 2 scheduled." in summary(run)


def test_what_a_moderator_has_to_decide_is_held(world: SmallWorld, run: Run) -> None:
    world.receive(1, sender=NEWS)
    assert counts(run) == {"held": 1}
    assert f"{FIRST}1 held by moderation." in summary(run)


def test_an_alias_that_is_looked_up_again_leaves_its_mail_undecided(
    world: SmallWorld, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RetryableError("no answer")

    monkeypatch.setattr(world.repository, "find", refuse)
    world.receive()
    assert counts(run) == {"undecided": 1}
    assert status(run)["stages"]["undecided"]["precision"] == "exact"


def test_each_stage_to_the_end(world: SmallWorld, run: Run) -> None:
    world.receive(1)
    world.learn_quota()
    assert counts(run) == {"waiting": 2, "due": 2}
    world.claim()
    assert counts(run) == {"in_flight": 2}
    world.clock.advance(30)
    world.tick()
    assert counts(run) == {"unknown": 2}
    world.receive(2)
    world.send()
    assert counts(run) == {"unknown": 2, "done": 2}


def test_a_core_that_never_ran_leaves_everything_undecided(world: SmallWorld, run: Run) -> None:
    cursors = [str(item["cursor"]) for item in world.items.scan("cursors")]
    world.items.write_all([Delete("cursors", {"cursor": each}) for each in cursors])
    for number in range(30):
        world.arrive(number)
    found = status(run)
    assert found["stages"]["undecided"]["count"] == 30
    assert found["applications"]["core"]["running"] is False
    assert "No application is running." in run(command, "status").stdout


def test_a_state_of_a_newer_release_counts_as_under_way(world: SmallWorld, run: Run) -> None:
    name = world.receive(1)
    jobs = world.claim()
    assert status(run)["unreadable"] == 0
    store_as_newer(world.items, "sender#0", mail_subject(name))
    found = status(run)
    assert (found["unreadable"], found["claimed"]) == (1, len(jobs))
    assert "upgrade this command" in run(command, "status").stderr


class TestBounds:
    """The cost does not grow with the backlog: a count that stops says so."""

    def test_unread_records(
        self, world: SmallWorld, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(unread, "LOOKED_AT_MAX", 5)
        for number in range(40):
            world.arrive(number)
        undecided = status(run)["stages"]["undecided"]
        assert (undecided["count"], undecided["precision"]) == (10, "at least")
        assert f"{FIRST}at least 10 undecided." in summary(run)

    def test_held_messages(
        self, world: SmallWorld, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pipe, "HELD_COUNTED_MAX", 2)
        for number in range(3):
            world.receive(number, sender=NEWS)
        held = status(run)["stages"]["held"]
        assert (held["count"], held["precision"]) == (2, "at least")

    def test_the_queue(self, world: SmallWorld, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(outlook, "IN_BUCKET_MAX", 1)
        for number in range(200):
            world.receive(number)
        waiting = status(run)["stages"]["waiting"]
        assert waiting["count"] < 256
        assert waiting["precision"] == "at least"
        assert summary(run).startswith(f"At least {waiting['count']} waiting, ")

    def test_one_look_serves_applications_that_are_equally_far(
        self, world: SmallWorld, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On a stream that is read to its end: one call per shard."""
        world.receive()
        opened: list[str] = []
        reader = world.events.reader

        def count(shard_id: str, **options: Any) -> Any:  # noqa: ANN401 - handed on
            opened.append(shard_id)
            return reader(shard_id, **options)

        monkeypatch.setattr(world.events, "reader", count)
        status(run)
        assert sorted(opened) == sorted(set(opened))


class TestOutages:
    """What can't be asked is not known; the rest is shown."""

    def test_of_sqs(self, world: SmallWorld, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse() -> None:
            raise RetryableError("no answer")

        world.receive()
        monkeypatch.setattr(world.intake, "depth", refuse)
        found = status(run)["stages"]
        assert found["in_sqs"]["count"] is None
        assert found["waiting"]["count"] == 2
        rows = [line.split() for line in run(command, "status").stdout.splitlines()]
        assert ["in", "SQS", "not", "known", "now"] in rows

    def test_of_a_shard_that_the_applications_read_as_often_as_it_allows(
        self, world: SmallWorld, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Then the cursor's own word counts: everything that had arrived by then is read."""

        class Refused:
            def read(self, limit: int) -> None:
                raise RetryableError(f"{limit} records are too many")

        for number in range(20):
            world.receive(number)
        read_until = min(int(str(each["arrived_at"])) for each in world.items.scan("cursors"))
        monkeypatch.setattr(world.events, "reader", lambda *_, **__: Refused())
        found = status(run)
        behind_s = round((world.clock.now() - read_until) / SECOND_US, 1)
        lags = [found["applications"][name]["seconds_behind"] for name in ("core", "sender")]
        assert max(lags) == behind_s
        assert found["stages"]["undecided"]["precision"] == "at least"
