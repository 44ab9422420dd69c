"""A clock for each process: its machine's clock is wrong, and is set from time to time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailtumble.aws.clock import AwsClock
from schemas.values import SECOND_US

if TYPE_CHECKING:
    import random

    from tests.fakes.clock import VirtualClock

WRONG_SHARE: Final = 0.3
"""The share of processes on a machine whose clock is wrong when they start."""
WRONG_MAX_S: Final = 30.0
STEP_MAX_S: Final = 30.0


class ProcessClock(AwsClock):
    """The product's clock on a machine whose clock may be wrong; AWS's time is the world's."""

    def __init__(self, world: VirtualClock, draw: random.Random) -> None:
        """Draw the error of the machine's clock."""
        self._world = world
        self._wrong_us = 0
        if draw.random() < WRONG_SHARE:
            # Most are off by a little, few by a lot.
            most_us = draw.choice((0.05, 0.5, WRONG_MAX_S)) * SECOND_US
            self._wrong_us = int(draw.uniform(-most_us, most_us))
        super().__init__(self._machine)

    @property
    def is_wrong(self) -> bool:
        """Whether the machine's clock differs from AWS's time."""
        return bool(self._wrong_us)

    def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        self._world.sleep(seconds)

    def step(self, by_us: int) -> None:
        """Set the machine's clock, as an operator would."""
        self._wrong_us += by_us

    def answered(self, sent_at: int) -> None:
        """Learn from a reply of AWS and its Date."""
        at = self._world.now()
        self.hear(at - at % SECOND_US, sent_at)

    def _machine(self) -> int:
        return self._world.now() + self._wrong_us
