"""The contract of ItemStore: conditions, and what a failed one tells."""

from __future__ import annotations

import pytest

from mailtumble.ports.store import (
    AtLeast,
    Below,
    Check,
    Condition,
    ConditionFailed,
    Delete,
    Equals,
    Item,
    ItemStore,
    Put,
    Update,
    absent_or,
)

STORED: dict[str, str | int | bool | None] = {
    "text": "words",
    "number": 7,
    "yes": True,
    "nothing": None,
    "status": "reserved words are names too",
}

ABSENT = (Condition(exists=False),)
PRESENT = (Condition(exists=True),)


def _key(unique: str) -> dict[str, str | int]:
    return {"subject_key": unique}


def _stored(items: ItemStore, unique: str) -> Item:
    item = {**_key(unique), **STORED}
    items.write(Put("subjects", item))
    return item


def _holds(items: ItemStore, unique: str, *when: Condition) -> bool:
    """Whether a write under ``when`` goes through: by itself and in a transaction alike."""
    action = Update("subjects", _key(unique), set={"written": 1}, when=when)
    answers: list[bool] = []
    for write in (items.write, lambda each: items.transact([each])):
        try:
            write(action)
        except ConditionFailed:
            answers.append(False)
        else:
            answers.append(True)
    assert answers[0] is answers[1]
    return answers[0]


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (Equals("text", "words"), True),
        (Equals("text", "other"), False),
        (Equals("text", 7), False),
        (Equals("number", 7), True),
        (Equals("number", 8), False),
        (Equals("number", "7"), False),
        (Equals("yes", value=True), True),
        (Equals("yes", value=False), False),
        (Equals("yes", 1), False),
        (Equals("status", "reserved words are names too"), True),
        (Equals("missing", "words"), False),
        (Equals("missing", None), True),
        (Equals("nothing", None), True),
        (Equals("number", None), False),
        (AtLeast("number", 7), True),
        (AtLeast("number", 6), True),
        (AtLeast("number", 8), False),
        (AtLeast("text", 1), False),
        (AtLeast("missing", 0), False),
        (AtLeast("nothing", 0), False),
        (Below("number", 8), True),
        (Below("number", 7), False),
        (Below("text", 8), False),
        (Below("missing", 8), False),
    ],
    ids=str,
)
def test_a_test_holds_on_what_is_stored(
    items: ItemStore, unique: str, test: Equals | AtLeast | Below, *, expected: bool
) -> None:
    """Types count: 7 is neither "7" nor true, and nothing absent has a number."""
    _stored(items, unique)
    assert _holds(items, unique, Condition(alternatives=((test,),))) is expected


@pytest.mark.parametrize(
    ("when", "on_present", "on_absent"),
    [
        ((), True, True),
        ((Condition(),), True, True),
        (ABSENT, False, True),
        (PRESENT, True, False),
        (absent_or(Equals("number", 7)), True, True),
        (absent_or(Equals("number", 8)), False, True),
        (absent_or(), True, True),
        ((Condition(alternatives=((Equals("number", 7), Equals("text", "words")),)),), True, False),
        ((Condition(alternatives=((Equals("number", 7), Equals("text", "x")),)),), False, False),
        (
            (Condition(alternatives=((Equals("number", 8),), (Equals("text", "words"),))),),
            True,
            False,
        ),
        ((Condition(exists=True, alternatives=((Equals("missing", None),),)),), True, False),
        ((Condition(alternatives=((Equals("missing", None),),)),), True, True),
    ],
)
def test_conditions_combine(
    items: ItemStore,
    unique: str,
    when: tuple[Condition, ...],
    *,
    on_present: bool,
    on_absent: bool,
) -> None:
    """Any of the conditions; in one of them existence and any alternative; there, every test."""
    _stored(items, unique)
    assert _holds(items, unique, *when) is on_present
    items.write(Delete("subjects", _key(unique)))
    alone = Put("subjects", {**_key(unique), "n": 1}, when)
    if on_absent:
        items.write(alone)
        assert items.get("subjects", _key(unique)) == alone.item
    else:
        with pytest.raises(ConditionFailed):
            items.write(alone)
        assert items.get("subjects", _key(unique)) is None


def test_a_failed_write_tells_the_stored_item(items: ItemStore, unique: str) -> None:
    """So that nobody has to read again to learn who was first."""
    item = _stored(items, unique)
    for action in (
        Put("subjects", {**_key(unique), "new": 1}, ABSENT),
        Delete("subjects", _key(unique), ABSENT),
        Update("subjects", _key(unique), add={"number": 1}, when=ABSENT),
    ):
        with pytest.raises(ConditionFailed) as caught:
            items.write(action)
        assert (caught.value.failed, caught.value.items) == ((0,), (item,))
    assert items.get("subjects", _key(unique)) == item


def test_a_failed_write_on_nothing_tells_nothing(items: ItemStore, unique: str) -> None:
    """None stands for no item."""
    with pytest.raises(ConditionFailed) as caught:
        items.write(Update("subjects", _key(unique), add={"n": 1}, when=PRESENT))
    assert caught.value.items == (None,)
    assert items.get("subjects", _key(unique)) is None


def test_a_failed_transaction_tells_which_and_what(items: ItemStore, unique: str) -> None:
    """Indexes and items of the failed ones alone, in order."""
    item = _stored(items, unique)
    missing = f"{unique}-missing"
    with pytest.raises(ConditionFailed) as caught:
        items.transact(
            [
                Put("subjects", {"subject_key": f"{unique}-new"}, ABSENT),
                Check("subjects", _key(unique), ABSENT),
                Put("cursors", {"cursor": unique}),
                Update("subjects", _key(missing), set={"a": 1}, when=PRESENT),
            ]
        )
    assert caught.value.failed == (1, 3)
    assert caught.value.items == (item, None)


def test_told_items_are_copies(items: ItemStore, unique: str) -> None:
    """Whoever changes what was read changes nothing in the store."""
    item = _stored(items, unique)
    read = items.get("subjects", _key(unique))
    assert isinstance(read, dict)
    read["text"] = "changed"
    assert items.get("subjects", _key(unique)) == item
