"""Acknowledged losses: what they cover, and their bounds."""

from __future__ import annotations

import pytest

from mailtumble.archive.losses import (
    LOSSES_MAX,
    REASON_MAX,
    TEXT_MAX,
    Problem,
    ProblemKind,
    acknowledge,
    read_acknowledged,
)
from mailtumble.ports.store import Action, Item, Update
from schemas.errors import BadInput, RetryableError
from tests.fakes import InMemoryItems

SHARD = "shardId-1"
KEY = {"cursor": f"archive-loss#{SHARD}"}


def problems(*subjects: str) -> list[Problem]:
    """Return problems of one kind, with these subjects."""
    return [Problem(ProblemKind.ORPHANED, each, f"{each} is lost") for each in subjects]


def known(store: InMemoryItems) -> dict[str, str]:
    """Return reasons by the ids of the shard's acknowledged losses."""
    found = read_acknowledged(store.scan("cursors")).get(SHARD, {})
    return {each.id: each.reason for each in found.values()}


def test_an_acknowledgement_covers_what_it_names() -> None:
    """Another loss needs another one; a loss that is over is forgotten."""
    store = InMemoryItems()
    acknowledge(store, SHARD, problems("a", "b"), " first ", 1)
    assert known(store) == {"orphaned:a": "first", "orphaned:b": "first"}
    (new,) = acknowledge(store, SHARD, problems("b", "c"), "second", 2)
    assert (new.id, new.reason, new.at) == ("orphaned:c", "second", 2)
    assert known(store) == {"orphaned:b": "first", "orphaned:c": "second"}


@pytest.mark.parametrize("reason", ["", "  ", "x" * (REASON_MAX + 1)])
def test_a_reason_has_bounds(reason: str) -> None:
    """And nothing is written without one."""
    store = InMemoryItems()
    with pytest.raises(BadInput, match="a reason must have 1 to"):
        acknowledge(store, SHARD, problems("a"), reason, 1)
    assert known(store) == {}


def test_the_item_stays_far_below_its_limit() -> None:
    """At the most losses, texts and reasons; more losses are refused."""
    store = InMemoryItems()
    most = [
        Problem(ProblemKind.BROKEN, f"{number:064}:{0:064}", "x" * (TEXT_MAX + 1))
        for number in range(LOSSES_MAX)
    ]
    acknowledge(store, SHARD, most, "ü" * REASON_MAX, 1)
    item = store.get("cursors", KEY)
    assert len(str(item).encode()) < 300_000
    with pytest.raises(BadInput, match="has 101 problems, and at most 100 can be"):
        acknowledge(store, SHARD, [*most, *problems("z")], "reason", 1)


def test_two_people_at_once_do_not_undo_each_other() -> None:
    """The later one is asked to try again."""

    class Interrupted(InMemoryItems):
        def get(self, table: str, key: object) -> Item | None:
            """Read, and let somebody else write right after."""
            item = super().get(table, key)  # type: ignore[arg-type]
            super().write(Update("cursors", KEY, add={"version": 1}))
            return item

    store = Interrupted()
    with pytest.raises(RetryableError, match="at the same time"):
        acknowledge(store, SHARD, problems("a"), "reason", 1)
    assert known(store) == {}


def test_acknowledgements_are_of_their_shard() -> None:
    """Other items of the table are passed over."""
    store = InMemoryItems()
    actions: list[Action] = [Update("cursors", {"cursor": "core#g1#x"}, add={"epoch": 1})]
    store.transact(actions)
    acknowledge(store, SHARD, problems("a"), "reason", 1)
    assert read_acknowledged(store.scan("cursors")).keys() == {SHARD}
