"""What the whole fleet knows and any sender may change: one item, written under its version."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from mailtumble.ports.store import (
    ConditionFailed,
    Equals,
    Item,
    ItemStore,
    Update,
    Value,
    absent_or,
)
from mailtumble.worker.horizon import number
from schemas.errors import RetryableError

T = TypeVar("T")

TRIES: Final = 3


class Shared(Generic[T]):
    """An item of the table ``fleet``, as this sender knows it."""

    def __init__(
        self,
        store: ItemStore,
        name: str,
        attribute: str,
        read: Callable[[Item | None], T],
        plain: Callable[[T], Sequence[Value]],
    ) -> None:
        """Nothing is known yet; ``plain`` makes a value into ``attribute``, ``read`` an item it."""
        self._store = store
        self._name = name
        self._attribute = attribute
        self._read = read
        self._plain = plain
        self._known: tuple[int, T] = 0, read(None)

    @property
    def value(self) -> T:
        """What is known of it."""
        return self._known[1]

    def learn(self, item: Item | None) -> None:
        """Take in what is stored; what is older than what is known was read before it."""
        version = number(item, "version") if item else 0
        if item is None or version >= self._known[0]:
            self._known = version, self._read(item)

    def change(self, after: Callable[[T], T | None]) -> bool:
        """Change the value, over the latest that is stored; False where ``after`` says None.

        Raises:
            RetryableError: others change it all the time, or the table does not answer.
        """
        by = uuid.uuid4().hex
        problem = RetryableError(f"{self._name}: changed by others all the time")
        for _ in range(TRIES):
            version, before = self._known
            value = after(before)
            if value is None:
                return False
            fields: Item = {"version": version + 1, "by": by, self._attribute: self._plain(value)}
            same = absent_or(Equals("version", version))
            try:
                self._store.write(Update("fleet", {"name": self._name}, set=fields, when=same))
            except ConditionFailed as error:
                stored = error.items[0] or {}
                self.learn(stored)
                # It went through; its reply was lost, and it was repeated.
                if stored.get("by") == by:
                    return True
                continue
            except RetryableError as error:
                problem = error
                continue
            self._known = version + 1, value
            return True
        raise problem
