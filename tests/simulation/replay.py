"""A clean replay: the stream as it is, into empty tables, in one go, with nothing appended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailtumble.worker import core
from mailtumble.worker.core import Core, CoreRules
from mailtumble.worker.headers import HeaderReader
from mailtumble.worker.shard import ShardProcessor, Surroundings
from processors.moderation.rules import header_names
from schemas.errors import MailtumbleError
from tests.fakes.aliases import InMemoryAliases
from tests.fakes.clock import VirtualClock
from tests.fakes.items import InMemoryItems
from tests.fakes.objects import InMemoryObjects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailtumble.ports.store import Item
    from mailtumble.ports.stream import OutgoingRecord, Shard, ShardReader
    from tests.fakes.stream import InMemoryStream
    from tests.simulation.world import World

REPLAYED: Final = "replay"
VIEWS: Final = {
    "mails": "mail_key",
    "throughput": "shard",
    "quarantine": "quarantine_id",
    "addresses": "address_key",
    "answers": "command_id",
    "returns": "whom",
}
"""The projections' tables, and the key attribute that begins with the generation."""

OF_GENERATION: Final = ("received_day", "held")
"""Other attributes that begin with the generation."""


class _ReadOnly:
    """The stream, on which whatever is appended vanishes."""

    def __init__(self, stream: InMemoryStream) -> None:
        self._stream = stream

    def append(self, records: Sequence[OutgoingRecord]) -> Sequence[str]:
        return [""] * len(records)

    def shards(self) -> Sequence[Shard]:
        return self._stream.shards()

    def reader(self, shard_id: str, *, after: str | None, at: str | None = None) -> ShardReader:
        return self._stream.reader(shard_id, after=after, at=at)


def differences(world: World) -> list[str]:
    """What the live views say otherwise than those of a clean replay, item by item."""
    try:
        replayed = _replay(world)
    except (MailtumbleError, LookupError, ValueError) as error:
        # On what the live workers have worked off, a replay that fails is a finding as well.
        return [f"replay: {type(error).__name__}: {error}"]
    complaints = []
    for table in VIEWS:
        live = _items(world.store, table, world.generation)
        clean = _items(replayed, table, REPLAYED)
        complaints.extend(
            f"replay: {table} {key}: live {live.get(key)}, replayed {clean.get(key)}"
            for key in sorted(live.keys() | clean.keys())
            if live.get(key) != clean.get(key)
        )
    return complaints


def _replay(world: World) -> InMemoryItems:
    """Shard by shard, parents first (they are listed so). Poison stays quarantined as it was."""
    store = InMemoryItems()
    around = Surroundings(
        _ReadOnly(world.stream),
        store,
        InMemoryObjects(),
        world.bucket,
        VirtualClock(),
        upgrade_wait_us=0,
    )
    history = world.stream.history()
    for shard in world.stream.every_shard():
        rules = CoreRules(mail=world.rules)
        headers = HeaderReader(world.objects, header_names(world.rules.moderation))
        application = Core(InMemoryAliases(), headers, rules, REPLAYED)
        processor = ShardProcessor(application, shard, around)
        processor.take_over()
        for record in history[shard.id]:
            if (core.NAME, record.sequence_number) in world.poison.fatal:
                processor._process([record], poison=True)
            else:
                processor.process([record])
    return store


def _items(store: InMemoryItems, table: str, generation: str) -> dict[str, Item]:
    """A generation's items by key, without what names the generation."""
    prefix = f"{generation}#"
    found: dict[str, Item] = {}
    for item in store.scan(table):
        plain = {
            name: str(value).removeprefix(prefix)
            if name == VIEWS[table] or name in OF_GENERATION
            else value
            for name, value in item.items()
        }
        if str(item[VIEWS[table]]).startswith(prefix):
            found[f"{plain[VIEWS[table]]} {plain.get('minute', plain.get('hour', ''))}".strip()] = (
                plain
            )
    return found
