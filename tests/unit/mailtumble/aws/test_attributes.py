"""Values survive the way to DynamoDB's attribute values and back."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtumble.aws.attributes import from_attributes, to_attribute, to_attributes
from mailtumble.ports.store import Value
from schemas.errors import PermanentError

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**38) + 1, 10**38 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary()
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.text(), values, max_size=4))
def test_any_item_comes_back(item: dict[str, Value]) -> None:
    """Equal as Python compares, and a bool stays a bool."""
    read = from_attributes(to_attributes(item))
    assert read == item
    assert [isinstance(value, bool) for value in read.values()] == [
        isinstance(value, bool) for value in item.values()
    ]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_keeps_its_every_bit(number: float) -> None:
    """A whole one comes back as an int, which is no less exact."""
    read = from_attributes({"n": to_attribute(number)})["n"]
    assert isinstance(read, (int, float))
    assert math.isclose(float(read), number, rel_tol=0, abs_tol=0)


def test_letters_are_dynamodbs() -> None:
    """One letter a kind; numbers travel as text."""
    assert to_attributes({"a": "x", "b": 1, "c": b"x", "d": True, "e": None, "f": 0.1}) == {
        "a": {"S": "x"},
        "b": {"N": "1"},
        "c": {"B": b"x"},
        "d": {"BOOL": True},
        "e": {"NULL": True},
        "f": {"N": "0.1"},
    }


@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}, math.nan, -math.inf, -(10**38)],
    ids=["object", "set", "nan", "infinity", "too many digits"],
)
def test_what_dynamodb_cannot_hold_is_refused(value: Value) -> None:
    """Before any call is made."""
    with pytest.raises(PermanentError):
        to_attribute(value)
