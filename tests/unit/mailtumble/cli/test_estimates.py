"""What ``queue status`` tells of a queue that drains, beside what comes of it.

Of single mails, as ``mail show`` tells it: tests/simulation/test_fairness.py.
"""

from __future__ import annotations

import random
from statistics import median
from typing import TYPE_CHECKING

from mailtumble.cli.queue import queue_status
from mailtumble.worker.sender_host import PACE_S
from schemas.values import SECOND_US
from tests.unit.mailtumble.cli.small_world import SmallWorld

if TYPE_CHECKING:
    from mailtumble.wiring import Wiring

ERROR_MOST = 0.1
"""The median's bound."""
MAILS = 1_200
RATE = 40.0
LOOKS_EVERY_S = 2.0
TELLS_S = 3.0
"""An estimate in whole seconds says nothing of less."""


class Drain:
    """Two tenants' mails leave from four shards; again and again it is written down what is told.

    The sender takes turns, instants and claims as on AWS; a mail has left at its instant.
    """

    def __init__(self, seed: int) -> None:
        """Half of the mails are ``house``'s, with two targets each, and half ``shop``'s."""
        self.left_at: list[int] = []
        self.told: list[tuple[int, int]] = []
        self._world = world = SmallWorld(shards=4, rate=RATE)
        world.repository.put("a@shop.example", ("cat@far.example",), "shop")
        for number in range(MAILS):
            world.arrive(number, *(["a@shop.example"] if number % 2 else []))
        world.work()
        draw = random.Random(seed)  # noqa: S311 - to be repeated
        while self._look():
            for _ in range(round(LOOKS_EVERY_S / PACE_S)):
                self.left_at += [job.instant_at for job in world.pace(draw)]

    def _look(self) -> int:
        """Write down what is told now; how many wait."""
        wired: Wiring = self._world  # type: ignore[assignment]  # of the same shape
        now, status = self._world.clock.now(), queue_status(wired)
        if status["eta_seconds"]:
            self.told.append((now, status["eta_seconds"]))
        waiting: int = status["waiting"]
        return waiting

    def errors(self) -> list[float]:
        """How long it takes until the last has left, told and come: shares of what it took."""
        ended_at = max(self.left_at)
        looks = [(eta_s, (ended_at - at) / SECOND_US) for at, eta_s in self.told]
        return [abs(eta_s - took_s) / took_s for eta_s, took_s in looks if took_s > TELLS_S]


def test_estimates_while_a_queue_drains_are_right() -> None:
    """Of two tenants' mail, a minute of it, asked every two seconds: the median is below 10 %."""
    drain = Drain(seed=3)
    assert len(drain.left_at) == MAILS // 2 * 3
    assert len(drain.errors()) >= 15
    assert median(drain.errors()) < ERROR_MOST
