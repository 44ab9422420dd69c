"""Compare stored items with the items that the stream leads to, attribute by attribute."""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mailtumble.ports.store import Item, Value
from mailtumble.worker.writes import Address

VALUE_CHARS_MAX: Final = 80
"""A longer value is truncated in text for people; JSON has all of it."""


class Kind(enum.StrEnum):
    """How an item differs."""

    MISSING = "missing"
    """The stream leads to an item that is not stored."""
    UNEXPECTED = "unexpected"
    """An item is stored that nothing on the stream leads to."""
    DIFFERENT = "different"
    """An attribute has a different value; a missing attribute counts as None."""
    DISPUTED = "disputed"
    """A worker's own fold and the independent model read the same records differently."""
    SKIPPED = "skipped"
    """A record, not an item: it can't be read, and the application has not quarantined it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference. ``attribute`` is None if it concerns the whole item."""

    kind: Kind
    table: str
    key: str
    attribute: str | None
    stored: Value
    expected: Value

    def told(self) -> str:
        """Return the difference as one line of text."""
        what = f"{self.table} {self.key}"
        stored, expected = _short(self.stored), _short(self.expected)
        match self.kind:
            case Kind.MISSING:
                return f"{what}: the item is missing"
            case Kind.UNEXPECTED:
                return f"{what}: nothing on the stream leads to this item"
            case Kind.SKIPPED:
                return f"{what}: the record can't be read, and is not in quarantine: {expected}"
            case Kind.DISPUTED:
                return (
                    f"{what}: {self.attribute} is {stored}; the independent model says {expected}"
                )
            case Kind.DIFFERENT:
                return f"{what}: {self.attribute} is {stored}; the stream says {expected}"


def differences(
    places: Collection[Address],
    stored: Mapping[Address, Item],
    expected: Mapping[Address, Item],
    name: Callable[[Address, Item], str],
) -> Iterator[Difference]:
    """Yield what differs, place by place.

    Args:
        places: which items to compare.
        stored: the items as they are.
        expected: the items that the stream leads to.
        name: returns the key of an item in a form that people recognise.
    """
    for place in sorted(places):
        is_there, has_to_be = stored.get(place), expected.get(place)
        if is_there is not None and has_to_be is not None:
            yield from _attributes(place[0], name(place, is_there), is_there, has_to_be)
        elif is_there is not None or has_to_be is not None:
            yield Difference(
                kind=Kind.UNEXPECTED if has_to_be is None else Kind.MISSING,
                table=place[0],
                key=name(place, is_there or has_to_be or {}),
                attribute=None,
                stored=plain(is_there),
                expected=plain(has_to_be),
            )


def _attributes(table: str, key: str, stored: Item, expected: Item) -> Iterator[Difference]:
    for attribute in sorted({*stored, *expected}):
        is_there, has_to_be = plain(stored.get(attribute)), plain(expected.get(attribute))
        if is_there != has_to_be:
            yield Difference(
                kind=Kind.DIFFERENT,
                table=table,
                key=key,
                attribute=attribute,
                stored=is_there,
                expected=has_to_be,
            )


def plain(value: Value) -> Value:
    """Convert a value to the form that DynamoDB returns and JSON accepts."""
    match value:
        case bytes():
            return value.hex()
        case str():
            return str(value)
        case Mapping():
            return {name: plain(each) for name, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value


def _short(value: Value) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= VALUE_CHARS_MAX else f"{text[: VALUE_CHARS_MAX - 1]}…"


def missing(table: str, key: str, expected: Mapping[str, Any]) -> Difference:
    """Return the difference of an item that must be in a table and is not."""
    return Difference(
        kind=Kind.MISSING,
        table=table,
        key=key,
        attribute=None,
        stored=None,
        expected=plain(expected),
    )
