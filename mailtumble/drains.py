"""What is left of what is drained: all that can still leave of what had come in before.

A mail on its way is in one of three places: in the queue (due now, due later, held by something
else), claimed for a call, or of unknown outcome until SES's event or the policy settles it. Between
two of them it is on the stream alone, for a second or so: nothing is left once that is found twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mailtumble.outlook import Outlook, timers
from mailtumble.ports.store import Item, ItemStore
from mailtumble.sender.application import GENERATION, NAME, DispatchAggregate
from mailtumble.sender.standing import scopes
from mailtumble.worker import core
from mailtumble.worker.horizon import text
from mailtumble.worker.memory import read_if_known
from processors.fleet.decider import Pause
from processors.sending.dispatch import Attempt, Dispatch, Phase
from schemas.values import TimerKind

AGGREGATE: Final = DispatchAggregate()


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Attempts of what is drained that can still leave, by where they are.

    ``next_due_at``: when the first of those that are due later is due (microseconds UTC), or None.
    """

    due: int
    later: int
    held: int
    claimed: int
    unknown: int
    next_due_at: int | None

    @property
    def nothing(self) -> bool:
        """Whether none of it is on its way."""
        return not (self.due or self.later or self.held or self.claimed or self.unknown)


class UnderWay:
    """Attempts that have left the queue and are not settled, of the whole fleet.

    Attributes:
        looked_up: messages whose alias is looked up again later.
        unreadable: how many messages have a stored state that this release can't read. They count
            as under way.
        complete: whether all timers were read (see :data:`mailtumble.outlook.IN_BUCKET_MAX`).
    """

    def __init__(self, store: ItemStore, generation: str) -> None:
        """Read them by their timers: a claim's deadline, the end of the wait for SES's event."""
        self._store = store
        own, cores = timers(store, NAME, GENERATION), timers(store, core.NAME, generation)
        self.complete = own.complete and cores.complete
        claimed = [item for item in own.items if item["kind"] == TimerKind.CLAIM]
        unknown = [item for item in cores.items if item["kind"] == TimerKind.UNKNOWN]
        self.looked_up = sum(item["kind"] == TimerKind.LOOKUP for item in cores.items)
        self.unreadable = 0
        self._states = self._read(text(item, "subject") for item in (*claimed, *unknown))
        self._claimed = [item for item in claimed if not self._is_settled(item)]
        # Core waits to the end for an event that may have come long ago.
        self._unknown = [item for item in unknown if not self._is_settled(item)]

    @property
    def claimed(self) -> int:
        """How many are on their way to SES, or were within the last seconds."""
        return len(self._claimed)

    @property
    def unknown(self) -> int:
        """Of how many nobody knows whether SES has them, until its event or the policy says."""
        return len(self._unknown)

    def drained(self, scope: str, since: int) -> tuple[int, int]:
        """How many of ``scope`` are claimed and unknown, of what had come in before ``since``."""

        def count(items: Iterable[Item]) -> int:
            return sum(1 for item in items if self._is_drained(item, scope, since))

        return count(self._claimed), count(self._unknown)

    def _is_drained(self, timer: Item, scope: str, since: int) -> bool:
        state, attempt = self._kept(timer)
        if state is None or state.mail is None or attempt is None:
            # The sender has not read so far yet. Rather one too many.
            return True
        return state.mail.received_at < since and scope in scopes(attempt.lane)

    def _is_settled(self, timer: Item) -> bool:
        _, attempt = self._kept(timer)
        return attempt is not None and attempt.phase is Phase.DONE

    def _kept(self, timer: Item) -> tuple[Dispatch | None, Attempt | None]:
        """What the sender keeps of a timer's mail, and of its attempt."""
        state = self._states[text(timer, "subject")]
        return state, None if state is None else state.attempt(text(timer, "attempt_id"))

    def _read(self, subjects: Iterable[str]) -> dict[str, Dispatch | None]:
        distinct = list(dict.fromkeys(subjects))
        keys = [{"subject_key": f"{NAME}#{GENERATION}#{each}"} for each in distinct]
        found = self._store.get_all("subjects", keys) if keys else ()
        states: dict[str, Dispatch | None] = {}
        for subject, item in zip(distinct, found, strict=True):
            memory = None if item is None else read_if_known(subject, item, AGGREGATE)
            states[subject] = None if memory is None else memory.state
            self.unreadable += item is not None and memory is None
        return states


def left(outlook: Outlook, under_way: UnderWay, scope: str, pause: Pause) -> Left:
    """What is left of a drain."""
    mine = [
        each
        for each in outlook.entries
        if each.received_at < pause.since
        and scope in scopes(each.lane)
        and not each.is_over(outlook.now)
    ]
    free = [each for each in mine if not outlook.held(each)]
    later = [each.due_at for each in free if each.due_at > outlook.now]
    claimed, unknown = under_way.drained(scope, pause.since)
    return Left(
        due=len(free) - len(later),
        later=len(later),
        held=len(mine) - len(free),
        claimed=claimed,
        unknown=unknown,
        next_due_at=min(later, default=None),
    )
