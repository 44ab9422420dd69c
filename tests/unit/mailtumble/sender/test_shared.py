"""One item of the fleet, changed by any sender: over the latest that is stored, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from mailtumble.ports.store import Delete, Item, Put, Update
from mailtumble.sender.shared import TRIES, Shared
from schemas.errors import RetryableError
from tests.fakes import InMemoryItems


def _read(item: Item | None) -> tuple[str, ...]:
    names: Any = (item or {}).get("names") or ()
    return tuple(names)


def _plain(names: tuple[str, ...]) -> Sequence[str]:
    return list(names)


def _shared(store: InMemoryItems) -> Shared[tuple[str, ...]]:
    return Shared(store, "things", "names", _read, _plain)


def test_a_change_is_made_over_what_others_have_stored() -> None:
    """Neither is lost, though neither had heard of the other."""
    store = InMemoryItems()
    one, two = _shared(store), _shared(store)
    assert one.change(lambda names: (*names, "one"))
    assert two.change(lambda names: (*names, "two"))
    one.learn(store.get("fleet", {"name": "things"}))
    assert one.value == two.value == ("one", "two")


def test_what_somebody_else_has_done_is_not_done_again() -> None:
    """``after`` is asked again with what is stored, and may say that there is nothing to do."""
    store = InMemoryItems()
    one, two = _shared(store), _shared(store)
    assert one.change(lambda names: None if names else ("once",))
    assert not two.change(lambda names: None if names else ("once",))
    assert two.value == ("once",)


def test_a_change_that_others_always_forestall_is_given_up() -> None:
    """For now: it may be tried again."""
    asked = 0

    class Busy(InMemoryItems):
        def write(self, action: Put | Delete | Update) -> Item | None:
            nonlocal asked
            asked += 1
            super().write(Update("fleet", {"name": "things"}, add={"version": 1}))
            return super().write(action)

    with pytest.raises(RetryableError, match="things"):
        _shared(Busy()).change(lambda names: (*names, "mine"))
    assert asked == TRIES


def test_a_change_whose_reply_was_lost_is_known_to_be_made() -> None:
    """It was repeated, and found itself there."""
    store = InMemoryItems()

    class Loses:
        """Does the first write, and says that it did not."""

        lost = False

        def write(self, action: Put | Delete | Update) -> Item | None:
            """Write."""
            item = store.write(action)
            if not self.lost:
                self.lost = True
                message = "no answer"
                raise RetryableError(message)
            return item

    shared = _shared(Loses())  # type: ignore[arg-type]
    assert shared.change(lambda names: (*names, "one"))
    assert shared.value == ("one",)


def test_what_was_read_before_a_change_does_not_undo_it() -> None:
    """A poll on another thread takes its time."""
    store = InMemoryItems()
    shared = _shared(store)
    shared.change(lambda names: (*names, "one"))
    before = store.get("fleet", {"name": "things"})
    shared.change(lambda names: (*names, "two"))
    shared.learn(before)
    assert shared.value == ("one", "two")
