"""Tables in memory with DynamoDB's rules: conditions, transactions, limits, sort order.

Items are copied when they come in and when they go out, so neither side can change the other's.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, assert_never, cast

from mailtumble.definition import Table, load_definition
from mailtumble.ports.store import (
    TRANSACTION_ACTIONS_MAX,
    TRANSACTION_BYTES_MAX,
    Action,
    Check,
    ConditionFailed,
    Delete,
    Item,
    Key,
    Page,
    Put,
    Update,
    Value,
)
from schemas.errors import InvariantBroken, PermanentError
from tests.fakes.conditions import any_holds

ITEM_BYTES_MAX: Final = 400 * 1024
_NUMBER_BOUND: Final = 10**38

Stored = dict[str, Value]
SortKey = str | int
StoredKey = tuple[str, SortKey]


class _Table:
    """One table: items by key, and for tables with a sort key the keys of each partition."""

    def __init__(self, table: Table) -> None:
        self.name = table.name
        self.ttl = table.ttl
        self.partition_name = table.partition_key.name
        self.sort_name = None if table.sort_key is None else table.sort_key.name
        self.indexes = {index.name: index for index in table.indexes}
        self.items: dict[StoredKey, Stored] = {}
        self.order: dict[str, list[Any]] = {}

    def key(self, source: Mapping[str, Value]) -> StoredKey:
        """The partition key and the sort key ("" in tables without one)."""
        try:
            partition = source[self.partition_name]
            sort = "" if self.sort_name is None else source[self.sort_name]
        except KeyError as error:
            message = f"{self.name}: the key attribute {error} is missing"
            raise PermanentError(message) from None
        if partition == "" or (self.sort_name is not None and sort == ""):
            message = f"{self.name}: a key attribute is empty"
            raise PermanentError(message)
        return cast("StoredKey", (partition, sort))

    def store(self, key: StoredKey, item: Stored) -> None:
        if self.sort_name is not None and key not in self.items:
            insort(self.order.setdefault(key[0], []), key[1])
        self.items[key] = item

    def drop(self, key: StoredKey) -> None:
        if self.items.pop(key, None) is not None and self.sort_name is not None:
            keys = self.order[key[0]]
            del keys[bisect_left(keys, key[1])]

    def partition(self, partition: str) -> list[tuple[Any, Stored]]:
        """Everything in a partition in the order of the sort key."""
        items = self.items
        return [(sort, items[partition, sort]) for sort in self.order.get(partition, ())]

    def index(self, name: str, partition: str) -> list[tuple[Any, Stored]]:
        """The same of a secondary index: items without its attributes are not in it."""
        index = self.indexes[name]
        hash_name = index.partition_key.name
        sort_name = hash_name if index.sort_key is None else index.sort_key.name
        found: list[tuple[Any, Stored]] = [
            (item[sort_name], item)
            for item in self.items.values()
            if item.get(hash_name) == partition and item.get(sort_name) is not None
        ]
        found.sort(key=lambda pair: pair[0])
        return found


class InMemoryItems:
    """An :class:`mailtumble.ports.store.ItemStore` that never fails.

    Attributes:
        heaviest: the most bytes that an item of a transaction has had.
    """

    def __init__(self, tables: Sequence[Table] | None = None) -> None:
        """Open empty tables: the definition's, unless others are given."""
        defined = load_definition().tables if tables is None else tables
        self._tables = {table.name: _Table(table) for table in defined}
        self.heaviest = 0

    def transact(self, actions: Sequence[Action]) -> None:
        """Do all or none."""
        if len(actions) > TRANSACTION_ACTIONS_MAX:
            message = f"{len(actions)} actions in a transaction, {TRANSACTION_ACTIONS_MAX} may be"
            raise InvariantBroken(message)
        targets = [self._target(action) for action in actions]
        if len({(table.name, key) for table, key in targets}) < len(targets):
            message = "two actions of a transaction on the same item"
            raise InvariantBroken(message)
        befores = [table.items.get(key) for table, key in targets]
        self._demand(actions, befores)
        results: list[Stored | None] = []
        size = 0
        for action, before in zip(actions, befores, strict=True):
            after, weight = _outcome(action, before)
            size += weight
            self.heaviest = max(self.heaviest, weight)
            results.append(after)
        if size > TRANSACTION_BYTES_MAX:
            message = f"a transaction of {size} bytes, {TRANSACTION_BYTES_MAX} may be"
            raise PermanentError(message)
        for action, (table, key), after in zip(actions, targets, results, strict=True):
            _apply(action, table, key, after)

    def write(self, action: Put | Delete | Update) -> Item | None:
        """One action by itself; the item as it is afterwards."""
        table, key = self._target(action)
        before = table.items.get(key)
        self._demand((action,), (before,))
        after, _ = _outcome(action, before)
        _apply(action, table, key, after)
        return None if after is None else dict(after)

    def write_all(self, actions: Sequence[Put | Delete]) -> None:
        """Unconditional puts and deletes; of several on one item the last counts."""
        for action in actions:
            if action.when:
                message = "a batch of writes can't have conditions"
                raise InvariantBroken(message)
            table, key = self._target(action)
            after, _ = _outcome(action, None)
            _apply(action, table, key, after)

    def get(self, table: str, key: Key) -> Item | None:
        """One item."""
        opened = self._table(table)
        item = opened.items.get(opened.key(key))
        return None if item is None else dict(item)

    def get_all(self, table: str, keys: Sequence[Key]) -> Sequence[Item | None]:
        """Items in the order of ``keys``."""
        return [self.get(table, key) for key in keys]

    def query(
        self,
        table: str,
        partition: str,
        *,
        after: str | int | None = None,
        until: str | int | None = None,
        limit: int | None = None,
        descending: bool = False,
        index: str | None = None,
    ) -> Page:
        """Items of one partition. As in DynamoDB, a full page says that more may follow."""
        opened = self._table(table)
        if index is None and opened.sort_name is not None and not descending:
            return _ascending_page(opened, partition, after, until, limit)
        found = opened.partition(partition) if index is None else opened.index(index, partition)
        kept = [
            dict(item)
            for sort, item in found
            if (after is None or sort > after) and (until is None or sort <= until)
        ]
        if descending:
            kept.reverse()
        full = limit is not None and len(kept) >= limit
        return Page(kept[:limit], more=full)

    def expire(self, table: str, now_s: int, drop: Callable[[], bool]) -> int:
        """Drop items past their time to live, late, as DynamoDB does; how many.

        Args:
            table: a table with a time to live.
            now_s: seconds since 1970.
            drop: asked for each expired item, whether it goes this time.
        """
        opened = self._table(table)
        if opened.ttl is None:
            message = f"{table} has no time to live"
            raise InvariantBroken(message)
        gone = [
            key
            for key, item in opened.items.items()
            if _is_past(item.get(opened.ttl), now_s) and drop()
        ]
        for key in gone:
            opened.drop(key)
        return len(gone)

    def scan(self, table: str) -> Sequence[Item]:
        """Every item."""
        return [dict(item) for item in self._table(table).items.values()]

    def _demand(self, actions: Sequence[Action], befores: Sequence[Stored | None]) -> None:
        failed = [
            place
            for place, (action, before) in enumerate(zip(actions, befores, strict=True))
            if action.when and not any_holds(action.when, before)
        ]
        if failed:
            found = [befores[place] for place in failed]
            raise ConditionFailed(failed, [item and dict(item) for item in found])

    def _target(self, action: Action) -> tuple[_Table, StoredKey]:
        table = self._table(action.table)
        return table, table.key(action.item if isinstance(action, Put) else action.key)

    def _table(self, name: str) -> _Table:
        try:
            return self._tables[name]
        except KeyError:
            message = f"there is no table {name}"
            raise PermanentError(message) from None


def _is_past(expires_at: Value, now_s: int) -> bool:
    """DynamoDB passes over an item whose attribute is missing or no number."""
    return isinstance(expires_at, int) and not isinstance(expires_at, bool) and expires_at <= now_s


def _ascending_page(
    table: _Table, partition: str, after: SortKey | None, until: SortKey | None, limit: int | None
) -> Page:
    """The usual query, without looking at what it doesn't return."""
    keys = table.order.get(partition, [])
    start = 0 if after is None else bisect_right(keys, after)
    end = len(keys) if until is None else bisect_right(keys, until)
    full = limit is not None and end - start >= limit
    if limit is not None:
        end = min(end, start + limit)
    items = table.items
    return Page([dict(items[partition, sort]) for sort in keys[start:end]], more=full)


def _apply(action: Action, table: _Table, key: StoredKey, after: Stored | None) -> None:
    if isinstance(action, Check):
        return
    if after is None:
        table.drop(key)
    else:
        table.store(key, after)


def _outcome(action: Action, before: Stored | None) -> tuple[Stored | None, int]:
    """The item as it will be, and its weight in bytes."""
    match action:
        case Put():
            after = dict(action.item)
        case Update():
            after = _updated(action, before)
        case Delete() | Check():
            return None, 0
        case _:
            assert_never(action)
    size = _normalise(after)
    if size > ITEM_BYTES_MAX:
        message = f"{action.table}: an item of {size} bytes, {ITEM_BYTES_MAX} may be"
        raise PermanentError(message)
    return after, size


def _updated(action: Update, before: Stored | None) -> Stored:
    if not (action.add or action.set or action.remove):
        message = f"{action.table}: an update that changes nothing"
        raise InvariantBroken(message)
    touched = [*action.add, *action.set, *action.remove]
    if len(set(touched)) < len(touched) or not action.key.keys().isdisjoint(touched):
        message = f"{action.table}: an update touches an attribute twice, or its key"
        raise InvariantBroken(message)
    after = {**(before or {}), **action.key}
    for name, number in action.add.items():
        present = after.get(name, 0)
        if not isinstance(present, (int, float)) or isinstance(present, bool):
            message = f"{action.table}: {name} is not a number and can't be added to"
            raise PermanentError(message)
        after[name] = present + number
    after.update(action.set)
    for name in action.remove:
        after.pop(name, None)
    return after


def _normalise(item: Stored) -> int:
    """Turn values into what DynamoDB would give back; the item's approximate size in bytes."""
    size = 0
    for name, value in item.items():
        kind = type(value)
        if kind is str:
            size += len(name) + _utf8_size(value)  # type: ignore[arg-type]
        elif kind is bytes:
            size += len(name) + len(value)  # type: ignore[arg-type]
        elif kind is int:
            size += len(name) + 12
            _demand_digits(value)  # type: ignore[arg-type]
        elif value is None or kind is bool:
            size += len(name) + 1
        else:
            item[name], weight = _plain(value)
            size += len(name) + weight
    return size


def _plain(value: Value) -> tuple[Value, int]:
    if isinstance(value, Mapping):
        inner = dict(value)
        return inner, _normalise(inner) + 3
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN
            message = f"{value} can't be stored"
            raise PermanentError(message)
        return (int(value) if value.is_integer() else value), 12
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        pairs = [_plain(each) for each in value]
        return [inner for inner, _ in pairs], sum(weight for _, weight in pairs) + 3
    if isinstance(value, int) and not isinstance(value, bool):
        _demand_digits(value)
        return int(value), 12
    if isinstance(value, str):
        return str(value), _utf8_size(value)
    return value, len(value) if isinstance(value, bytes) else 1


def _utf8_size(value: str) -> int:
    return len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))


def _demand_digits(number: int) -> None:
    if not -_NUMBER_BOUND < number < _NUMBER_BOUND:
        message = f"{number} has more than the 38 digits a DynamoDB number can hold"
        raise PermanentError(message)
