"""The heads: per shard, the last segment and what the chain behind it amounts to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from mailtumble.ports.store import Item, ItemStore, Put

TABLE: Final = "cursors"
_PREFIX: Final = "archive-head#"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """``hash`` names the last segment, ``last`` its last record, which arrived at ``arrived_at``.

    ``segments``, ``records`` and ``size_bytes`` (on S3) count the whole chain.
    """

    shard: str
    hash: str
    last: str
    arrived_at: int
    segments: int
    records: int
    size_bytes: int


def put(head: Head) -> Put:
    """The write of a head; it belongs into the transaction that moves the cursor."""
    return Put(TABLE, {**_key(head.shard), **asdict(head)})


def find(store: ItemStore, shard: str) -> Head | None:
    """A shard's head; None where nothing of it is archived."""
    item = store.get(TABLE, _key(shard))
    return _head(item) if item is not None else None


def every(store: ItemStore) -> list[Head]:
    """The heads of all shards that were ever archived, by shard."""
    items = [each for each in store.scan(TABLE) if str(each["cursor"]).startswith(_PREFIX)]
    return sorted((_head(each) for each in items), key=lambda head: head.shard)


def _key(shard: str) -> dict[str, str]:
    return {"cursor": _PREFIX + shard}


def _head(item: Item) -> Head:
    plain: dict[str, Any] = {name: item[name] for name in Head.__dataclass_fields__}
    return Head(**plain)
