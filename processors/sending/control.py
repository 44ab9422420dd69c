"""How fast mail may go: cut at once where it is refused, raised slowly afterwards. Pure.

The instants of the next two seconds are dealt out already when SES refuses: what is refused of
them tells nothing new. So there is one cut an epoch, however many refusals. A domain whose servers
defer mail is slowed by the same rule, in its own measure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from processors.sending.others import ours_milli
from processors.sending.pacing import AHEAD_SLICES, RATE_UNIT, SLICE_US, target_rate_milli
from schemas.values import SECOND_US

WHOLE: Final = 1000
"""Factors are kept in thousandths, as whole numbers."""
EPOCH_US: Final = (AHEAD_SLICES + 1) * SLICE_US
"""What is reserved ahead, and a second for calls that are slow to leave."""


STEP_US: Final = 2 * SLICE_US
"""A rate comes back in steps: each makes another grid, whose edge may cost an instant."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How deep a cut is, how long its epoch, how soon a single one is forgotten, what is left.

    Factors in thousandths, times in microseconds.
    """

    cut: int
    epoch_us: int
    recovers_in_us: int
    least: int


FLEET: Final = Manner(700, EPOCH_US, 60 * SECOND_US, 50)
"""However often SES refuses: a twentieth goes on, to notice when it no longer does."""
DOMAIN: Final = Manner(500, 60 * SECOND_US, 600 * SECOND_US, 10)
"""SES tells of a delay minutes after the fact, and tries again by itself: no hurry here."""


@dataclass(frozen=True, slots=True)
class Control:
    """The last cut: when (microseconds UTC; 0: there was none), and to which factor."""

    cut_at: int = 0
    factor: int = WHOLE

    def now(self, now: int, manner: Manner = FLEET) -> int:
        """The factor that holds now."""
        recovering_us = max(0, now - self.cut_at - manner.epoch_us)
        recovering_us -= recovering_us % STEP_US
        regained = recovering_us * (WHOLE - manner.cut) // manner.recovers_in_us
        return min(WHOLE, self.factor + regained)

    def refused(self, called_at: int, now: int, manner: Manner = FLEET) -> Control | None:
        """After what left at ``called_at`` was too fast for somebody; None: nothing new."""
        if called_at < self.cut_at + manner.epoch_us:
            return None
        return Control(now, max(manner.least, self.now(now, manner) * manner.cut // WHOLE))


def fleet_rate_milli(
    allowed_milli: int, others_milli: int, fraction: float, control: Control, now: int
) -> int:
    """The rate at which the fleet begins a second, in thousandths of a recipient per second.

    How much of it is used, the queue says: instants are taken for what is due, and no more
    (:class:`processors.sending.pacing.Appetite`).

    Args:
        allowed_milli: MaxSendRate; 0 where SES lets nothing out.
        others_milli: what others send from the account, by GetAccount and the rolling throughput.
        fraction: the share of what is left for the fleet that is aimed at.
        control: the last cut, after a refusal.
        now: microseconds UTC.
    """
    ours = ours_milli(allowed_milli, others_milli)
    return steered(target_rate_milli(ours / RATE_UNIT, fraction), control, now)


def steered(rate_milli: int, control: Control, now: int, manner: Manner = FLEET) -> int:
    """What is left of a rate (thousandths a second); at least one instant in 20 minutes."""
    return max(1, rate_milli * control.now(now, manner) // WHOLE) if rate_milli else 0
