"""``mailtumble queue drain``: from which moment on, and how one sees that nothing of it is left."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mailtumble.cli.queue import command
from mailtumble.worker.views import iso
from schemas.events import SendingPaused
from schemas.values import MINUTE_US, DeferReason
from tests.fakes import VirtualClock
from tests.fakes.clock import START_US
from tests.samples import deferred, delivered

if TYPE_CHECKING:
    from tests.fakes import InMemoryItems
    from tests.unit.mailtumble.cli.conftest import Call, Run
    from tests.unit.mailtumble.cli.small_world import SmallWorld


class TestMoments:
    """The moment of a drain, on a machine whose clock is wrong."""

    @pytest.fixture
    def fast(self, world: SmallWorld, monkeypatch: pytest.MonkeyPatch) -> SmallWorld:
        """Ten minutes fast, until the first reply of AWS has been heard."""
        right, store, heard = world.clock, world.items, [False]

        class Fast(VirtualClock):
            """Tells what this machine's clock says, as long as it is believed."""

            def now(self) -> int:
                """Microseconds since 1970, UTC."""
                return right.now() + (0 if heard[0] else 10 * MINUTE_US)

            def sleep(self, seconds: float) -> None:
                """Wait in the world's time."""
                right.sleep(seconds)

        def called() -> InMemoryItems:
            heard[0] = True
            return store

        monkeypatch.setattr(world, "clock", Fast())
        monkeypatch.setattr(world, "store", called)
        return world

    def test_a_drain_begins_by_awss_clock(self, fast: SmallWorld, call: Call) -> None:
        """Or ten minutes' mail that comes in from now on would leave all the same."""
        at = START_US
        code, out, _ = call("queue", "drain", "--by", "ann", "--why", "we move")
        assert (code, out) == (
            0,
            "fleet: sending of the whole fleet is drained: what waits leaves, what comes waits\n",
        )
        assert SendingPaused(scope="", since=at, by="ann", why="we move") in fast.told()

    def test_a_domain_is_paused_through_the_whole_command_line(
        self, fast: SmallWorld, call: Call
    ) -> None:
        """With or without its @, in whatever case; all that waits is held, whatever the time."""
        code, out, _ = call("queue", "pause", "--domain", "@Far.Example", "--by", "ann")
        assert (code, out) == (0, "@Far.Example: sending to far.example is paused\n")
        assert SendingPaused(scope="@far.example", since=0, by="ann", why="") in fast.told()
        code, out, _ = call("queue", "resume", "--domain", "far.example")
        assert (code, out) == (0, "far.example: sending to far.example goes on\n")


class TestDrain:
    """``queue drain``, and how one sees that nothing of it is on its way any more."""

    def _left(self, run: Run, scope: str = "") -> dict[str, object]:
        left = json.loads(run(command, "status", "--json").stdout)["left"][scope]
        assert isinstance(left, dict)
        return left

    def test_its_answer_says_where_to_look(self, run: Run) -> None:
        """And where nothing was under way, nothing is left."""
        result = run(command, "drain", "--by", "ann")
        assert result.stderr == "To see what is left: mailtumble queue status\n"
        assert (
            run(command, "status")
            .stdout.splitlines()[0]
            .endswith("Sending of the whole fleet is drained, by ann. Nothing is left to drain.")
        )

    def test_what_comes_in_later_is_held_and_not_due(self, world: SmallWorld, run: Run) -> None:
        """Once what was there has left, nothing is due, however much has come in since."""
        world.receive(1)
        run(command, "drain")
        world.receive(2)
        world.poll()
        status = json.loads(run(command, "status", "--json").stdout)
        assert (status["waiting"], status["due"], status["held"]) == (4, 2, 2)
        assert self._left(run) == {
            **dict.fromkeys(("later", "held", "claimed", "unknown"), 0),
            "due": 2,
            "next_due_at": None,
        }
        world.send()
        status = json.loads(run(command, "status", "--json").stdout)
        assert (status["waiting"], status["due"], status["held"]) == (2, 0, 2)

    def test_a_retry_for_later_is_left_though_nothing_is_due(
        self, world: SmallWorld, run: Run
    ) -> None:
        """SES refused it for now: it leaves in a while, and then it is on its way again."""
        mail = world.receive(1)
        run(command, "drain")
        for job in world.claim():
            entry = job.entry
            told = deferred(DeferReason.TRANSIENT, entry.attempt_id, target=entry.target)
            world.append(mail, told, cause=entry.attempt_id)
        world.work()
        status = json.loads(run(command, "status", "--json").stdout)
        assert (status["due"], status["later"], status["held"]) == (0, 2, 0)
        left = self._left(run)
        first = min(int(str(item["due_at"])) for item in world.items.scan("queue"))
        assert (left["due"], left["later"], left["next_due_at"]) == (0, 2, iso(first))
        assert f"Left to drain: 2 due later (the first at {iso(first)})." in (
            run(command, "status").stdout
        )

    def test_claims_and_unknown_outcomes_are_left_until_they_are_settled(
        self, world: SmallWorld, run: Run
    ) -> None:
        """Nothing waits, and yet SES may be called, or the policy may send again."""
        mail = world.receive(1)
        run(command, "drain")
        jobs = world.claim()
        assert (self._left(run)["claimed"], self._left(run)["unknown"]) == (2, 0)
        world.clock.advance(30)
        world.tick()
        status = json.loads(run(command, "status", "--json").stdout)
        assert (status["waiting"], status["claimed"], status["unknown"]) == (0, 0, 2)
        assert self._left(run)["unknown"] == 2
        told = run(command, "status").stdout
        assert "Left to drain: 2 of unknown outcome." in told
        assert "For 2 messages it is unknown whether SES has them." in told
        for job in jobs:
            entry = job.entry
            taken = delivered(entry.attempt_id, entry.target)
            world.append(mail, taken, cause=entry.attempt_id)
        world.work()
        # Core's timer goes on until it rings; the outcome is known.
        assert "Nothing is left to drain." in run(command, "status").stdout

    def test_what_is_claimed_of_others_is_not_left_of_it(self, world: SmallWorld, run: Run) -> None:
        """One tenant is drained, another goes on, and is always on its way."""
        world.repository.put("a@shop.example", ("cat@far.example",), "shop")
        world.receive(1, "a@shop.example")
        world.receive(2)
        run(command, "drain", "--tenant", "shop")
        world.claim()
        status = json.loads(run(command, "status", "--json").stdout)
        assert (status["claimed"], status["left"]["shop"]["claimed"]) == (3, 1)

    def test_what_another_pause_holds_of_it_is_left(self, world: SmallWorld, run: Run) -> None:
        """It leaves as soon as that is resumed: the drain does not hold it."""
        world.receive(1)
        run(command, "drain")
        run(command, "pause", "--domain", "far.example")
        assert (self._left(run)["due"], self._left(run)["held"]) == (0, 2)
        assert "Left to drain: 2 blocked by something else." in run(command, "status").stdout
