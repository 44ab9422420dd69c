"""The heads: for each shard, the last segment of its chain and the size of the chain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final

from mailtumble.ports.store import Item, ItemStore, Put

TABLE: Final = "cursors"
_PREFIX: Final = "archive-head#"
_GAP_PREFIX: Final = "archive-gap#"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The end of a shard's chain, and the size of the whole chain.

    Attributes:
        shard: the shard's id.
        hash: the hash of the last segment.
        last: the padded sequence number of the last record.
        arrived_at: when that record arrived on the stream (microseconds UTC).
        segments: the number of segments in the chain.
        records: the number of records in the chain.
        size_bytes: the size of the chain's objects on S3.
    """

    shard: str
    hash: str
    last: str
    arrived_at: int
    segments: int
    records: int
    size_bytes: int


def put(head: Head) -> Put:
    """Return the write of a head. Put it in the transaction that moves the cursor."""
    return Put(TABLE, {**_key(head.shard), **asdict(head)})


def find(store: ItemStore, shard: str) -> Head | None:
    """Return a shard's head, or None if the shard has no chain."""
    item = store.get(TABLE, _key(shard))
    return _head(item) if item is not None else None


def every(store: ItemStore) -> list[Head]:
    """Return the heads of all shards that were ever archived, sorted by shard."""
    return among(store.scan(TABLE))


def among(items: Iterable[Item]) -> list[Head]:
    """Return the heads among the items of the cursors' table, sorted by shard."""
    found = (_head(each) for each in items if str(each["cursor"]).startswith(_PREFIX))
    return sorted(found, key=lambda head: head.shard)


def put_gap(shard: str, noticed_at: int) -> Put:
    """Return the write that records that the end of a closed shard may not be archived.

    Args:
        shard: the shard's id.
        noticed_at: when the worker noticed it (microseconds UTC).
    """
    return Put(TABLE, {"cursor": _GAP_PREFIX + shard, "noticed_at": noticed_at})


def gaps_among(items: Iterable[Item]) -> dict[str, int]:
    """Return when the worker noticed a gap at a shard's end (microseconds UTC), by shard."""
    return {
        str(each["cursor"]).removeprefix(_GAP_PREFIX): noticed_at
        for each in items
        if str(each["cursor"]).startswith(_GAP_PREFIX)
        and isinstance(noticed_at := each["noticed_at"], int)
    }


def _key(shard: str) -> dict[str, str]:
    return {"cursor": _PREFIX + shard}


def _head(item: Item) -> Head:
    plain: dict[str, Any] = {name: item[name] for name in Head.__dataclass_fields__}
    return Head(**plain)
