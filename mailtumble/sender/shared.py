"""What the whole fleet knows and any sender may change: one item, written under its version."""

from __future__ import annotations

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
        self._version = 0
        self.value = read(None)

    def learn(self, item: Item | None) -> None:
        """Take in what is stored."""
        self._version = number(item, "version") if item else 0
        self.value = self._read(item)

    def change(self, after: Callable[[T], T | None]) -> bool:
        """Change the value, over the latest that is stored; False where ``after`` says None.

        Raises:
            RetryableError: others change it all the time, or the table does not answer.
        """
        for _ in range(TRIES):
            value = after(self.value)
            if value is None:
                return False
            fields: Item = {"version": self._version + 1, self._attribute: self._plain(value)}
            same = absent_or(Equals("version", self._version))
            try:
                self._store.write(Update("fleet", {"name": self._name}, set=fields, when=same))
            except ConditionFailed as error:
                self.learn(error.items[0])
                continue
            self._version, self.value = self._version + 1, value
            return True
        raise RetryableError(f"{self._name}: changed by others all the time")
