"""What SES has stopped, as the whole fleet knows it: one item, changed under a condition."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mailtumble.ports.store import Item, ItemStore
from mailtumble.ports.world import Clock
from mailtumble.sender.application import NAME
from mailtumble.sender.shared import Shared
from mailtumble.worker.application import Fact
from mailtumble.worker.horizon import number, text
from processors.sending import stops
from processors.sending.lanes import Lane
from processors.sending.stops import ACCOUNT, DISABLED, Stop, Stops, whose_sending
from schemas.events import Event, SendingRestored, SendingStopped
from schemas.ids import FLEET_SUBJECT, derive

ITEM: Final = {"name": "stops"}

logger = logging.getLogger(__name__)


class StopWatch:
    """Keeps a sender from calling where SES lets nothing out, and lets single mails try."""

    def __init__(self, store: ItemStore, clock: Clock) -> None:
        """Nothing is known to be stopped."""
        self._clock = clock
        self._shared = Shared(store, ITEM["name"], "standing", read_stops, _plain)

    @property
    def standing(self) -> Stops:
        """What is stopped, as far as this sender knows."""
        return self._shared.value

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

        def after(standing: Stops) -> Stops | None:
            there = standing.get(stop.scope)
            return None if there != stop else {**standing, stop.scope: stop.probed(now)}

        return self._shared.change(after)

    def refused(self, scope: str, why: str) -> Sequence[Fact]:
        """SES lets nothing out of a scope: stop the fleet, and what is to be told of it.

        Raises:
            RetryableError: the fleet can't be told now; the next refusal tells it.
        """
        now = self._clock.now()

        def after(standing: Stops) -> Stops | None:
            stop = stops.begun(standing, scope, why, now)
            return None if stop is None else {**standing, scope: stop}

        if not self._shared.change(after):
            return ()
        logger.error("%s is stopped: %s", whose_sending(scope), why)
        stopped = SendingStopped(scope=scope, why=why)
        return (_fact(derive("stopped", scope, str(now)), stopped),)

    def accepted(self, lane: Lane, called_at: int) -> Sequence[Fact]:
        """SES has taken a mail: what was stopped of its lane goes on.

        Raises:
            RetryableError: the fleet can't be told now; the next acceptance tells it.
        """
        over = stops.ended_by(self.standing, lane, called_at)
        return [fact for each in over for fact in self._end(each)]

    def account(self, *, enabled: bool) -> Sequence[Fact]:
        """What GetAccount has just said of the account as a whole."""
        standing = self.standing.get(ACCOUNT)
        if not enabled:
            return self.refused(ACCOUNT, DISABLED)
        if standing is not None and standing.why == DISABLED:
            return self._end(standing)
        return ()

    def _end(self, stop: Stop) -> Sequence[Fact]:
        def after(standing: Stops) -> Stops | None:
            there = standing.get(stop.scope)
            if there is None or there.since != stop.since:
                return None
            return {scope: each for scope, each in standing.items() if scope != stop.scope}

        if not self._shared.change(after):
            return ()
        logger.warning("%s goes on", whose_sending(stop.scope))
        restored = SendingRestored(scope=stop.scope, stopped_at=stop.since)
        return (_fact(derive("restored", stop.scope, str(stop.since)), restored),)


def read_stops(item: Item | None) -> Stops:
    """What the fleet's item says is stopped."""
    standing: Any = (item or {}).get("standing") or ()
    found = [
        Stop(
            text(each, "scope"),
            text(each, "why"),
            number(each, "since"),
            number(each, "probe_at"),
            number(each, "probes"),
        )
        for each in standing
    ]
    return {each.scope: each for each in found}


def _plain(standing: Stops) -> list[Mapping[str, str | int]]:
    return [{name: getattr(each, name) for name in Stop.__slots__} for each in standing.values()]


def _fact(name: str, event: Event) -> Fact:
    return Fact(name, FLEET_SUBJECT, name, NAME, (event,))
