"""How long to wait before the next attempt, by what went wrong."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from schemas.values import HOUR_US, MINUTE_US, SECOND_US, DeferReason


@dataclass(frozen=True, slots=True)
class Backoff:
    """First wait and the longest one; each try doubles the wait in between."""

    first_us: int
    longest_us: int


SCHEDULE: Final[dict[DeferReason, Backoff]] = {
    DeferReason.NOT_CALLED: Backoff(0, 0),
    DeferReason.THROTTLED: Backoff(2 * SECOND_US, MINUTE_US),
    # The fleet has stopped, and lets single mails try: they need not wait for long by themselves.
    DeferReason.STOPPED: Backoff(15 * SECOND_US, 2 * MINUTE_US),
    DeferReason.UNVERIFIED: Backoff(15 * SECOND_US, 2 * MINUTE_US),
    DeferReason.DAILY_QUOTA: Backoff(10 * MINUTE_US, HOUR_US),
    DeferReason.TRANSIENT: Backoff(15 * SECOND_US, HOUR_US),
}

JITTER_SHARE: Final = 4
"""Up to a quarter is added, drawn from the attempt's id: a burst that failed spreads out."""


def wait_us(reason: DeferReason, deferrals: int, attempt_id: str) -> int:
    """Microseconds to wait after the ``deferrals``-th deferral (1 is the first)."""
    backoff = SCHEDULE[reason]
    plain = min(backoff.first_us << min(deferrals - 1, 30), backoff.longest_us)
    drawn = int.from_bytes(hashlib.blake2b(attempt_id.encode(), digest_size=2).digest())
    return plain + plain * drawn // (JITTER_SHARE << 16)
