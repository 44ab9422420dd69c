"""Conditions and updates in DynamoDB's language."""

from __future__ import annotations

import pytest

from mailtumble.aws.expressions import Placeholders, condition_text, update_text
from mailtumble.ports.store import AtLeast, Below, Condition, Equals, Update, absent_or


def _condition(*conditions: Condition) -> tuple[str | None, dict[str, object]]:
    held = Placeholders()
    return condition_text(conditions, "cursor", held), held.arguments()


@pytest.mark.parametrize(
    "conditions",
    [(), (Condition(),), (Condition(exists=False), Condition(alternatives=((),)))],
)
def test_what_always_holds_is_no_expression(conditions: tuple[Condition, ...]) -> None:
    """DynamoDB refuses empty expressions, and placeholders that are not used."""
    assert _condition(*conditions) == (None, {})


def test_existence_is_told_by_the_partition_key() -> None:
    """Every item has it."""
    assert _condition(Condition(exists=False)) == (
        "attribute_not_exists(#0)",
        {"ExpressionAttributeNames": {"#0": "cursor"}},
    )


def test_absent_or_is_two_conditions() -> None:
    """A name is bound once, each value by itself."""
    text, arguments = _condition(
        *absent_or(Equals("epoch", 3), AtLeast("status", 2), Below("epoch", 9))
    )
    present = "(attribute_exists(#0) AND (#1 = :0 AND #2 >= :1 AND #1 < :2))"
    assert text == f"(attribute_not_exists(#0) OR {present})"
    assert arguments == {
        "ExpressionAttributeNames": {"#0": "cursor", "#1": "epoch", "#2": "status"},
        "ExpressionAttributeValues": {":0": {"N": "3"}, ":1": {"N": "2"}, ":2": {"N": "9"}},
    }


def test_alternatives_are_bracketed() -> None:
    """AND binds before OR in the text as in the meaning."""
    text, _ = _condition(
        Condition(alternatives=((Equals("a", 1), Equals("b", None)), (Below("c", 2),)))
    )
    assert text == "((#0 = :0 AND (attribute_not_exists(#1) OR #1 = :1)) OR #2 < :2)"


def test_an_update_has_a_clause_for_each_kind_of_change() -> None:
    """In one fixed order."""
    held = Placeholders()
    update = Update(
        "slices",
        {"account": "a"},
        add={"left": -2},
        set={"rate": 1.5, "x": None},
        remove=("y", "z"),
    )
    assert update_text(update, held) == "ADD #0 :0 SET #1 = :1, #2 = :2 REMOVE #3, #4"
    assert held.arguments()["ExpressionAttributeNames"]["#0"] == "left"
