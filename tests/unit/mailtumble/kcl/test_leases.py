"""Lease rows made beforehand: for every shard that may begin, and for no other."""

from __future__ import annotations

from mailtumble.kcl.leases import closed_shards, rows_to_make
from mailtumble.ports.store import Put
from mailtumble.ports.stream import Shard
from tests.fakes import InMemoryItems

OLD = Shard("shard-0", 0, 99, closed=True)
LEFT = Shard("shard-1", 0, 49, parents=("shard-0",))
RIGHT = Shard("shard-2", 50, 99, parents=("shard-0",))
MERGED = Shard("shard-3", 0, 99, parents=("shard-1", "shard-2"))


def made(
    *shards: Shard, closed: set[str] = frozenset(), leased: set[str] = frozenset()
) -> list[str]:  # type: ignore[assignment]
    """The shards that get a row."""
    return [row["leaseKey"]["S"] for row in rows_to_make(shards, closed, leased)]


def test_a_fresh_streams_shards_all_begin() -> None:
    """At their oldest record, with nobody as the owner."""
    (row,) = rows_to_make([Shard("shard-0", 5, 99)], set(), set())
    assert row["checkpoint"] == {"S": "TRIM_HORIZON"}
    assert row["startingHashKey"] == {"S": "5"}
    assert row["endingHashKey"] == {"S": "99"}
    assert row["leaseCounter"] == {"N": "0"}
    assert "leaseOwner" not in row
    assert "parentShardId" not in row


def test_children_wait_for_their_parents() -> None:
    """The parent is still to be read: the KCL itself makes the children's rows at its end."""
    assert made(OLD, LEFT, RIGHT) == ["shard-0"]


def test_children_begin_when_their_parents_are_read_or_gone() -> None:
    """A closed cursor and a parent out of retention are alike; the parent gets no row."""
    assert made(OLD, LEFT, RIGHT, closed={"shard-0"}) == ["shard-1", "shard-2"]
    assert made(LEFT, RIGHT) == ["shard-1", "shard-2"]


def test_a_merge_waits_for_both_parents() -> None:
    """One of two read to its end is not enough."""
    assert made(LEFT, RIGHT, MERGED, closed={"shard-1"}) == ["shard-2"]
    assert made(LEFT, RIGHT, MERGED, closed={"shard-1", "shard-2"}) == ["shard-3"]


def test_a_row_that_is_there_is_left_alone() -> None:
    """A restart makes none."""
    assert made(OLD, leased={"shard-0"}) == []


def test_a_row_names_its_parents() -> None:
    """So that the KCL knows what it has to wait for."""
    (row,) = rows_to_make([MERGED], set(), set())
    assert row["parentShardId"] == {"SS": ["shard-1", "shard-2"]}


def test_the_cursor_tells_what_is_read_to_its_end() -> None:
    """That the stream has closed a shard does not mean that core has read it."""
    store = InMemoryItems()
    shards = [OLD, Shard("shard-9", 0, 99, closed=True)]
    store.write(Put("cursors", {"cursor": "core#g1#shard-0", "closed": True}))
    store.write(Put("cursors", {"cursor": "core#g1#shard-9", "sequence": "7"}))
    assert closed_shards(store, "core", "g1", shards) == {"shard-0"}
    assert closed_shards(store, "core", "g2", shards) == set()
