"""Hypothesis strategies for events, made from their type hints: whatever may stand on the log."""

from __future__ import annotations

import dataclasses
import enum
import types
from collections.abc import Mapping
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from schemas.envelope import EventEnvelope, Head
from schemas.events import EVENT_TYPES, Event

INTEGERS = st.integers(-(2**63), 2**63 - 1)
"""msgpack holds 64 bits."""

_SCALARS: dict[object, st.SearchStrategy[Any]] = {
    str: st.text(max_size=20),
    bytes: st.binary(max_size=20),
    int: INTEGERS,
    bool: st.booleans(),
    float: st.floats(allow_nan=False),
    types.NoneType: st.none(),
}


@cache
def values_of(kind: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 - a type hint
    """Any value that a field with this hint may have."""
    origin, args = get_origin(kind), get_args(kind)
    if kind in _SCALARS:
        return _SCALARS[kind]
    if origin in (Union, types.UnionType):
        return st.one_of(*map(values_of, args))
    if origin is tuple:
        return st.lists(values_of(args[0]), max_size=3).map(tuple)
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(values_of(args[0]), values_of(args[1]), max_size=3)
    if issubclass(kind, enum.Enum):
        return st.sampled_from(kind)
    hints = get_type_hints(kind)
    fields = {each.name: values_of(hints[each.name]) for each in dataclasses.fields(kind)}
    return st.builds(kind, **fields)


def events() -> st.SearchStrategy[Event]:
    """Any event of any type."""
    return st.sampled_from(EVENT_TYPES).flatmap(values_of)


def envelopes(some: st.SearchStrategy[Event] | None = None) -> st.SearchStrategy[EventEnvelope]:
    """Any record, of any events unless ``some`` says which."""
    return st.builds(
        EventEnvelope,
        id=_SCALARS[str],
        subject=_SCALARS[str],
        cause=_SCALARS[str],
        after=st.none() | st.builds(Head, _SCALARS[str], st.binary(min_size=16, max_size=16)),
        recorded_at=INTEGERS,
        decider=_SCALARS[str],
        rule_version=INTEGERS,
        events=st.lists(events() if some is None else some, max_size=3).map(tuple),
    )
