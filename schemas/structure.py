"""Frozen dataclasses to plain msgpack values and back, by their type hints.

A field that is missing, unknown or of the wrong type is an error that names it: bytes from the
log are the one thing that can't be asked again. Stored states may grow: where the reader is
tolerant, unknown fields are ignored. Each class is compiled to closures once.
"""

from __future__ import annotations

import dataclasses
import enum
import types
from collections.abc import Callable, Hashable, Mapping
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from schemas.errors import InvariantBroken, UndecodableRecord

T = TypeVar("T")
Plain = Any
"""None, bool, int, float, str, bytes, and lists and string-keyed dicts of them."""

_SCALARS = (bool, int, str, bytes)


def to_plain(value: object) -> Plain:
    """Turn a frozen dataclass (or a value inside one) into plain msgpack values."""
    if dataclasses.is_dataclass(value):
        return _encoder(cast("Hashable", type(value)))(value)
    return _plain(value)


def from_plain(kind: type[T], value: Plain, *, tolerant: bool = False) -> T:
    """Build ``kind`` from plain values.

    Args:
        kind: a frozen dataclass.
        value: what :func:`to_plain` gave, or something like it.
        tolerant: whether unknown fields are ignored, at every depth.

    Raises:
        UndecodableRecord: a field is missing or of another type, or unknown where the reader is
            not tolerant; the text names it.
    """
    return cast("T", _decoder(cast("Hashable", kind), tolerant)(value, kind.__name__))


def personal_fields(kind: type) -> frozenset[str]:
    """The names of the fields of ``kind`` that hold personal data (see :func:`personal`)."""
    if not dataclasses.is_dataclass(kind):
        return frozenset()
    return frozenset(f.name for f in dataclasses.fields(kind) if f.metadata.get("personal"))


def personal(**options: Any) -> Any:  # noqa: ANN401 - dataclasses.field is typed so too
    """A dataclass field that holds personal data: the codec can seal it under a key per mail."""
    return dataclasses.field(metadata={"personal": True}, **options)


def _plain(value: Any) -> Plain:  # noqa: ANN401 - the point is that it may be anything
    match value:
        case enum.Enum():
            return value.value
        case tuple() | list():
            return [to_plain(item) for item in value]
        case Mapping():
            return {key: to_plain(value[key]) for key in sorted(value)}
        case None | bool() | int() | float() | str() | bytes():
            return value
        case _:
            message = f"{type(value).__name__} can't stand in an event or a state"
            raise InvariantBroken(message)


@cache
def _encoder(kind: type) -> Callable[[Any], Plain]:
    simple = {str, int, bool, bytes, float, str | None, int | None, bytes | None}
    hints = get_type_hints(kind)
    fields = [(f.name, hints[f.name] in simple) for f in dataclasses.fields(kind)]

    def encode(value: Any) -> Plain:  # noqa: ANN401 - an instance of kind
        return {
            name: getattr(value, name) if plain else to_plain(getattr(value, name))
            for name, plain in fields
        }

    return encode


Decoder = Callable[[Plain, str], Any]


@cache
def _decoder(kind: Any, tolerant: bool) -> Decoder:  # noqa: ANN401, FBT001 - a hint, and cached
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _optional(kind, args, tolerant)
    if origin is tuple:
        return _sequence(_decoder(args[0], tolerant))
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(_decoder(args[1], tolerant))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _enumeration(kind)
    if dataclasses.is_dataclass(kind):
        return _structure(cast("type", kind), tolerant=tolerant)
    if kind is float:
        return _number
    if kind in _SCALARS:
        return _scalar(kind)
    message = f"no decoder for a field of type {kind!r}"
    raise InvariantBroken(message)


def _wrong(where: str, wanted: str, value: Plain) -> UndecodableRecord:
    return UndecodableRecord(f"{where}: expected {wanted}, found {type(value).__name__}")


def _scalar(kind: type) -> Decoder:
    def decode(value: Plain, where: str) -> Any:  # noqa: ANN401
        if type(value) is not kind:
            raise _wrong(where, kind.__name__, value)
        return value

    return decode


def _number(value: Plain, where: str) -> float:
    if type(value) not in (int, float):
        raise _wrong(where, "float", value)
    return float(value)


def _optional(kind: Any, args: tuple[Any, ...], tolerant: bool) -> Decoder:  # noqa: ANN401, FBT001
    inner = [arg for arg in args if arg is not types.NoneType]
    if len(inner) != 1 or len(args) != len(inner) + 1:
        message = f"only X | None can be decoded, not {kind!r}"
        raise InvariantBroken(message)
    item = _decoder(inner[0], tolerant)
    return lambda value, where: None if value is None else item(value, where)


def _sequence(item: Decoder) -> Decoder:
    def decode(value: Plain, where: str) -> Any:  # noqa: ANN401
        if type(value) is not list:
            raise _wrong(where, "list", value)
        return tuple(item(each, where) for each in value)

    return decode


def _mapping(item: Decoder) -> Decoder:
    def decode(value: Plain, where: str) -> Any:  # noqa: ANN401
        if type(value) is not dict:
            raise _wrong(where, "map", value)
        return {key: item(each, where) for key, each in value.items()}

    return decode


def _enumeration(kind: type[enum.Enum]) -> Decoder:
    known = {member.value: member for member in kind}

    def decode(value: Plain, where: str) -> Any:  # noqa: ANN401
        try:
            return known[value]
        except (KeyError, TypeError):
            message = f"{where}: {value!r} is none of {', '.join(map(str, known))}"
            raise UndecodableRecord(message) from None

    return decode


def _structure(kind: type, *, tolerant: bool) -> Decoder:
    hints = get_type_hints(kind)
    fields = {f.name: (_decoder(hints[f.name], tolerant), f"{kind.__name__}.{f.name}")
              for f in dataclasses.fields(kind)}  # fmt: skip
    required = frozenset(
        f.name
        for f in dataclasses.fields(kind)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    )

    def decode(value: Plain, where: str) -> Any:  # noqa: ANN401
        if type(value) is not dict:
            raise _wrong(where, "map", value)
        arguments: dict[str, Any] = {}
        for name, each in value.items():
            known = fields.get(name)
            if known is None:
                if tolerant:
                    continue
                message = f"{kind.__name__} has no field {name!r}"
                raise UndecodableRecord(message)
            arguments[name] = known[0](each, known[1])
        if len(arguments) < len(fields) and not required <= arguments.keys():
            missing = ", ".join(sorted(required - arguments.keys()))
            message = f"{kind.__name__} lacks {missing}"
            raise UndecodableRecord(message)
        return kind(**arguments)

    return decode
