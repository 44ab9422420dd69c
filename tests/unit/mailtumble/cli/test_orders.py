"""Waiting for core's answers to many commands: as long as some come, and telling those that did."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from mailtumble.cli import orders
from mailtumble.ports.store import Put
from mailtumble.worker.views import answer_key
from schemas.events import CommandGiven
from schemas.values import SECOND_US
from tests.fakes import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.unit.mailtumble.cli.conftest import Call
    from tests.unit.mailtumble.cli.small_world import SmallWorld

MAILS = 5


class SlowCore:
    """Answers one command every ``every_s`` seconds while somebody waits, ``most`` in all."""

    def __init__(self, world: SmallWorld, every_s: int, most: int, *, accepts: bool = True) -> None:
        """Stand in for the world's own workers."""
        self._world = world
        self._every_us = every_s * SECOND_US
        self._most = most
        self._accepts = accepts
        self._answered = 0
        self._last_at = world.clock.now()
        world.clock = VirtualClock(world.clock.now(), wait=self._wait)

    def _wait(self, until: int) -> None:
        self._world.clock.move_to(until)
        given = [each for each in self._world.told() if isinstance(each, CommandGiven)]
        due = until - self._last_at >= self._every_us
        if due and self._answered < min(self._most, len(given)):
            key = answer_key("g1", given[self._answered].command_id)
            answer = {"accepted": self._accepts, "answer": f"answer {self._answered}"}
            self._world.items.write(Put("answers", {**key, **answer}))
            self._answered += 1
            self._last_at = until


@pytest.fixture
def mails(world: SmallWorld) -> list[str]:
    """Some that nobody knows the alias of."""
    return [world.receive(number, "x@else.example") for number in range(MAILS)]


def test_as_long_as_answers_come_they_are_waited_for(
    world: SmallWorld, call: Call, mails: list[str]
) -> None:
    """Five answers, 40 s apart: more than three minutes in all, and none is missed."""
    begun_at = world.clock.now()
    SlowCore(world, every_s=40, most=MAILS)
    code, out, _ = call("mail", "retry", *mails)
    assert code == 0
    assert len(out.splitlines()) == MAILS
    assert world.clock.now() - begun_at >= MAILS * 40 * SECOND_US


def test_what_was_answered_is_told_though_the_rest_is_not(
    world: SmallWorld, call: Call, mails: list[str]
) -> None:
    """A minute after the last answer: those that came, and how many did not."""
    begun_at = world.clock.now()
    SlowCore(world, every_s=40, most=2)
    code, out, err = call("mail", "retry", *mails)
    assert code == 1
    assert sorted(line.partition(": ")[2] for line in out.splitlines()) == ["answer 0", "answer 1"]
    assert err.startswith("mailtumble: 3 of 5 commands are not answered yet: is core at work?")
    assert 140 <= (world.clock.now() - begun_at) / SECOND_US < 142


def test_machines_are_told_null_for_what_is_not_answered(
    world: SmallWorld, call: Call, mails: list[str]
) -> None:
    """Each mail has its element."""
    SlowCore(world, every_s=1, most=2)
    code, out, _ = call("mail", "retry", *mails, "--json")
    told = json.loads(out)
    assert code == 1
    assert {each["id"] for each in told} == set(mails)
    assert [each["accepted"] for each in told].count(None) == 3
    assert [each["answer"] for each in told].count(None) == 3


def test_refusals_and_missing_answers_are_told_together(
    world: SmallWorld, call: Call, mails: list[str]
) -> None:
    """On the one line of an error."""
    SlowCore(world, every_s=1, most=1, accepts=False)
    code, _, err = call("mail", "retry", *mails)
    assert code == 1
    assert err.startswith("mailtumble: refused: ")
    assert ": answer 0; and 4 of 5 commands are not answered yet: is core at work?" in err
    assert err.count("\n") == 1


def test_a_bar_shows_how_many_were_answered(
    world: SmallWorld, call: Call, mails: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It moves with every answer, up to all of them."""
    places: list[int] = []
    lengths: list[int] = []

    @contextmanager
    def bar(length: int, label: str) -> Iterator[Callable[[int], None]]:
        assert "answers" in label
        lengths.append(length)
        yield places.append

    monkeypatch.setattr(orders, "progress_bar", bar)
    SlowCore(world, every_s=5, most=MAILS)
    call("mail", "retry", *mails)
    assert lengths == [MAILS]
    assert places == list(range(1, MAILS + 1))
