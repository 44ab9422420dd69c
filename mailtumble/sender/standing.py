"""What core's views say of those that mail goes to: who is paused, which address is suppressed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mailtumble.ports.store import Item, ItemStore
from mailtumble.worker.horizon import number, text
from mailtumble.worker.views import address_key, pauses_key
from processors.bounces.decider import WANTED
from processors.fleet.decider import AT, EVERYBODY, Pause
from processors.sending.lanes import Lane
from schemas.ids import address_subject

NOTHING_KNOWN: Final[Mapping[str, Pause]] = {}


@dataclass(frozen=True, slots=True)
class AddressStanding:
    """``suppressed``: why nothing is sent there, or "".

    ``watched``: it has a record of bounces that a delivery would end.
    """

    suppressed: str = ""
    watched: bool = False


CLEAN: Final = AddressStanding()


def scopes(lane: Lane) -> tuple[str, ...]:
    """What may be paused that this lane is part of."""
    return EVERYBODY, lane.tenant, AT + lane.destination


class Standing:
    """Asked before each claim: a pause or a suppression holds for all that was not claimed yet."""

    def __init__(self, store: ItemStore, generation: str, address_key_: str) -> None:
        """Read the views of ``generation``; ``address_key_`` keys the digests of addresses."""
        self._store = store
        self._generation = generation
        self._address_key = address_key_
        self.paused: Mapping[str, Pause] = NOTHING_KNOWN

    def poll(self) -> None:
        """Read what is paused."""
        self.learn(self._store.get("fleet", self.key))

    @property
    def key(self) -> dict[str, str]:
        """The item of the table ``fleet`` that tells it."""
        return pauses_key(self._generation)

    def learn(self, item: Item | None) -> None:
        """Take in what core's view says is paused."""
        paused: Any = (item or {}).get("paused") or ()
        self.paused = {
            text(each, "scope"): Pause(text(each, "told"), number(each, "since")) for each in paused
        }

    def held_since(self, lane: Lane) -> int | None:
        """What came in then or later is paused (0: all of it), or None."""
        found = [self.paused[scope].since for scope in scopes(lane) if scope in self.paused]
        return min(found, default=None)

    def of(self, addresses: Iterable[str], now: int) -> Mapping[str, AddressStanding]:
        """How each address stands, in one batch read."""
        distinct = list(dict.fromkeys(addresses))
        keys = [
            {"address_key": address_key(self._generation, address_subject(each, self._address_key))}
            for each in distinct
        ]
        items = self._store.get_all("addresses", keys) if keys else ()
        found: dict[str, AddressStanding] = {}
        for address, item in zip(distinct, items, strict=True):
            if item is None:
                found[address] = CLEAN
                continue
            until, reason = number(item, "until"), item["reason"]
            holds = reason is not None and (until == 0 or now < until)
            found[address] = AddressStanding(
                str(reason) if holds else "", watched=reason not in WANTED
            )
        return found
