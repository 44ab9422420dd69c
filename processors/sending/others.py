"""Others who send from the same account: how much of its rate is theirs. Pure.

GetAccount counts what left in the last 24 hours, whoever sent it. What of that the fleet did not
send, others did. They are seen by two samples of the count some minutes apart::

    others' rate = (growth of the count - what the fleet sent + what of the fleet's left the window)
                   / time  +  what of the others' left the window

The last one nobody can know: it is taken to be the mean of their day. So somebody who sends evenly
is seen exactly, and so is somebody who begins now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from processors.sending.pacing import RATE_UNIT
from schemas.values import DAY_US, MINUTE_US, SECOND_US

SAMPLED_US: Final = 30 * SECOND_US
WINDOW_US: Final = 5 * MINUTE_US
LEAST_US: Final = 2 * MINUTE_US
"""Samples nearer than this are not compared: AWS may count some calls seconds late."""
SETTLED_US: Final = 10 * SECOND_US
"""What the fleet itself has sent is counted when core has read of it; by then it has."""
NOTICED: Final = 0.03
"""Others who have less than this share of the rate leave us ours: we aim below it anyway."""
LEFT: Final = 0.1
"""So much of the rate is ours, however much others send: else they would stop us for good."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What GetAccount counted (``sent_24h``) when it was asked (microseconds UTC)."""

    at: int
    sent_24h: int


@dataclass(frozen=True, slots=True)
class Own:
    """What the fleet sent between two samples, what it had sent a day before that, and in a day.

    ``left``: in the same span, 24 hours earlier. ``day``: in the 24 hours before the later sample.
    """

    sent: int
    left: int
    day: int


def sampled(samples: Sequence[Sample], new: Sample) -> Sequence[Sample]:
    """With one more, if it is time for one; without those that are no longer needed."""
    if samples and new.at < samples[-1].at + SAMPLED_US:
        return samples
    oldest = new.at - WINDOW_US - SETTLED_US - SAMPLED_US
    return [*(each for each in samples if each.at >= oldest), new]


def compared(samples: Sequence[Sample], known_until: int) -> tuple[Sample, Sample] | None:
    """The two samples that tell most; None: there are none yet that tell anything.

    ``known_until``: what the fleet itself has sent until then is counted.
    """
    settled = [each for each in samples if each.at <= known_until - SETTLED_US]
    if not settled or settled[-1].at - settled[0].at < LEAST_US:
        return None
    return settled[0], settled[-1]


def others_milli(first: Sample, last: Sample, own: Own) -> int:
    """What others send, in thousandths of a recipient per second."""
    grown = last.sent_24h - first.sent_24h - own.sent + own.left
    evenly = max(0, last.sent_24h - own.day) / (DAY_US / SECOND_US)
    rate = grown * SECOND_US / (last.at - first.at) + evenly
    return max(0, round(rate * RATE_UNIT))


def ours_milli(max_send_rate_milli: int, others: int) -> int:
    """What of the account's rate is left for the fleet, in thousandths."""
    if others < NOTICED * max_send_rate_milli:
        return max_send_rate_milli
    return max(max_send_rate_milli - others, round(LEFT * max_send_rate_milli))
