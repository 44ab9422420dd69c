"""What is stored: the live items of one generation's projections, and how far core has read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from mailtumble.audit.tapes import Positions
from mailtumble.definition import load_definition
from mailtumble.ports.store import Item, ItemStore, Key, Put
from mailtumble.ports.stream import Shard
from mailtumble.worker.core import NAME
from mailtumble.worker.views import paused_at_key, pauses_key, quotas_key
from mailtumble.worker.writes import Address, address

SCANNED: Final = ("mails", "throughput", "quarantine", "addresses")
"""The tables of projections that are compared; the first key attribute has the generation."""

FLEET: Final = "fleet"
"""Of this table only the items with the pauses and the quotas are projections."""


class Stored:
    """The tables, as far as a verification looks into them."""

    def __init__(self, store: ItemStore, generation: str) -> None:
        """Look at ``generation``'s items alone."""
        self._store = store
        self._generation = generation
        self._prefix = f"{generation}#"

    def positions(self, shards: Sequence[Shard]) -> Positions:
        """How far core has read each shard, and committed what it read.

        The items are never behind this, if they are read later. ``shards`` come parents first and
        are asked children first: where a child has begun, its parent is then seen at its end.
        """
        found: dict[str, str] = {}
        for shard in reversed(shards):
            key = {"cursor": f"{NAME}#{self._generation}#{shard.id}"}
            sequence = (self._store.get("cursors", key) or {}).get("sequence")
            if isinstance(sequence, str):
                found[shard.id] = sequence
        return found

    def items(self) -> dict[Address, Item]:
        """Every item of the projections."""
        found: dict[Address, Item] = {}
        for table in SCANNED:
            name = load_definition().table(table).partition_key.name
            for item in self._store.scan(table):
                if str(item.get(name, "")).startswith(self._prefix):
                    found[address(Put(table, item))] = item
        keys = [key(self._generation) for key in (pauses_key, paused_at_key, quotas_key)]
        for each in self._store.get_all(FLEET, keys):
            if each is not None:
                found[address(Put(FLEET, each))] = each
        return found

    def some(self, known: Mapping[Address, Item]) -> dict[Address, Item]:
        """The items at the addresses of ``known``, of which only the keys are used."""
        found: dict[Address, Item] = {}
        for table in (*SCANNED, FLEET):
            keys = [_key(table, item) for (owner, _), item in known.items() if owner == table]
            for item in self._store.get_all(table, keys) if keys else ():
                if item is not None:
                    found[address(Put(table, item))] = item
        return found

    def name(self, place: Address) -> str:
        """An item's key as a person knows it: without the generation."""
        table, key = place
        if table == FLEET:
            return key.partition("#")[0]
        return key.removeprefix(self._prefix).replace("\x1f", " ")

    def mail_items(self, items: Mapping[Address, Item]) -> dict[str, Item]:
        """Those of the view ``mails``, by the mail's id."""
        return {self.name(place): item for place, item in items.items() if place[0] == SCANNED[0]}


def only(items: Mapping[Address, Item], places: Collection[Address]) -> dict[Address, Item]:
    """The items at these places."""
    return {place: item for place, item in items.items() if place in places}


def _key(table: str, item: Item) -> Key:
    shape = load_definition().table(table)
    names = [each.name for each in (shape.partition_key, shape.sort_key) if each is not None]
    return {name: str(item[name]) for name in names}
