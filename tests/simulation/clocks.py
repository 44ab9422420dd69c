"""A clock per process: each machine's own is wrong by something, and is set now and then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailtumble.aws.clock import AwsClock
from schemas.values import SECOND_US

if TYPE_CHECKING:
    import random

    from tests.fakes.clock import VirtualClock

WRONG_SHARE: Final = 0.3
"""Of processes on a machine whose clock is wrong when they start."""
WRONG_MAX_S: Final = 30.0
STEP_MAX_S: Final = 30.0


class ProcessClock(AwsClock):
    """The product's clock over a machine's clock that may be wrong; AWS's time is the world's."""

    def __init__(self, world: VirtualClock, draw: random.Random) -> None:
        """Draw how wrong the machine's clock is."""
        self._world = world
        self._wrong_us = 0
        if draw.random() < WRONG_SHARE:
            # Most are off by a little, few by a lot.
            most_us = draw.choice((0.05, 0.5, WRONG_MAX_S)) * SECOND_US
            self._wrong_us = int(draw.uniform(-most_us, most_us))
        super().__init__(self._machine)

    @property
    def is_wrong(self) -> bool:
        """Whether the machine's clock is not AWS's."""
        return bool(self._wrong_us)

    def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        self._world.sleep(seconds)

    def step(self, by_us: int) -> None:
        """Let somebody set the machine's clock."""
        self._wrong_us += by_us

    def answered(self, sent_at: int) -> None:
        """Take in a reply of AWS, with its Date."""
        at = self._world.now()
        self.hear(at - at % SECOND_US, sent_at)

    def _machine(self) -> int:
        return self._world.now() + self._wrong_us
