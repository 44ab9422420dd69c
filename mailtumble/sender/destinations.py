"""Domains that mail goes to, each at no more than its own rate, of the whole fleet.

A domain's instants are dealt out like the account's (:mod:`mailtumble.sender.instants`); each lets
one mail stand for the account's next instant. So the fleet keeps a domain's limit, whoever of it
has the domain's mail. In a single second it may be passed by what comes in two paces: the mail
leaves at the account's instants, not at the domain's own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from mailtumble.ports.store import Item, ItemStore
from mailtumble.ports.world import Clock
from mailtumble.sender.instants import Instants
from mailtumble.sender.shared import Shared
from mailtumble.worker.horizon import number
from processors.sending.control import DOMAIN, WHOLE, Control, steered
from processors.sending.pacing import RATE_UNIT
from schemas.values import MINUTE_US, SECOND_US

ITEM: Final = {"name": "slowed"}
HEARD_WITHIN_US: Final = 5 * MINUTE_US
"""A delay told of later (after an outage, or read again) says nothing of now."""
RIPE_US: Final = SECOND_US // 5
STALE_US: Final = 2 * SECOND_US // 5
"""A pace before its time a permit is good, and two after it: those that pass are lost."""

Slowed = Mapping[str, Control]
"""By domain."""


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
        self._shared = Shared(store, ITEM["name"], "slowed", self._read, _plain)

    @property
    def slowed(self) -> Slowed:
        """The domains that are slowed, as far as this sender knows."""
        return self._shared.value

    def learn(self, item: Item | None) -> None:
        """Take in what the fleet knows."""
        self._shared.learn(item)

    def is_limited(self, domain: str) -> bool:
        """Whether it has a rate of its own."""
        return domain in self._limits or domain in self.slowed

    def rate_milli(self, domain: str) -> int:
        """Thousandths of a mail a second."""
        limit, control = self._limits.get(domain), self.slowed.get(domain)
        return limited_rate_milli(limit, control, self._fleet_rate_milli, self._clock.now())

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

        def after(slowed: Slowed) -> Slowed | None:
            cut = slowed.get(domain, Control()).refused(happened_at, now, DOMAIN)
            return None if cut is None else {**slowed, domain: cut}

        self._shared.change(after)

    def _read(self, item: Item | None) -> Slowed:
        return read_slowed(item, self._clock.now()) if self._slows_down else {}


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


def limited_rate_milli(
    limit: float | None, slowed: Control | None, fleet_rate_milli: Callable[[], int], now: int
) -> int:
    """What a domain gets (thousandths of a mail a second) by its limit, and while it is slowed."""
    whole = fleet_rate_milli() if limit is None else round(limit * RATE_UNIT)
    return steered(whole, slowed or Control(), now, DOMAIN)


def read_slowed(item: Item | None, now: int) -> Slowed:
    """The domains that are slowed still, from the fleet's item."""
    slowed: Any = (item or {}).get("slowed") or ()
    found = {
        str(each["domain"]): Control(number(each, "cut_at"), number(each, "factor"))
        for each in slowed
    }
    return {name: each for name, each in found.items() if each.now(now, DOMAIN) < WHOLE}


def _plain(slowed: Slowed) -> list[Mapping[str, str | int]]:
    return [
        {"domain": name, "cut_at": each.cut_at, "factor": each.factor}
        for name, each in slowed.items()
    ]
