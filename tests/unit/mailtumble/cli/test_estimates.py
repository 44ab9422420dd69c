"""What ``queue status`` and ``mail show`` tell of a queue that drains, beside what comes of it.

Of mails beside a campaign of 40,000: tests/simulation/test_fairness.py.
"""

from __future__ import annotations

import random
from statistics import median
from typing import TYPE_CHECKING

from mailtumble.cli.queue import queue_status
from mailtumble.outlook import Outlook
from mailtumble.worker.sender_host import PACE_S
from schemas.values import SECOND_US
from tests.unit.mailtumble.cli.small_world import SmallWorld

if TYPE_CHECKING:
    from mailtumble.sender.transmission import Job
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
        self.left: list[Job] = []
        self.told: list[tuple[int, int]] = []
        self._world = world = SmallWorld(shards=4, rate=RATE)
        world.repository.put("a@shop.example", ("cat@far.example",), "shop")
        for number in range(MAILS):
            world.arrive(number, *(["a@shop.example"] if number % 2 else []))
        world.work()
        world.learn_quota()
        wired: Wiring = world  # type: ignore[assignment]  # of the same shape
        outlook = Outlook(wired)
        self.began_at = outlook.now
        self.told_of = {each.attempt_id: outlook.leaves_at(each) for each in outlook.entries}
        draw = random.Random(seed)  # noqa: S311 - to be repeated
        while self._look():
            for _ in range(round(LOOKS_EVERY_S / PACE_S)):
                self.left += world.pace(draw)

    def _look(self) -> int:
        """Write down what is told now; how many wait."""
        wired: Wiring = self._world  # type: ignore[assignment]  # of the same shape
        now, status = self._world.clock.now(), queue_status(wired)
        if status["eta_seconds"]:
            self.told.append((now, status["eta_seconds"]))
        waiting: int = status["waiting"]
        return waiting

    def mail_errors(self, tenant: str) -> list[float]:
        """When each mail of a tenant leaves, told at the begin and come: shares of what it took."""
        errors = []
        for job in self.left:
            told = self.told_of[job.entry.attempt_id]
            took_us = job.instant_at - self.began_at
            if job.entry.tenant == tenant and took_us > TELLS_S * SECOND_US:
                assert told is not None
                errors.append(abs(told - job.instant_at) / took_us)
        return errors

    def errors(self) -> list[float]:
        """How long it takes until the last has left, told and come: shares of what it took."""
        ended_at = max(job.instant_at for job in self.left)
        looks = [(eta_s, (ended_at - at) / SECOND_US) for at, eta_s in self.told]
        return [abs(eta_s - took_s) / took_s for eta_s, took_s in looks if took_s > TELLS_S]


def test_estimates_while_a_queue_drains_are_right() -> None:
    """Of two tenants' mail, a minute of it, asked every two seconds: the median is below 10 %."""
    drain = Drain(seed=3)
    assert len(drain.left) == MAILS // 2 * 3
    assert len(drain.errors()) >= 15
    assert median(drain.errors()) < ERROR_MOST
    for tenant, mails in (("house", MAILS), ("shop", MAILS // 2)):
        errors = drain.mail_errors(tenant)
        assert len(errors) > mails * 0.8
        assert median(errors) < ERROR_MOST
