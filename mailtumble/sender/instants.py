"""Reserved instants: whoever holds one may make one call at it. Shared by the fleet in DynamoDB.

A slice (one second of one account in one region) is created by whoever gets there first, with
its rate and its number of instants; senders take n of them with one atomic update. At the end of
a day's quota a slice may have fewer, or be kept for urgent mail.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from mailtumble.ports.store import (
    AtLeast,
    Condition,
    ConditionFailed,
    Equals,
    Item,
    ItemStore,
    Put,
    Test,
    Update,
)
from mailtumble.ports.world import Clock
from mailtumble.worker.horizon import number
from processors.sending.day import Share
from processors.sending.pacing import AHEAD_SLICES, Slice, slice_number
from schemas.values import HOUR_US, SECOND_US

LEAD_US: Final = 30_000
"""An instant nearer than this can't be reached: the claim and SendStarted come first."""

KEPT_US: Final = HOUR_US
BEFORE_SLICES: Final = 3
"""So far back the last instant before a slice is looked for: one in 3 s is no rate to care for."""
BEGUN_MAX: Final = 8
"""Slices whose rates are remembered: a call leaves at most some seconds after its take."""
SOON_S: Final = 0.005
"""How soon a call that needs another instant looks again whether one was taken for it."""


def whole(index: int, size: int) -> Share:  # noqa: ARG001
    """All of a slice."""
    return Share(size)


@dataclass(slots=True)
class _Missed:
    """How many calls need another instant, whether one of them takes, and what it has taken."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    asking: int = 0
    taking: bool = False
    spare: deque[int] = field(default_factory=deque)


class Instants:
    """Takes instants for one account, at the rate that ``rate_milli`` says when a slice begins."""

    def __init__(
        self,
        store: ItemStore,
        account: str,
        rate_milli: Callable[[], int],
        share: Callable[[int, int], Share] = whole,
    ) -> None:
        """``rate_milli``: thousandths of a recipient per second; 0 while the quota is unknown.

        ``share``: of a slice (its number, its size), how much may be dealt out.
        """
        self._store = store
        self._account = account
        self._rate_milli = rate_milli
        self._share = share
        self._empty_until = {True: -1, False: -1}
        self._begun: dict[int, Slice] = {}
        self._missed = {True: _Missed(), False: _Missed()}

    def take(self, wanted: int, now: int, *, urgent: bool = False) -> list[int]:
        """Up to ``wanted`` instants (microseconds UTC), none past, two seconds ahead at most."""
        taken: list[int] = []
        earliest = now + LEAD_US
        first = slice_number(earliest)
        if self._empty_until[urgent] > first + AHEAD_SLICES:
            self._empty_until[urgent] = -1  # by a clock that was wrong
        for index in range(max(first, self._empty_until[urgent] + 1), first + AHEAD_SLICES):
            if len(taken) >= wanted:
                break
            taken.extend(self._take_from(index, wanted - len(taken), earliest, urgent=urgent))
        return taken

    def holds(self, instant_at: int) -> bool:
        """Whether an instant that was taken still is one, at the rate of now.

        After a cut the seconds that were begun before it would go on at the old rate.
        """
        part = self._begun.get(slice_number(instant_at))
        return part is None or part.keeps(instant_at, self._rate_milli())

    def another(self, clock: Clock, before: int, *, urgent: bool = False) -> int | None:
        """An instant in place of one that was missed, ``before`` a moment (microseconds UTC).

        None if there is none to be had, or the moment has come.

        Where calls are late, many are: whoever asks first takes for all who wait behind it, in one
        write. Safe from any thread.
        """
        missed = self._missed[urgent]
        with missed.lock:
            missed.asking += 1
        try:
            while True:
                with missed.lock:
                    while missed.spare and missed.spare[0] <= clock.now():
                        missed.spare.popleft()
                    if clock.now() >= before:
                        return None
                    if missed.spare:
                        return missed.spare.popleft()
                    mine, wanted = not missed.taking, missed.asking
                    missed.taking = True
                if not mine:
                    clock.sleep(SOON_S)
                elif not self._take_for(missed, wanted, clock.now(), urgent=urgent):
                    return None
        finally:
            with missed.lock:
                missed.asking -= 1

    def _take_for(self, missed: _Missed, wanted: int, now: int, *, urgent: bool) -> bool:
        """Take what all wait for; whether there was any. Nothing is locked meanwhile."""
        taken: list[int] = []
        try:
            taken = self.take(wanted, now, urgent=urgent)
        finally:
            with missed.lock:
                missed.spare.extend(taken)
                missed.taking = False
        return bool(taken)

    def _take_from(self, index: int, wanted: int, earliest: int, *, urgent: bool) -> list[int]:
        found: list[int] = []
        burn = 0
        while len(found) < wanted:
            got = self._reserve(index, burn + wanted - len(found), urgent=urgent)
            if got is None:
                return found
            part, used, count = got
            instants = [part.instant_at(each) for each in range(used, used + count)]
            found.extend(at for at in instants if at >= earliest)
            burn = max(0, part.passed(earliest) - used - count)
        return found

    def _reserve(self, index: int, wanted: int, *, urgent: bool) -> tuple[Slice, int, int] | None:
        """Take up to ``wanted`` of a slice: the slice, how many were gone before, how many came."""
        for _ in range(3):
            try:
                item = self._subtract(index, wanted, urgent=urgent)
            except ConditionFailed as error:
                before = error.items[0]
                if before is None:
                    if not self._create(index):
                        return None
                    continue
                left = number(before, "left")
                if left <= 0 or (before["urgent_only"] and not urgent):
                    self._empty_until[urgent] = max(self._empty_until[urgent], index)
                    return None
                wanted = min(wanted, left)
                continue
            part = Slice(index, number(item, "rate_milli"))
            self._remember(part)
            return part, part.size - number(item, "left") - wanted, wanted
        return None

    def _remember(self, part: Slice) -> None:
        begun = {**self._begun, part.number: part}
        recent = sorted(begun)[-BEGUN_MAX:]
        self._begun = {each: begun[each] for each in recent}

    def _subtract(self, index: int, count: int, *, urgent: bool) -> Item:
        tests: tuple[Test, ...] = (AtLeast("left", count),)
        if not urgent:
            tests = (*tests, Equals("urgent_only", value=False))
        enough = Condition(exists=True, alternatives=(tests,))
        key = self._key(index)
        return self._store.write(Update("slices", key, add={"left": -count}, when=(enough,))) or {}

    def _create(self, index: int) -> bool:
        """Begin a slice at the rate of now; False while there is no rate."""
        rate = self._rate_milli()
        part = Slice(index, rate) if rate > 0 else None
        if part is None:
            return False
        share = self._share(index, part.size)
        # Of a slice that has fewer than its rate says, the first ones are left out.
        size = min(share.size, part.size - self._too_near(part))
        item = {
            **self._key(index),
            "rate_milli": rate,
            "size": size,
            "left": size,
            "urgent_only": share.urgent_only,
            "expires_at": (index * SECOND_US + KEPT_US) // SECOND_US,
        }
        with contextlib.suppress(ConditionFailed):  # somebody else began it
            self._store.write(Put("slices", item, (Condition(exists=False),)))
        return True

    def _too_near(self, part: Slice) -> int:
        """How many of a slice's first instants lie too near behind those of another rate."""
        known = self._begun.get(part.number - 1)
        if known is not None and known.size and known.rate_milli == part.rate_milli:
            return 0
        before = range(part.number - 1, part.number - 1 - BEFORE_SLICES, -1)
        items = self._store.get_all("slices", [self._key(index) for index in before])
        for index, item in zip(before, items, strict=True):
            if item is not None and number(item, "size"):
                return part.first_after(Slice(index, number(item, "rate_milli")))
        return 0

    def _key(self, index: int) -> dict[str, str | int]:
        return {"account": self._account, "slice": index}
