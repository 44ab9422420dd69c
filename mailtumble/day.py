"""What is left of the day's quota, and when some of it frees, as the commands tell it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

from mailtumble.sender.quota import KnownQuota
from mailtumble.sender.usage import OwnSends
from mailtumble.wiring import Wiring
from processors.sending.day import UNLIMITED, frees_at, reserve


class Day:
    """The rolling 24 hours, as they stand at one moment."""

    def __init__(self, wired: Wiring, quota: KnownQuota | None, now: int) -> None:
        """What the fleet itself has sent is read when it is asked for: 25 items a shard."""
        self._wired = wired
        self._quota = quota
        self._now = now
        self._reserve = wired.plan().daily_reserve

    def left(self, *, urgent: bool) -> float:
        """How many recipients may yet be sent to; what is not urgent leaves the reserve alone."""
        quota = self._quota
        if quota is None or quota.max_24h == UNLIMITED:
            return math.inf
        kept = 0 if urgent else reserve(quota.max_24h, self._reserve)
        return quota.max_24h - quota.sent_24h - kept

    def has_room(self, *, urgent: bool) -> bool:
        """Whether one more may be sent to."""
        return self.left(urgent=urgent) >= 1

    def frees_at(self, recipients: float, *, urgent: bool) -> int | None:
        """When so many more may leave than may now (microseconds UTC); None: nobody can say."""
        wanted = math.ceil(recipients - self.left(urgent=urgent))
        return frees_at(self._sent, wanted, self._now)

    @cached_property
    def _sent(self) -> Sequence[tuple[int, int]]:
        wired = self._wired
        shards = [each.id for each in wired.stream().shards()]
        return OwnSends(wired.store(), wired.settings.generation, shards).by_minute(self._now)
