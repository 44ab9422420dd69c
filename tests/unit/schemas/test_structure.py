"""Frozen dataclasses to plain values and back: by their hints, strictly, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InvariantBroken, UndecodableRecord
from schemas.structure import from_plain, personal, personal_fields, to_plain
from schemas.values import Status
from tests.event_strategies import values_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """A structure within another."""

    name: str = personal()
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    """Every kind of field that events and states are made of."""

    text: str
    flag: bool
    raw: bytes
    status: Status
    inner: Inner
    maybe: Inner | None = None
    several: tuple[Inner, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    nested: Mapping[str, Inner] = field(default_factory=dict)
    secret: str | None = personal(default=None)


@dataclass(frozen=True, slots=True)
class Impossible:
    """A field that no bytes can be read into."""

    either: int | str


@given(values_of(Outer))
def test_a_structure_comes_back_as_it_was(value: Outer) -> None:
    """To plain values and back is the same value."""
    assert from_plain(Outer, to_plain(value)) == value


def _plain(**changes: object) -> dict[str, object]:
    return {
        "text": "t",
        "flag": True,
        "raw": b"r",
        "status": "held",
        "inner": {"name": "n"},
        **changes,
    }


def test_defaults_fill_what_is_missing() -> None:
    """Optional things may be left out."""
    value = from_plain(Outer, _plain())
    assert (value.maybe, value.several, value.counts, value.secret) == (None, (), {}, None)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"text": b"t"}, "Outer.text: expected str, found bytes"),
        ({"flag": 1}, "Outer.flag: expected bool, found int"),
        ({"status": "asleep"}, "Outer.status: 'asleep' is none of received, deferred, "),
        ({"status": []}, r"Outer.status: \[\] is none of received, deferred, "),
        ({"inner": "n"}, "Outer.inner: expected map, found str"),
        ({"inner": {}}, "Inner lacks name"),
        ({"inner": {"name": "n", "x": 1}}, "Inner has no field 'x'"),
        ({"inner": {"name": "n", "weight": "1"}}, "Inner.weight: expected float, found str"),
        ({"maybe": 3}, "Outer.maybe: expected map, found int"),
        ({"several": {}}, "Outer.several: expected list, found dict"),
        ({"several": [{"name": 1}]}, "Inner.name: expected str, found int"),
        ({"counts": []}, "Outer.counts: expected map, found list"),
        ({"counts": {"a": "1"}}, "Outer.counts: expected int, found str"),
        ({"secret": 1}, "Outer.secret: expected str, found int"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, object], complaint: str) -> None:
    """The complaint names structure, field, what was wanted and what was found."""
    with pytest.raises(UndecodableRecord, match=f"^{complaint}"):
        from_plain(Outer, _plain(**changes))


def test_a_whole_number_is_a_float_too() -> None:
    """Other writers of msgpack may write 14.0 as 14."""
    inner = from_plain(Inner, {"name": "n", "weight": 14})
    assert isinstance(inner.weight, float)
    assert inner.weight == pytest.approx(14)


def test_a_hint_that_cannot_be_read_is_a_programming_error() -> None:
    """Only X | None can be told apart in plain values."""
    with pytest.raises(InvariantBroken, match=r"only X \| None"):
        from_plain(Impossible, {"either": 1})


@given(st.sampled_from([object(), 1j, {1, 2}]))
def test_a_value_that_cannot_be_written_is_a_programming_error(value: object) -> None:
    """Nothing is written that could not be read again."""
    with pytest.raises(InvariantBroken, match="can't stand in an event"):
        to_plain(value)


def test_personal_fields_are_marked() -> None:
    """The mark can be asked for; other fields, and other values, have none."""
    assert personal_fields(Outer) == {"secret"}
    assert personal_fields(Inner) == {"name"}
    assert personal_fields(int) == frozenset()
