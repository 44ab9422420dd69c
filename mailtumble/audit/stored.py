"""What is stored: the live items of one generation's projections and timers, and the cursors."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from mailtumble.audit.replay import TIMERS
from mailtumble.audit.tapes import Positions
from mailtumble.definition import load_definition
from mailtumble.ports.store import Item, ItemStore, Key, Put
from mailtumble.ports.stream import Shard
from mailtumble.worker.application import Aggregate, Span
from mailtumble.worker.core import NAME
from mailtumble.worker.cursor import cursor_key
from mailtumble.worker.memory import read_if_known
from mailtumble.worker.timers import prefix_of
from mailtumble.worker.views import paused_at_key, pauses_key, quotas_key
from mailtumble.worker.writes import Address, address
from schemas.ids import FLEET_SUBJECT, mail_of

MAILS: Final = "mails"
FLEET: Final = "fleet"
"""Of this table only the items with the pauses and the quotas are projections."""

SCANNED: Final = (MAILS, "throughput", "quarantine", "addresses", TIMERS)
"""The tables that are compared; the first key attribute has the generation."""


def positions(
    store: ItemStore, shards: Sequence[Shard], application: str, generation: str
) -> Positions:
    """Return how far an application has read each shard, and committed what it read.

    Items that are read later are never behind this. ``shards`` come parents first and are asked
    children first: where a child has begun, its parent is then seen at its end.
    """
    found: dict[str, str] = {}
    for shard in reversed(shards):
        item = store.get("cursors", cursor_key(application, generation, shard.id)) or {}
        sequence = item.get("sequence")
        if isinstance(sequence, str):
            found[shard.id] = sequence
    return found


class Stored:
    """The tables of core, as far as a verification looks into them."""

    def __init__(self, store: ItemStore, generation: str) -> None:
        """Look at ``generation``'s items alone."""
        self._store = store
        self._generation = generation
        self._prefix = f"{generation}#"
        self._timers = prefix_of(NAME, generation)
        self.unreadable: set[str] = set()
        """The subjects whose stored state this release can't read."""

    def positions(self, shards: Sequence[Shard]) -> Positions:
        """Return how far core has read; see :func:`positions`."""
        return positions(self._store, shards, NAME, self._generation)

    def items(self) -> dict[Address, Item]:
        """Read every item of the projections, and every timer of core, by a scan of each table."""
        found: dict[Address, Item] = {}
        for table in SCANNED:
            name = load_definition().table(table).partition_key.name
            prefix = self._timers if table == TIMERS else self._prefix
            for item in self._store.scan(table):
                if str(item.get(name, "")).startswith(prefix):
                    found[address(Put(table, item))] = item
        keys = [key(self._generation) for key in (pauses_key, paused_at_key, quotas_key)]
        for each in self._store.get_all(FLEET, keys):
            if each is not None:
                found[address(Put(FLEET, each))] = each
        return found

    def some(self, known: Mapping[Address, Item]) -> dict[Address, Item]:
        """Read the items at the addresses of ``known``, of which only the keys are used."""
        found: dict[Address, Item] = {}
        for table in (*SCANNED, FLEET):
            keys = [_key(table, item) for (owner, _), item in known.items() if owner == table]
            for item in self._store.get_all(table, keys) if keys else ():
                if item is not None:
                    found[address(Put(table, item))] = item
        return found

    def spans(
        self, items: Mapping[Address, Item], aggregate: Callable[[str], Aggregate[Any]]
    ) -> list[tuple[Span, ...]]:
        """Return where the records lie that items of addresses and of the fleet were made from.

        Args:
            items: the items that are stored.
            aggregate: what a subject is about.
        """
        subjects = {self.name(*each) for each in items.items() if each[0][0] == "addresses"}
        if any(table == FLEET for table, _ in items):
            subjects.add(FLEET_SUBJECT)
        names = sorted(subjects)
        keys: list[Key] = [{"subject_key": f"{NAME}#{self._prefix}{each}"} for each in names]
        spans: list[tuple[Span, ...]] = []
        found = zip(names, self._store.get_all("subjects", keys) if keys else (), strict=True)
        for subject, item in found:
            if item is None:
                continue
            memory = read_if_known(subject, item, aggregate(subject))
            if memory is None:
                self.unreadable.add(subject)
            else:
                spans.append(memory.spans)
        return spans

    def still_there(self, table: str, items: Sequence[Item]) -> list[Item]:
        """Return those of the items that are still in a table."""
        keys = [_key(table, item) for item in items]
        found = self._store.get_all(table, keys) if keys else ()
        return [item for item in found if item is not None]

    def name(self, place: Address, item: Item) -> str:
        """Return an item's key as a person knows it: without the generation, with the mail's id."""
        table, key = place
        if table == FLEET:
            return key.partition("#")[0]
        if table == TIMERS:
            return timer_name(item)
        return key.removeprefix(self._prefix).replace("\x1f", " ")

    def mail_items(self, items: Mapping[Address, Item]) -> dict[str, Item]:
        """Return those of the view ``mails``, by the mail's id."""
        return {self.name(place, item): item for place, item in items.items() if place[0] == MAILS}


def timer_name(item: Item) -> str:
    """Return what a timer is for, in words: its kind, its mail, and the attempt if it has one."""
    subject = str(item.get("subject", ""))
    whose = f"{item.get('kind')} of mail {mail_of(subject) or subject}"
    attempt = item.get("attempt_id")
    return f"{whose}, attempt {attempt}, round {item.get('number')}" if attempt else whose


def only(items: Mapping[Address, Item], places: Collection[Address]) -> dict[Address, Item]:
    """Return the items at these places."""
    return {place: item for place, item in items.items() if place in places}


def _key(table: str, item: Item) -> Key:
    shape = load_definition().table(table)
    names = [each.name for each in (shape.partition_key, shape.sort_key) if each is not None]
    return {name: str(item[name]) for name in names}
