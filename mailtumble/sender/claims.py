"""Claims: the one write that decides who may make the call for an attempt in a round.

::

    claim(round r)──SendStarted──call at the instant──outcome          (all before send_before)
         │                                  │
         └───────────── deadline: TimerFired(claim, r) ── read in stream order:
                        started, no outcome -> unknown      not started -> round r + 1

A claim is one transaction: the queue entry goes, the permanent claim item of this round comes,
its deadline is set, and the shard's epoch is still mine. A zombie, a queue that was restored by
mistake, and a second sender all fail at it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mailtumble.ports.store import (
    Action,
    Below,
    Check,
    Condition,
    ConditionFailed,
    Delete,
    Equals,
    Item,
    ItemStore,
    Put,
    absent_or,
)
from mailtumble.sender.entry import Entry
from mailtumble.worker.cursor import Cursor
from mailtumble.worker.horizon import number
from mailtumble.worker.timers import Timers
from processors.kernel import Timer
from schemas.values import DAY_US, SECOND_US, TimerKind

CLAIMS_PER_TRANSACTION: Final = 33
"""Three actions each, and the cursor's check: 100 is DynamoDB's limit."""

KEPT_US: Final = 400 * DAY_US
"""Longer than any stream keeps its records (365 days): nothing replayed can be sent again."""


@dataclass(frozen=True, slots=True)
class ClaimTimes:
    """How long a claim is good for. The call must have ended before the deadline, surely.

    ``call_us`` is the longest that a call may take; ``slack_us`` covers clocks that differ.
    """

    send_us: int = 5 * SECOND_US
    call_us: int = 10 * SECOND_US
    slack_us: int = 2 * SECOND_US

    @property
    def deadline_us(self) -> int:
        """From the claim to its deadline."""
        return self.send_us + self.call_us + self.slack_us


class Claims:
    """Claims for one shard, under its owner's epoch."""

    def __init__(
        self, store: ItemStore, cursor: Cursor, timers: Timers, times: ClaimTimes, owner: str
    ) -> None:
        """``owner`` names this sender in the claims it makes."""
        self._store = store
        self._cursor = cursor
        self._timers = timers
        self._times = times
        self._owner = owner

    def claim(self, entries: Sequence[Entry], now: int) -> tuple[list[Entry], list[Entry]]:
        """Claim entries: those that are mine now, and those that are not to be had (any more).

        Raises:
            ShardLost: another owner has the shard.
        """
        mine: list[Entry] = []
        gone: list[Entry] = []
        for start in range(0, len(entries), CLAIMS_PER_TRANSACTION):
            wanted = list(entries[start : start + CLAIMS_PER_TRANSACTION])
            while wanted:
                failed = self._transact(wanted, now)
                gone.extend(wanted[index] for index in sorted(failed))
                if not failed:
                    mine.extend(wanted)
                    break
                wanted = [each for index, each in enumerate(wanted) if index not in failed]
        for entry in mine:
            self._timers.committed(self._timer(entry, now), done=False)
        return mine, gone

    def drop(self, entries: Sequence[Entry]) -> None:
        """Take entries out of the queue whose round somebody has claimed already."""
        for entry in entries:
            check = Check("cursors", self._cursor.key, (self._cursor.fence(),))
            same = Condition(exists=True, alternatives=((Equals("round", entry.round),),))
            gone = Delete("queue", entry.key, (Condition(exists=False), same))
            try:
                self._store.transact([check, gone])
            except ConditionFailed:
                self._cursor.verify()

    def _transact(self, entries: Sequence[Entry], now: int) -> set[int]:
        """Claim all or none; the indexes of those that stood in the way."""
        actions: list[Action] = [Check("cursors", self._cursor.key, (self._cursor.fence(),))]
        for entry in entries:
            actions.extend(self._actions(entry, now))
        try:
            self._store.transact(actions)
        except ConditionFailed as error:
            if 0 in error.failed:
                # Lost, or closed: a shard read to its end has left its queue to its children.
                self._cursor.verify()
                return set(range(len(entries)))
            stored = dict(zip(error.failed, error.items, strict=True))
            standing = [stored.get(2 + 3 * index) for index in range(len(entries))]
            unqueued = {index for index in range(len(entries)) if 1 + 3 * index in stored}
            this = map(self._is_this, standing, entries, [now] * len(entries))
            if len(unqueued) == len(entries) and all(this):
                return set()
            self._remember(entries, standing)
            return {(index - 1) // 3 for index in error.failed if index}
        return set()

    def _is_this(self, item: Item | None, entry: Entry, now: int) -> bool:
        """The very claim that was to be made stands there: the reply had been lost."""
        mine = {"round": entry.round, "owner": self._owner, "claimed_at": now}
        return item is not None and all(item.get(name) == value for name, value in mine.items())

    def _remember(self, entries: Sequence[Entry], standing: Sequence[Item | None]) -> None:
        """Mind the deadlines of claims that were made without our hearing of it."""
        for entry, item in zip(entries, standing, strict=True):
            if item is not None and item.get("round") == entry.round:
                timer = self._timer(entry, number(item, "claimed_at"))
                self._timers.committed(timer, done=False)

    def _actions(self, entry: Entry, now: int) -> list[Action]:
        same_round = Condition(exists=True, alternatives=((Equals("round", entry.round),),))
        item: Item = {
            "attempt_id": entry.attempt_id,
            "subject": entry.subject,
            "round": entry.round,
            "owner": self._owner,
            "claimed_at": now,
            "send_before": now + self._times.send_us,
            "expires_at": (now + KEPT_US) // SECOND_US,
        }
        return [
            Delete("queue", entry.key, (same_round,)),
            Put("claims", item, absent_or(Below("round", entry.round))),
            self._timers.put(self._timer(entry, now)),
        ]

    def _timer(self, entry: Entry, now: int) -> Timer:
        due_at = now + self._times.deadline_us
        return Timer(entry.subject, TimerKind.CLAIM, entry.attempt_id, entry.round, due_at)
