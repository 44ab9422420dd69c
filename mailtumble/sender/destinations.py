"""Domains that mail goes to, each at no more than its own rate, of the whole fleet.

A domain's instants are dealt out like the account's (:mod:`mailtumble.sender.instants`); each lets
one mail stand for the account's next instant. So the fleet keeps a domain's limit exactly, whoever
of it has the domain's mail.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from mailtumble.ports.store import ConditionFailed, Equals, Item, ItemStore, Update, absent_or
from mailtumble.ports.world import Clock
from mailtumble.sender.instants import Instants
from mailtumble.worker.horizon import number
from processors.sending.control import DOMAIN, WHOLE, Control, steered
from processors.sending.pacing import RATE_UNIT
from schemas.errors import RetryableError
from schemas.values import MINUTE_US, SECOND_US

ITEM: Final = {"name": "slowed"}
HEARD_WITHIN_US: Final = 5 * MINUTE_US
"""A delay told of later (after an outage, or read again) says nothing of now."""
RIPE_US: Final = SECOND_US // 5
STALE_US: Final = SECOND_US
TRIES: Final = 3


class Destinations:
    """Which domains have a limit, by the settings or because they defer; for a whole process."""

    def __init__(
        self,
        store: ItemStore,
        account: str,
        clock: Clock,
        fleet_rate_milli: Callable[[], int],
        limits: Mapping[str, float],
        *,
        slows_down: bool,
    ) -> None:
        """``limits``: mails a second by domain; ``slows_down``: whether delays are heeded."""
        self._store = store
        self._account = account
        self._clock = clock
        self._fleet_rate_milli = fleet_rate_milli
        self._limits = limits
        self._slows_down = slows_down
        self._instants: dict[str, Instants] = {}
        self._version = 0
        self.slowed: Mapping[str, Control] = {}

    def learn(self, item: Item | None) -> None:
        """Take in what the fleet knows."""
        self._version = number(item, "version") if item else 0
        self.slowed = read_slowed(item, self._clock.now()) if self._slows_down else {}

    def is_limited(self, domain: str) -> bool:
        """Whether it has a rate of its own."""
        return domain in self._limits or domain in self.slowed

    def rate_milli(self, domain: str) -> int:
        """Thousandths of a mail a second."""
        limit = self._limits.get(domain)
        whole = self._fleet_rate_milli() if limit is None else round(limit * RATE_UNIT)
        control = self.slowed.get(domain, Control())
        return steered(whole, control, self._clock.now(), DOMAIN)

    def take(self, domain: str) -> list[int]:
        """Some instants of a limited domain: what it may take in half a second."""
        instants = self._instants.get(domain)
        if instants is None:
            place = f"{self._account} {domain}"
            instants = Instants(self._store, place, lambda: self.rate_milli(domain))
            self._instants[domain] = instants
        return instants.take(1 + self.rate_milli(domain) // (2 * RATE_UNIT), self._clock.now())

    def delayed(self, domain: str, happened_at: int) -> None:
        """A domain does not take mail now: the whole fleet sends it less, once an epoch.

        Raises:
            RetryableError: the fleet can't be told now; the next delay tells it.
        """
        now = self._clock.now()
        if not self._slows_down or happened_at < now - HEARD_WITHIN_US:
            return
        for _ in range(TRIES):
            after = self.slowed.get(domain, Control()).refused(happened_at, now, DOMAIN)
            if after is None:
                return
            slowed = {**self.slowed, domain: after}
            fields: Item = {"version": self._version + 1, "slowed": _plain(slowed)}
            same = absent_or(Equals("version", self._version))
            try:
                self._store.write(Update("fleet", ITEM, set=fields, when=same))
            except ConditionFailed as error:
                self.learn(error.items[0])
                continue
            self._version, self.slowed = self._version + 1, slowed
            return
        raise RetryableError("the slow domains were changed by others all the time")


class Permits:
    """What one shard may send to limited domains now; it takes more as they are used."""

    def __init__(self, destinations: Destinations, clock: Clock) -> None:
        """None yet."""
        self._destinations = destinations
        self._clock = clock
        self._held: dict[str, deque[int]] = {}

    def is_limited(self, domain: str) -> bool:
        """See :meth:`Destinations.is_limited`."""
        return self._destinations.is_limited(domain)

    def room(self, domain: str) -> int | None:
        """How many mails may go to a domain now; None: it has no limit."""
        if not self._destinations.is_limited(domain):
            return None
        held = self._held.setdefault(domain, deque())
        now = self._clock.now()
        while held and held[0] < now - STALE_US:
            held.popleft()
        if not held:
            held.extend(self._destinations.take(domain))
        return sum(1 for at in held if at <= now + RIPE_US)

    def use(self, domain: str) -> None:
        """A mail goes there."""
        if self._held.get(domain):
            self._held[domain].popleft()


def read_slowed(item: Item | None, now: int) -> Mapping[str, Control]:
    """The domains that are slowed still, from the fleet's item."""
    slowed: Any = (item or {}).get("slowed") or ()
    found = {
        str(each["domain"]): Control(number(each, "cut_at"), number(each, "factor"))
        for each in slowed
    }
    return {name: each for name, each in found.items() if each.now(now, DOMAIN) < WHOLE}


def _plain(slowed: Mapping[str, Control]) -> list[Mapping[str, str | int]]:
    return [
        {"domain": name, "cut_at": each.cut_at, "factor": each.factor}
        for name, each in slowed.items()
    ]
