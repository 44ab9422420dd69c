"""The contract of ItemStore: queries, indexes, scans."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mailtumble.ports.store import Item, ItemStore, Page, Put

POSITIONS = ["a", "b", "b#1", "c", "d"]


@pytest.fixture
def partition(items: ItemStore, unique: str) -> str:
    """A partition of the timers table with five items, written out of order."""
    for position in reversed(POSITIONS):
        items.write(Put("timers", {"bucket": unique, "position": position, "n": 1}))
    items.write(Put("timers", {"bucket": f"{unique}-other", "position": "b", "n": 1}))
    return unique


def _positions(page: Page) -> list[object]:
    return [item["position"] for item in page.items]


def _all(pages: Sequence[Page]) -> list[object]:
    return [position for page in pages for position in _positions(page)]


def test_a_query_gives_a_partition_in_order(items: ItemStore, partition: str) -> None:
    """All of it, and nothing of another."""
    page = items.query("timers", partition)
    assert (_positions(page), page.more) == (POSITIONS, False)
    assert page.items[0] == {"bucket": partition, "position": "a", "n": 1}


@pytest.mark.parametrize(
    ("after", "until", "expected"),
    [
        ("b", None, ["b#1", "c", "d"]),
        ("b0", None, ["c", "d"]),
        (None, "c", ["a", "b", "b#1", "c"]),
        (None, "bz", ["a", "b", "b#1"]),
        ("a", "c", ["b", "b#1", "c"]),
        ("a0", "c", ["b", "b#1", "c"]),
        ("c", "c", []),
        ("d", "a", []),
        ("d", None, []),
        (None, "A", []),
    ],
)
def test_bounds_leave_the_lower_out_and_the_upper_in(
    items: ItemStore, partition: str, after: str | None, until: str | None, expected: list[str]
) -> None:
    """``after`` < position <= ``until``, in either direction."""
    page = items.query("timers", partition, after=after, until=until)
    assert (_positions(page), page.more) == (expected, False)
    back = items.query("timers", partition, after=after, until=until, descending=True)
    assert _positions(back) == expected[::-1]


@pytest.mark.parametrize("after", [None, "a"])
@pytest.mark.parametrize("until", [None, "d"])
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6])
def test_a_limit_cuts_and_says_when_more_may_follow(
    items: ItemStore, partition: str, after: str | None, until: str | None, limit: int
) -> None:
    """Walking on from the last position of a page meets every item once."""
    expected = POSITIONS if after is None else POSITIONS[1:]
    pages = [items.query("timers", partition, after=after, until=until, limit=limit)]
    assert _positions(pages[0]) == expected[:limit]
    while pages[-1].more:
        last = str(pages[-1].items[-1]["position"])
        pages.append(items.query("timers", partition, after=last, until=until, limit=limit))
        if not pages[-1].items:
            break
    assert _all(pages) == expected


@pytest.mark.parametrize("limit", [1, 3])
def test_descending_gives_the_last_ones_first(items: ItemStore, partition: str, limit: int) -> None:
    """The limit counts from the end, also between bounds."""
    page = items.query("timers", partition, limit=limit, descending=True)
    assert _positions(page) == POSITIONS[::-1][:limit]
    page = items.query("timers", partition, after="a", until="c", limit=limit, descending=True)
    assert _positions(page) == ["c", "b#1", "b"][:limit]


def test_numbers_sort_as_numbers(items: ItemStore, unique: str) -> None:
    """The slices' sort key is a number: 9 comes before 10."""
    for number in (100, 9, 10):
        items.write(Put("slices", {"account": unique, "slice": number, "left": 1}))
    assert [item["slice"] for item in items.query("slices", unique).items] == [9, 10, 100]
    page = items.query("slices", unique, after=9, until=10)
    assert [item["slice"] for item in page.items] == [10]


def test_an_empty_partition_is_an_empty_page(items: ItemStore, unique: str) -> None:
    """No items, none to follow."""
    assert items.query("timers", unique) == Page([], more=False)


def test_more_than_a_page_of_dynamodb_is_read_whole(items: ItemStore, unique: str) -> None:
    """A call answers 1 MB at most; a query without a limit goes on until all is read."""
    for number in range(8):
        items.write(Put("timers", {"bucket": unique, "position": str(number), "v": b"x" * 300_000}))
    page = items.query("timers", unique)
    assert (_positions(page), page.more) == ([str(number) for number in range(8)], False)
    assert _positions(items.query("timers", unique, limit=6)) == ["0", "1", "2", "3", "4", "5"]


def test_an_index_sorts_by_its_own_keys(items: ItemStore, unique: str) -> None:
    """Mails by the day and instant of their receipt; those without are not in it."""
    mails: list[Item] = [
        {"mail_key": f"{unique}-{number}", "received_day": unique, "received_at": at, "n": number}
        for number, at in enumerate(["09:00", "07:00", "08:00", "08:00"])
    ]
    items.write_all([Put("mails", mail) for mail in mails])
    items.write(Put("mails", {"mail_key": f"{unique}-x", "received_day": unique}))
    items.write(Put("mails", {**mails[0], "mail_key": f"{unique}-y", "received_day": "another"}))
    page = items.query("mails", unique, index="by_received")
    assert [item["received_at"] for item in page.items] == ["07:00", "08:00", "08:00", "09:00"]
    assert page.items[0] == mails[1]
    page = items.query("mails", unique, index="by_received", after="07:00", until="08:00")
    assert sorted(str(item["mail_key"]) for item in page.items) == [f"{unique}-2", f"{unique}-3"]
    page = items.query("mails", unique, index="by_received", descending=True, limit=1)
    assert page.items[0] == mails[0]


def test_a_scan_gives_every_item(items: ItemStore, unique: str) -> None:
    """In no order; other tests' items may be among them."""
    mine = [{"name": f"{unique}-{number}", "pad": b"x" * 300_000} for number in range(8)]
    items.write_all([Put("fleet", item) for item in mine])
    found = [item for item in items.scan("fleet") if str(item["name"]).startswith(f"{unique}-")]
    assert sorted(found, key=lambda item: str(item["name"])) == mine
