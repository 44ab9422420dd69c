"""The contract of ItemStore: values, single writes, transactions, batches."""

from __future__ import annotations

import pytest

from mailtumble.ports.store import (
    TRANSACTION_ACTIONS_MAX,
    Action,
    Check,
    Condition,
    ConditionFailed,
    Delete,
    ItemStore,
    Put,
    Update,
    Value,
)
from schemas.errors import InvariantBroken, PermanentError
from schemas.values import DeferReason

ABSENT = (Condition(exists=False),)
PRESENT = (Condition(exists=True),)


def _key(name: str) -> dict[str, str | int]:
    return {"subject_key": name}


@pytest.mark.parametrize(
    "value",
    [
        "text",
        "",
        "grüße 📬",
        b"",
        bytes(range(256)),
        0,
        -1,
        10**37,
        1.5,
        -1e-7,
        2.0,
        1e20,
        True,
        False,
        None,
        [],
        ["a", 1, None, b"x", [True]],
        {},
        {"inner": {"deep": [1, 2.5]}, "b": b"x"},
    ],
    ids=repr,
)
def test_values_come_back_as_they_were(items: ItemStore, unique: str, value: Value) -> None:
    """Every kind of value, also empty ones, and nested."""
    items.write(Put("subjects", {**_key(unique), "value": value}))
    item = items.get("subjects", _key(unique))
    assert item == {**_key(unique), "value": value}
    assert isinstance(item["value"], bool) is isinstance(value, bool)


def test_tuples_come_back_as_lists_and_enumerations_as_text(items: ItemStore, unique: str) -> None:
    """DynamoDB knows neither."""
    item = {**_key(unique), "targets": ("a", "b"), "reason": DeferReason.THROTTLED}
    items.write(Put("subjects", item))
    read = items.get("subjects", _key(unique))
    assert read is not None
    assert read["targets"] == ["a", "b"]
    assert (type(read["reason"]), read["reason"]) == (str, "throttled")


@pytest.mark.parametrize("value", [10**38, float("nan"), float("inf")], ids=repr)
def test_numbers_dynamodb_cannot_hold_are_refused(
    items: ItemStore, unique: str, value: float
) -> None:
    """38 digits: a sequence number has 56 and must be text."""
    with pytest.raises(PermanentError):
        items.write(Put("subjects", {**_key(unique), "value": value}))


def test_an_item_of_more_than_400_kb_is_refused(items: ItemStore, unique: str) -> None:
    """By itself and in a transaction, where it takes the others down with it."""
    big = Put("subjects", {**_key(unique), "value": b"x" * 410_000})
    with pytest.raises(PermanentError):
        items.write(big)
    with pytest.raises(PermanentError):
        items.transact([big, Put("cursors", {"cursor": unique})])
    assert items.get("cursors", {"cursor": unique}) is None


def test_a_missing_key_attribute_is_refused(items: ItemStore, unique: str) -> None:
    """Half a key is no key."""
    with pytest.raises(PermanentError):
        items.write(Put("timers", {"bucket": unique}))
    with pytest.raises(PermanentError):
        items.write(Put("subjects", {"subject_key": ""}))


def test_an_unknown_table_is_refused(items: ItemStore) -> None:
    """Names are those of the definition."""
    with pytest.raises(PermanentError, match="no table letters"):
        items.get("letters", {"id": "1"})


def test_put_replaces_the_whole_item(items: ItemStore, unique: str) -> None:
    """Nothing of the old one stays; the answer is the item as it is now."""
    items.write(Put("subjects", {**_key(unique), "old": 1}))
    assert items.write(Put("subjects", {**_key(unique), "new": 2})) == {**_key(unique), "new": 2}
    assert items.get("subjects", _key(unique)) == {**_key(unique), "new": 2}


def test_delete_removes_and_is_no_error_twice(items: ItemStore, unique: str) -> None:
    """There is nothing afterwards, and nothing is told."""
    items.write(Put("subjects", _key(unique)))
    assert items.write(Delete("subjects", _key(unique))) is None
    assert items.write(Delete("subjects", _key(unique))) is None
    assert items.get("subjects", _key(unique)) is None


def test_update_adds_sets_and_removes(items: ItemStore, unique: str) -> None:
    """All at once; attributes not named stay."""
    items.write(Put("subjects", {**_key(unique), "count": 5, "keep": "k", "drop": 1, "name": "a"}))
    update = Update(
        "subjects",
        _key(unique),
        add={"count": -2, "fresh": 3},
        set={"name": "b", "size": None},
        remove=("drop", "never there"),
    )
    expected = {**_key(unique), "count": 3, "fresh": 3, "keep": "k", "name": "b", "size": None}
    assert items.write(update) == expected
    assert items.get("subjects", _key(unique)) == expected


def test_update_creates_what_is_missing(items: ItemStore, unique: str) -> None:
    """Numbers begin at nought."""
    key: dict[str, str | int] = {"account": unique, "slice": 17}
    assert items.write(Update("slices", key, add={"left": 4})) == {**key, "left": 4}
    items.transact([Update("slices", key, add={"left": -1}, set={"rate": 0.5})])
    assert items.get("slices", key) == {**key, "left": 3, "rate": 0.5}


@pytest.mark.parametrize(
    "update",
    [
        Update("subjects", {"subject_key": "x"}),
        Update("subjects", {"subject_key": "x"}, add={"a": 1}, set={"a": 1}),
        Update("subjects", {"subject_key": "x"}, set={"subject_key": "y"}),
    ],
    ids=["nothing", "an attribute twice", "its key"],
)
def test_senseless_updates_are_bugs(items: ItemStore, update: Update) -> None:
    """They say so by themselves and in a transaction alike."""
    with pytest.raises(InvariantBroken):
        items.write(update)
    with pytest.raises(InvariantBroken):
        items.transact([update])


def test_adding_to_text_is_refused(items: ItemStore, unique: str) -> None:
    """Only numbers are added to."""
    items.write(Put("subjects", {**_key(unique), "count": "five"}))
    with pytest.raises(PermanentError):
        items.write(Update("subjects", _key(unique), add={"count": 1}))


def test_a_transaction_does_everything(items: ItemStore, unique: str) -> None:
    """Puts, updates, deletes and checks on several tables."""
    gone = f"{unique}-gone"
    items.write(Put("subjects", {**_key(gone), "n": 1}))
    items.transact(
        [
            Put("subjects", {**_key(unique), "n": 1}, ABSENT),
            Update("throughput", {"shard": unique, "minute": "1"}, add={"sent": 2}),
            Delete("subjects", _key(gone), PRESENT),
            Check("cursors", {"cursor": unique}, ABSENT),
        ]
    )
    assert items.get("subjects", _key(unique)) == {**_key(unique), "n": 1}
    assert items.get("throughput", {"shard": unique, "minute": "1"}) == {
        "shard": unique,
        "minute": "1",
        "sent": 2,
    }
    assert items.get("subjects", _key(gone)) is None
    assert items.get("cursors", {"cursor": unique}) is None


def test_a_transaction_does_all_or_nothing(items: ItemStore, unique: str) -> None:
    """One failed condition, at whatever place, undoes the rest."""
    items.write(Put("cursors", {"cursor": unique, "epoch": 1}))
    changes: list[Action] = [
        Put("subjects", {**_key(unique), "n": 1}),
        Update("throughput", {"shard": unique, "minute": "1"}, add={"sent": 2}),
    ]
    fence = Check("cursors", {"cursor": unique}, ABSENT)
    for place in range(3):
        with pytest.raises(ConditionFailed) as caught:
            items.transact([*changes[:place], fence, *changes[place:]])
        assert caught.value.failed == (place,)
    assert items.get("subjects", _key(unique)) is None
    assert items.get("throughput", {"shard": unique, "minute": "1"}) is None


def test_a_transaction_takes_a_hundred_actions(items: ItemStore, unique: str) -> None:
    """The most there may be; with one condition failing among them, none is done."""
    names = [f"{unique}-{number:03d}" for number in range(TRANSACTION_ACTIONS_MAX)]
    items.transact([Put("subjects", {**_key(name), "n": 1}, ABSENT) for name in names])
    with pytest.raises(ConditionFailed) as caught:
        items.transact(
            [Update("subjects", _key(name), add={"n": 1}, when=PRESENT) for name in names[:99]]
            + [Put("subjects", _key(names[99]), ABSENT)]
        )
    assert caught.value.failed == (99,)
    read = items.get_all("subjects", [_key(name) for name in names])
    assert [item and item["n"] for item in read] == [1] * TRANSACTION_ACTIONS_MAX


def test_more_than_a_hundred_actions_are_a_bug(items: ItemStore, unique: str) -> None:
    """Whoever builds transactions cuts them."""
    names = [f"{unique}-{number}" for number in range(TRANSACTION_ACTIONS_MAX + 1)]
    with pytest.raises(InvariantBroken, match="101 actions"):
        items.transact([Put("subjects", _key(name)) for name in names])


def test_more_than_four_megabytes_are_refused(items: ItemStore, unique: str) -> None:
    """Eleven items of 390 KB; nothing is written."""
    actions = [
        Put("subjects", {**_key(f"{unique}-{number}"), "value": b"x" * 390_000})
        for number in range(11)
    ]
    with pytest.raises(PermanentError):
        items.transact(actions)
    assert items.get("subjects", _key(f"{unique}-0")) is None


def test_two_actions_on_one_item_are_a_bug(items: ItemStore, unique: str) -> None:
    """DynamoDB takes one action an item."""
    with pytest.raises(InvariantBroken, match="same item"):
        items.transact(
            [
                Put("subjects", {**_key(unique), "n": 1}),
                Update("subjects", _key(unique), add={"n": 1}),
            ]
        )


def test_an_empty_transaction_does_nothing(items: ItemStore) -> None:
    """No actions, no call that DynamoDB would refuse."""
    items.transact([])
    assert items.get_all("subjects", []) == []


def test_batches_above_a_calls_limit_are_written_and_read(items: ItemStore, unique: str) -> None:
    """130 items: six calls to write, two to read; answers stand in the order of the keys."""
    names = [f"{unique}-{number:03d}" for number in range(130)]
    items.write_all([Put("subjects", {**_key(name), "n": name}) for name in names])
    keys = [_key(name) for name in reversed(names)]
    read = items.get_all("subjects", [*keys, _key("missing"), keys[0]])
    assert [item and item["n"] for item in read] == [*reversed(names), None, names[-1]]


def test_batches_put_and_delete_on_several_tables(items: ItemStore, unique: str) -> None:
    """Of several actions on one item the last counts."""
    items.write_all([Put("subjects", _key(unique)), Put("cursors", {"cursor": unique, "n": 1})])
    items.write_all(
        [
            Delete("subjects", _key(unique)),
            Put("cursors", {"cursor": unique, "n": 2}),
            Put("cursors", {"cursor": unique, "n": 3}),
        ]
    )
    assert items.get("subjects", _key(unique)) is None
    assert items.get("cursors", {"cursor": unique}) == {"cursor": unique, "n": 3}


def test_batches_take_no_conditions(items: ItemStore, unique: str) -> None:
    """DynamoDB would not look at them: to ask for that is a bug."""
    with pytest.raises(InvariantBroken, match="conditions"):
        items.write_all([Put("subjects", _key(unique), ABSENT)])
