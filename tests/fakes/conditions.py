"""Conditions on stored items, judged as DynamoDB judges them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtumble.ports.store import AtLeast, Below, Equals

if TYPE_CHECKING:
    from mailtumble.ports.store import Condition, Item, Test


def any_holds(conditions: tuple[Condition, ...], item: Item | None) -> bool:
    """Whether any condition holds on the stored item; no conditions at all hold always."""
    return not conditions or any(_holds(condition, item) for condition in conditions)


def _holds(condition: Condition, item: Item | None) -> bool:
    if condition.exists is not None and condition.exists is not (item is not None):
        return False
    if not condition.alternatives:
        return True
    attributes = {} if item is None else item
    return any(all(_passes(test, attributes) for test in tests) for tests in condition.alternatives)


def _passes(test: Test, item: Item) -> bool:
    value = item.get(test.attribute)
    match test:
        case Equals(value=wanted):
            if wanted is None:
                return value is None
            return value == wanted and isinstance(value, bool) is isinstance(wanted, bool)
        case AtLeast(value=bound):
            return _is_number(value) and value >= bound  # type: ignore[operator]
        case Below(value=bound):
            return _is_number(value) and value < bound  # type: ignore[operator]


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
