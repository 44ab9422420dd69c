"""Conditions and updates as DynamoDB's expressions: placeholders for every name and value.

No attribute name is ever written out, so reserved words need no care.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mailtumble.aws.attributes import Attribute, to_attribute
from mailtumble.ports.store import AtLeast, Below, Condition, Equals, Test, Update, Value
from schemas.errors import InvariantBroken


class Placeholders:
    """Hands out ``#n`` for names (each once) and ``:n`` for values."""

    def __init__(self) -> None:
        """Start with none."""
        self._names: dict[str, str] = {}
        self._values: dict[str, Attribute] = {}

    def name(self, attribute: str) -> str:
        """The placeholder of an attribute."""
        return self._names.setdefault(attribute, f"#{len(self._names)}")

    def value(self, value: Value) -> str:
        """The placeholder of a value."""
        placeholder = f":{len(self._values)}"
        self._values[placeholder] = to_attribute(value)
        return placeholder

    def arguments(self) -> dict[str, Any]:
        """The arguments that say what they stand for; DynamoDB refuses empty ones."""
        arguments: dict[str, Any] = {}
        if self._names:
            arguments["ExpressionAttributeNames"] = {
                placeholder: name for name, placeholder in self._names.items()
            }
        if self._values:
            arguments["ExpressionAttributeValues"] = self._values
        return arguments


def condition_text(
    conditions: Sequence[Condition], key_attribute: str, placeholders: Placeholders
) -> str | None:
    """The expression that holds when any condition does; None where that is always.

    ``key_attribute`` is the table's partition key, by which the item's existence is told.
    """
    if not conditions or any(_holds_always(condition) for condition in conditions):
        return None
    return _joined(
        "OR", [_condition(condition, key_attribute, placeholders) for condition in conditions]
    )


def update_text(update: Update, placeholders: Placeholders) -> str:
    """The clauses of an update.

    Raises:
        InvariantBroken: it changes nothing, or an attribute twice, or its key.
    """
    touched = [*update.add, *update.set, *update.remove]
    if not touched:
        raise InvariantBroken(f"{update.table}: an update that changes nothing")
    if len(set(touched)) < len(touched) or not update.key.keys().isdisjoint(touched):
        raise InvariantBroken(f"{update.table}: an update touches an attribute twice, or its key")
    name, value = placeholders.name, placeholders.value
    clauses = {
        "ADD": [f"{name(attribute)} {value(number)}" for attribute, number in update.add.items()],
        "SET": [f"{name(attribute)} = {value(what)}" for attribute, what in update.set.items()],
        "REMOVE": [name(attribute) for attribute in update.remove],
    }
    return " ".join(f"{verb} {', '.join(parts)}" for verb, parts in clauses.items() if parts)


def _trivial(condition: Condition) -> bool:
    """Whether its alternatives ask nothing: there are none, or one without tests."""
    return not condition.alternatives or () in condition.alternatives


def _holds_always(condition: Condition) -> bool:
    return condition.exists is None and _trivial(condition)


def _condition(condition: Condition, key_attribute: str, placeholders: Placeholders) -> str:
    parts: list[str] = []
    if condition.exists is not None:
        function = "attribute_exists" if condition.exists else "attribute_not_exists"
        parts.append(f"{function}({placeholders.name(key_attribute)})")
    if not _trivial(condition):
        parts.append(
            _joined(
                "OR",
                [
                    _joined("AND", [_test(test, placeholders) for test in tests])
                    for tests in condition.alternatives
                ],
            )
        )
    return _joined("AND", parts)


def _test(test: Test, placeholders: Placeholders) -> str:
    name = placeholders.name(test.attribute)
    match test:
        case Equals(value=None):
            return f"(attribute_not_exists({name}) OR {name} = {placeholders.value(None)})"
        case Equals(value=value):
            return f"{name} = {placeholders.value(value)}"
        case AtLeast(value=bound):
            return f"{name} >= {placeholders.value(bound)}"
        case Below(value=bound):
            return f"{name} < {placeholders.value(bound)}"


def _joined(operator: str, parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else "(" + f" {operator} ".join(parts) + ")"
