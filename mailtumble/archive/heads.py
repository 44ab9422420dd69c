"""The heads: per shard, the last segment and what the chain behind it amounts to."""

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
    """Return the write of a head; it belongs in the transaction that moves the cursor."""
    return Put(TABLE, {**_key(head.shard), **asdict(head)})


def find(store: ItemStore, shard: str) -> Head | None:
    """Return a shard's head, or None if nothing of it is archived."""
    item = store.get(TABLE, _key(shard))
    return _head(item) if item is not None else None


def every(store: ItemStore) -> list[Head]:
    """Return the heads of all shards that were ever archived, by shard."""
    return among(store.scan(TABLE))


def among(items: Iterable[Item]) -> list[Head]:
    """Return the heads among the items of the cursors' table, by shard."""
    found = (_head(each) for each in items if str(each["cursor"]).startswith(_PREFIX))
    return sorted(found, key=lambda head: head.shard)


def put_gap(shard: str, noticed_at: int) -> Put:
    """Return the write that says that a closed shard may have lost its last records.

    Args:
        shard: the shard's id.
        noticed_at: when that was noticed (microseconds UTC).
    """
    return Put(TABLE, {"cursor": _GAP_PREFIX + shard, "noticed_at": noticed_at})


def gaps_among(items: Iterable[Item]) -> dict[str, int]:
    """Return when gaps at the ends of shards were noticed, by shard (microseconds UTC)."""
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
