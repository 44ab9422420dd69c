"""Time that moves only when told to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

SECOND_US: Final = 1_000_000
START_US: Final = 1_760_000_000 * SECOND_US
"""2025-10-09T08:53:20Z: any instant would do, but it has to be the same in every run."""


class VirtualClock:
    """Whoever sleeps moves the time on, or lets ``wait`` do it (a simulation's scheduler).

    ``wait`` is given the instant to wait for, in microseconds, and returns when it has come.
    """

    def __init__(self, now: int = START_US, wait: Callable[[int], None] | None = None) -> None:
        """Start at ``now``, microseconds since 1970."""
        self._now = now
        self._wait = wait

    def now(self) -> int:
        """Microseconds since 1970, UTC."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        until = self._now + round(seconds * SECOND_US)
        if self._wait is None:
            self.move_to(until)
        else:
            self._wait(until)

    def move_to(self, instant: int) -> None:
        """Let it be ``instant``; a clock that is further already stays where it is."""
        self._now = max(self._now, instant)

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass, whatever ``wait`` says."""
        self.move_to(self._now + round(seconds * SECOND_US))
