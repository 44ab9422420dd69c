"""What SES has stopped, as the whole fleet knows it: one item, changed under a condition."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from mailtumble.ports.store import Item, ItemStore
from mailtumble.ports.world import Clock
from mailtumble.sender.application import NAME
from mailtumble.sender.shared import Shared
from mailtumble.worker.application import Fact
from mailtumble.worker.horizon import number, text
from processors.sending import stops
from processors.sending.lanes import Lane
from processors.sending.stops import ACCOUNT, DISABLED, SILENT_MAX, Stop, Stops, whose_sending
from schemas.errors import RetryableError
from schemas.events import Event, SendingRestored, SendingStopped
from schemas.ids import FLEET_SUBJECT, derive
from schemas.values import SECOND_US

ITEM: Final = {"name": "stops"}
TOLD_WITHIN_US: Final = 10 * SECOND_US
"""If the sender that found a stop has not reported it by then, another one reports it."""

Kept = tuple[Stop, ...]
"""All that stand, and those that are over but are not known to be told."""

logger = logging.getLogger(__name__)


class StopWatch:
    """Keeps a sender from calling where SES lets nothing out, and lets single mails try.

    What it returns as facts is to be told; :meth:`logged` says that it is.
    """

    def __init__(
        self, store: ItemStore, clock: Clock, probe_us: int = stops.PROBE_FIRST_US
    ) -> None:
        """Create without I/O; nothing is known to be stopped.

        Args:
            store: holds the item that the fleet shares.
            clock: tells the time.
            probe_us: how long to wait before one message is tried, in microseconds.
        """
        self._clock = clock
        self._probe_us = probe_us
        self._shared: Shared[Kept] = Shared(store, ITEM["name"], "standing", _read, _plain)
        self._silent, self._silent_since = 0, 0
        self._lock = threading.Lock()
        self._told: set[str] = set()
        self._tried: stops.TriesSince | None = None

    @property
    def standing(self) -> Stops:
        """What is stopped, as far as this sender knows."""
        return stops.standing(self._shared.value)

    @property
    def at_ease(self) -> bool:
        """Whether nothing is stopped, and SES answers: an acceptance then says nothing new."""
        return not (self._silent or self._shared.value)

    def learn(self, item: Item | None) -> None:
        """Take in what the fleet knows."""
        self._shared.learn(item)

    def holds(self, lane: Lane) -> bool:
        """Whether mail of a lane is stopped."""
        return stops.covered(self.standing, lane)

    def due_probes(self) -> list[Stop]:
        """The stops for which one mail may be tried now, by whoever :meth:`takes` the turn."""
        return stops.due_probes(self.standing, self._clock.now())

    def takes(self, stop: Stop) -> bool:
        """Whether it is this sender that tries one mail."""
        now = self._clock.now()
        return self._change(
            stop,
            lambda there: (
                there.probed(now, self._probe_us) if there.probes == stop.probes else None
            ),
        )

    def refused(self, scope: str, why: str) -> Sequence[Fact]:
        """SES lets nothing out of a scope: stop the fleet, and what is to be told of it.

        Raises:
            RetryableError: the fleet can't be told now; the next refusal tells it.
        """
        now = self._clock.now()

        def after(known: Kept) -> Kept | None:
            stop = stops.begun(stops.standing(known), scope, why, now, self._probe_us)
            return None if stop is None else (*known, stop)

        if not self._shared.change(after):
            return ()
        logger.error("%s is stopped: %s", whose_sending(scope), why)
        begun = [each for each in self._shared.value if (each.scope, each.since) == (scope, now)]
        return self._telling([_stopped(each) for each in begun])

    def heard(self, outcome: Event) -> Sequence[Fact]:
        """Count the calls that SES does not answer; after some in a row the fleet stops.

        Raises:
            RetryableError: the fleet can't be told now; the next such call tells it.
        """
        with self._lock:
            if getattr(outcome, "called_at", 0) <= self._silent_since:
                return ()  # of a call from before the fleet stopped
            self._silent = stops.silent(self._silent, outcome)
            if self._silent < SILENT_MAX:
                return ()
        said = getattr(outcome, "detail", "") or getattr(outcome, "reason", "")
        told = self.refused(ACCOUNT, f"SES did not answer {SILENT_MAX} calls in a row: {said}")
        with self._lock:
            self._silent, self._silent_since = 0, self._clock.now()
        return told

    def accepted(self, lane: Lane, called_at: int) -> Sequence[Fact]:
        """SES has taken a mail: what was stopped of its lane goes on.

        Raises:
            RetryableError: the fleet can't be told now; the next acceptance tells it.
        """
        over = stops.ended_by(self.standing, lane, called_at)
        return self._end_all(over)

    def account(self, *, enabled: bool) -> Sequence[Fact]:
        """What GetAccount has just said of the account as a whole."""
        standing = self.standing.get(ACCOUNT)
        if not enabled:
            return self.refused(ACCOUNT, DISABLED)
        if standing is not None and standing.why == DISABLED:
            return self._end(standing)
        return ()

    def overdue(self, *, paused: bool = False) -> Sequence[Fact]:
        """What nobody has told though it is time, and the end of what no mail waits for any more.

        ``paused``: people hold something, perhaps the very mail that would have been tried.

        Raises:
            RetryableError: the fleet can't be told now; the next look tells it.
        """
        now = self._clock.now()
        before = now - TOLD_WITHIN_US
        found: list[Fact] = []
        for each in self._shared.value:
            if not each.told and each.since < before:
                found.append(_stopped(each))
            if each.over_at and each.over_at < before:
                found.append(_restored(each))
        tries = self._tries_since(now, paused=paused)
        ended = self._end_all(stops.idle(self.standing, now, tries))
        return [*self._telling(found), *ended]

    def logged(self, fact: Fact) -> None:
        """A fact of this one's stands on the log: nobody need tell it again.

        Raises:
            RetryableError: the fleet can't be told now; it will be told once more, and count once.
        """
        self._told.discard(fact.id)

        def after(known: Kept) -> Kept | None:
            kept = [
                replace(each, told=True) if _stopped(each).id == fact.id else each
                for each in known
                if not (each.over_at and _restored(each).id == fact.id)
            ]
            return tuple(kept) if tuple(kept) != known else None

        self._shared.change(after)

    def _tries_since(self, now: int, *, paused: bool) -> stops.TriesSince:
        """Since when this sender has tried what there is to try, of the account and of domains.

        Not before it was there, not while people held mail; of domains not while the account stood
        still.
        """
        before = self._tried
        if before is None or paused:
            tries = stops.TriesSince(now, now)
        elif ACCOUNT in self.standing:
            tries = stops.TriesSince(before.account, now)
        else:
            tries = before
        self._tried = tries
        return tries

    def _end_all(self, over: Iterable[Stop]) -> Sequence[Fact]:
        """End them; where that fails after some, these are told, and the rest is for the next look.

        Raises:
            RetryableError: none could be ended.
        """
        found: list[Fact] = []
        for each in over:
            try:
                found += self._end(each)
            except RetryableError:
                if not found:
                    raise
                break
        return found

    def _end(self, stop: Stop) -> Sequence[Fact]:
        now = self._clock.now()
        if not self._change(stop, lambda there: replace(there, over_at=now)):
            return ()
        logger.warning("%s goes on", whose_sending(stop.scope))
        # Whoever found it may have died before it told: by their ids both count once.
        begin = () if stop.told else (_stopped(stop),)
        return self._telling((*begin, _restored(stop)))

    def _change(self, stop: Stop, changed: Callable[[Stop], Stop | None]) -> bool:
        """Put another in the place of one that stands; False if none does, or None is to be."""

        def after(known: Kept) -> Kept | None:
            for place, each in enumerate(known):
                if (each.scope, each.since, each.over_at) == (stop.scope, stop.since, 0):
                    new = changed(each)
                    return None if new is None else (*known[:place], new, *known[place + 1 :])
            return None

        return self._shared.change(after)

    def _telling(self, facts: Sequence[Fact]) -> Sequence[Fact]:
        """Those that this sender is not telling already, until it hears that they are logged."""
        new = [each for each in facts if each.id not in self._told]
        self._told.update(each.id for each in new)
        return new


def read_stops(item: Item | None) -> Stops:
    """What the fleet's item says is stopped."""
    return stops.standing(_read(item))


def _read(item: Item | None) -> Kept:
    kept: Any = (item or {}).get("standing") or ()
    return tuple(
        Stop(
            text(each, "scope"),
            text(each, "why"),
            number(each, "since"),
            number(each, "probe_at"),
            number(each, "probes"),
            int(each.get("over_at", 0)),
            bool(each.get("told")),
        )
        for each in kept
    )


def _plain(kept: Kept) -> list[Mapping[str, str | int]]:
    return [{name: getattr(each, name) for name in Stop.__slots__} for each in kept]


def _stopped(stop: Stop) -> Fact:
    event = SendingStopped(scope=stop.scope, why=stop.why)
    return _fact(derive("stopped", stop.scope, str(stop.since)), event)


def _restored(stop: Stop) -> Fact:
    event = SendingRestored(scope=stop.scope, stopped_at=stop.since)
    return _fact(derive("restored", stop.scope, str(stop.since)), event)


def _fact(name: str, event: Event) -> Fact:
    return Fact(name, FLEET_SUBJECT, name, NAME, (event,))
