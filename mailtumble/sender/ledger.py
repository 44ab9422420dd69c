"""The daily quota, as a second begins: what GetAccount counted, and what was dealt out since."""

from __future__ import annotations

from typing import Final

from mailtumble.ports.store import ItemStore, Key
from mailtumble.ports.world import Clock
from mailtumble.sender.instants import KEPT_US
from mailtumble.sender.quota import QuotaWatch
from mailtumble.worker.horizon import number
from processors.sending.day import UNCOUNTED_US, UNLIMITED, Share, reserve, share_of
from processors.sending.pacing import RATE_UNIT, slice_number
from schemas.values import SECOND_US

READ_SLICES: Final = KEPT_US // SECOND_US
"""So far back slices are kept. Where GetAccount has not answered for longer, all before counts."""
SURELY_OVER: Final = 2
"""After so many slices more nobody takes of one, whatever its clock."""
ENDING_S: Final = 10
"""A day of which no more than this is left, at the present rate, is ending."""


class DailyLedger:
    """How many instants of a second may be dealt out. Reads nothing while the day's end is far."""

    def __init__(
        self, store: ItemStore, account: str, watch: QuotaWatch, clock: Clock, kept: float
    ) -> None:
        """``kept``: the share of the daily quota that only urgent mail may use."""
        self._store = store
        self._account = account
        self._watch = watch
        self._clock = clock
        self._kept = kept
        self._past: dict[int, int] = {}

    def share(self, index: int, size: int) -> Share:
        """Of the second ``index`` (since 1970), which would have ``size`` instants."""
        known = self._watch.known
        if known is None or known.max_24h == UNLIMITED:
            return Share(size)
        now = self._clock.now()
        if now < known.closed_until:
            return Share(0, urgent_only=True)
        kept = reserve(known.max_24h, self._kept)
        left = known.max_24h - known.sent_24h
        first = slice_number(known.observed_at - UNCOUNTED_US)
        if left - size * (index - first) > kept + size:
            return Share(size)
        oldest = max(first, index - READ_SLICES)
        dealt = size * (oldest - first) + self._dealt(oldest, index, slice_number(now))
        return share_of(left - dealt, kept, size)

    def is_ending(self) -> bool:
        """Whether so little of the day is left that mail may have to wait for it."""
        known = self._watch.known
        if known is None or known.max_24h == UNLIMITED:
            return False
        soon = ENDING_S * self._watch.rate_milli() // RATE_UNIT
        left = known.max_24h - known.sent_24h - reserve(known.max_24h, self._kept)
        return left <= soon or self._clock.now() < known.closed_until

    def _dealt(self, first: int, end: int, present: int) -> int:
        """What was dealt out of the seconds from ``first`` to before ``end``.

        Of one that is not over, all of it: it may yet be. One that is over is read once.
        """
        past = {index: dealt for index, dealt in self._past.items() if first <= index < end}
        unread = [index for index in range(first, end) if index not in past]
        keys: list[Key] = [{"account": self._account, "slice": each} for each in unread]
        found = self._store.get_all("slices", keys) if keys else ()
        begun = dict.fromkeys(unread, 0)
        for index, item in zip(unread, found, strict=True):
            if item is not None:
                unused = number(item, "left") if index < present else 0
                begun[index] = number(item, "size") - unused
        over = {index: dealt for index, dealt in begun.items() if index < present - SURELY_OVER}
        self._past = past | over
        return sum(past.values()) + sum(begun.values())
