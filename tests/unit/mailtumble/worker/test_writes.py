"""A batch's writes: folded by item, cut at record boundaries, within DynamoDB's limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtumble.definition import load_definition
from mailtumble.ports.store import TRANSACTION_ACTIONS_MAX, Delete, Put, Update
from mailtumble.worker import writes as module
from mailtumble.worker.writes import ACTIONS_MAX, BYTES_MAX, Portion, Write, Writes, address
from schemas.errors import InvariantBroken


def put(name: str, value: object = 0) -> Put:
    """A whole item."""
    return Put("fleet", {"name": name, "value": value})  # type: ignore[dict-item]


def count(name: str, **amounts: int) -> Update:
    """Numbers to add."""
    return Update("throughput", {"shard": name, "minute": "m"}, add=amounts)


def portions(*records: list[Write]) -> list[Portion]:
    """The transactions for records numbered from 1."""
    writes = Writes()
    for number, record in enumerate(records, 1):
        writes.add(str(number), record)
    return writes.portions()


def test_nothing_to_write_still_moves_the_cursor() -> None:
    """A batch of void records ends in one transaction without writes."""
    assert Writes().portions() == []
    assert portions([], []) == [Portion(sequence="2")]


def test_the_last_write_of_an_item_counts() -> None:
    """Ten records about one mail write it once."""
    (portion,) = portions([put("a", 1)], [put("a", 2), put("b", 1)], [put("a", 3)])
    assert list(portion.writes.values()) == [put("a", 3), put("b", 1)]
    assert portion.sequence == "3"


def test_what_was_put_can_be_deleted_and_put_again() -> None:
    """A timer that is set and done within one batch."""
    gone = Delete("fleet", {"name": "a"})
    (portion,) = portions([put("a")], [gone])
    assert list(portion.writes.values()) == [gone]
    (portion,) = portions([gone], [put("a")])
    assert list(portion.writes.values()) == [put("a")]


def test_counters_add_up_and_attributes_are_overwritten() -> None:
    """Folding two updates is the same as doing one after the other."""
    key = {"quarantine_id": "q"}
    (portion,) = portions(
        [count("s", accepted=1, accepted_07=1)],
        [count("s", accepted=2, failed=1)],
        [Update("quarantine", key, set={"state": "open", "id": "q"})],
        [Update("quarantine", key, set={"state": "redriven"})],
    )
    assert list(portion.writes.values()) == [
        count("s", accepted=3, accepted_07=1, failed=1),
        Update("quarantine", key, set={"state": "redriven", "id": "q"}),
    ]


def test_put_and_update_of_one_item_is_a_programming_error() -> None:
    """An item is either written whole or counted up."""
    with pytest.raises(InvariantBroken, match="both put and updated"):
        portions([put("a")], [Update("fleet", {"name": "a"}, add={"value": 1})])


def test_a_record_that_fits_no_transaction_is_a_programming_error() -> None:
    """At most 50 targets an alias, so that no record writes so much."""
    assert len(portions([put(str(number)) for number in range(ACTIONS_MAX)])) == 1
    with pytest.raises(InvariantBroken, match=r"record 1 writes 100 items; 99 fit"):
        portions([put(str(number)) for number in range(ACTIONS_MAX + 1)])


RECORDS = st.lists(
    st.lists(st.integers(0, 150).map(lambda n: put(f"i{n}")), max_size=60), max_size=12
)


@given(RECORDS)
def test_transactions_are_cut_between_records(records: list[list[Write]]) -> None:
    """Each portion holds whole records, at most 99 items, and the cursor ends at the last."""
    cut = portions(*records)
    assert all(len(portion.writes) <= ACTIONS_MAX for portion in cut)
    assert [portion.sequence for portion in cut] == sorted(
        {portion.sequence for portion in cut}, key=int
    )
    assert not records or cut[-1].sequence == str(len(records))
    start = 0
    for portion in cut:
        end = int(portion.sequence)
        wanted = {address(write) for record in records[start:end] for write in record}
        assert set(portion.writes) == wanted
        start = end


@given(st.lists(st.integers(0, BYTES_MAX // 2), max_size=8))
def test_transactions_are_cut_by_size_too(sizes: list[int]) -> None:
    """Below 3 MB each, whatever records of up to half of that come together."""
    records: list[list[Write]] = [
        [put(f"i{number}", "x" * size)] for number, size in enumerate(sizes)
    ]
    for portion in portions(*records):
        total = sum(len(str(each.item["value"])) for each in portion.writes.values())  # type: ignore[union-attr]
        assert total <= BYTES_MAX


def test_a_full_transaction_leaves_room_for_the_cursor() -> None:
    """99 writes and the cursor are DynamoDB's 100."""
    assert ACTIONS_MAX + 1 == TRANSACTION_ACTIONS_MAX


def test_the_keys_are_those_of_the_definition() -> None:
    """What the folding takes for an item's key is its key in the tables."""
    defined = {
        table.name: tuple(
            key.name for key in (table.partition_key, table.sort_key) if key is not None
        )
        for table in load_definition().tables
    }
    assert {name: defined[name] for name in module._KEYS} == module._KEYS


def test_a_large_records_deletions_go_before_it() -> None:
    """In a transaction that leaves the cursor where it is: after a crash all is done again."""
    gone = [Delete("queue", {"bucket": "000", "position": f"old-{number}"}) for number in range(50)]
    new = [
        Put("queue", {"bucket": "000", "position": f"new-{number}"})
        for number in range(ACTIONS_MAX)
    ]
    writes = Writes()
    writes.add("1", [Put("subjects", {"subject_key": "a"})])
    writes.add("2", [*gone, *new])
    first, before, last = writes.portions()
    assert (first.sequence, before.sequence, last.sequence) == ("1", "", "2")
    assert list(before.writes.values()) == gone
    assert list(last.writes.values()) == new
