"""How long an adapter tries by itself before it says RetryableError."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Sleep = Callable[[float], None]

sleep: Sleep = time.sleep


@dataclass(frozen=True, slots=True)
class Patience:
    """``tries`` in all, with pauses (seconds) that double from ``first_s`` up to ``longest_s``.

    No jitter: those who wait for the same item are few, and their calls differ in length. The
    default waits 0.05 + 0.1 + 0.2 + 0.4 + 0.8 + 1 + 1 = 3.55 s in all.
    """

    tries: int = 8
    first_s: float = 0.05
    longest_s: float = 1.0

    def pauses(self) -> Iterator[float]:
        """The pauses between the tries, one fewer than these."""
        pause = self.first_s
        for _ in range(self.tries - 1):
            yield min(pause, self.longest_s)
            pause *= 2
