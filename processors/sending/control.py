"""How fast the fleet may go: cut at once where SES refuses, raised slowly afterwards. Pure.

The instants of the next two seconds are dealt out already when SES refuses: what is refused of
them tells nothing new. So there is one cut an epoch, however many refusals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from processors.sending.pacing import AHEAD_SLICES, SLICE_US
from schemas.values import SECOND_US

WHOLE: Final = 1000
"""Factors are kept in thousandths, as whole numbers."""
CUT: Final = 700
EPOCH_US: Final = (AHEAD_SLICES + 1) * SLICE_US
"""What is reserved ahead, and a second for calls that are slow to leave."""
RECOVERS_IN_US: Final = 60 * SECOND_US
"""From a single cut back to the whole rate."""
LEAST: Final = 50
"""However often SES refuses: a twentieth goes on, to notice when it no longer does."""


@dataclass(frozen=True, slots=True)
class Control:
    """The last cut: when (microseconds UTC; 0: there was none), and to which factor."""

    cut_at: int = 0
    factor: int = WHOLE

    def now(self, now: int) -> int:
        """The factor that holds now."""
        recovering_us = max(0, now - self.cut_at - EPOCH_US)
        return min(WHOLE, self.factor + recovering_us * (WHOLE - CUT) // RECOVERS_IN_US)

    def refused(self, called_at: int, now: int) -> Control | None:
        """After SES has called a call that left at ``called_at`` too fast; None: nothing new."""
        if called_at < self.cut_at + EPOCH_US:
            return None
        return Control(now, max(LEAST, self.now(now) * CUT // WHOLE))


def steered(rate_milli: int, control: Control, now: int) -> int:
    """What is left of a rate (thousandths a second); at least one instant in 20 minutes."""
    return max(1, rate_milli * control.now(now) // WHOLE) if rate_milli else 0
