"""Values to DynamoDB's attribute values and back, several times quicker than boto3's own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from mailtumble.ports.store import Item, Value
from schemas.errors import PermanentError

Attribute = dict[str, Any]
"""``{"S": "text"}``, ``{"N": "1"}`` and so on."""

DIGITS_MAX: Final = 38
_NUMBER_BOUND: Final = 10**DIGITS_MAX


def to_attributes(item: Item) -> dict[str, Attribute]:
    """An item, or a key.

    Raises:
        PermanentError: a value that DynamoDB can't hold.
    """
    return {name: to_attribute(value) for name, value in item.items()}


def to_attribute(value: Value) -> Attribute:
    """One value; a float that is whole comes back as an int."""
    writer = _WRITERS.get(type(value))
    return _of_subclass(value) if writer is None else writer(value)


def from_attributes(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, Value]:
    """The item that :func:`to_attributes` was given."""
    return {name: from_attribute(attribute) for name, attribute in attributes.items()}


def from_attribute(attribute: Mapping[str, Any]) -> Value:
    """One value."""
    ((kind, content),) = attribute.items()
    return _READERS[kind](content)


def _integer(value: int) -> Attribute:
    if not -_NUMBER_BOUND < value < _NUMBER_BOUND:
        raise PermanentError(f"{value} has more than the {DIGITS_MAX} digits DynamoDB can hold")
    return {"N": str(value)}


def _floating(value: float) -> Attribute:
    if not math.isfinite(value):
        raise PermanentError(f"{value} can't be stored")
    return {"N": repr(value)}


def _list(value: Sequence[Value]) -> Attribute:
    return {"L": [to_attribute(each) for each in value]}


def _map(value: Mapping[str, Value]) -> Attribute:
    return {"M": to_attributes(value)}


_WRITERS: Final[Mapping[type, Callable[[Any], Attribute]]] = {
    str: lambda value: {"S": value},
    int: _integer,
    bytes: lambda value: {"B": value},
    bool: lambda value: {"BOOL": value},
    type(None): lambda _: {"NULL": True},
    float: _floating,
    list: _list,
    tuple: _list,
    dict: _map,
}


def _of_subclass(value: Value) -> Attribute:
    """Enumerations that are text or numbers, and other mappings and sequences."""
    match value:
        case str():
            return {"S": str(value)}
        case int():
            return _integer(int(value))
        case Mapping():
            return _map(value)
        case Sequence():
            return _list(value)
        case _:
            raise PermanentError(f"{type(value).__name__} can't be stored")


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        number = float(text)
        return int(number) if number.is_integer() else number


_READERS: Final[Mapping[str, Callable[[Any], Value]]] = {
    "S": lambda content: content,
    "N": _number,
    "B": bytes,
    "BOOL": lambda content: content,
    "NULL": lambda _: None,
    "L": lambda content: [from_attribute(each) for each in content],
    "M": from_attributes,
}
