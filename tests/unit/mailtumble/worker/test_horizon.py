"""A bounded window over what is due: it never holds too much, and never misses anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtumble.ports.store import Delete, Item, Put
from mailtumble.ports.stream import Shard
from mailtumble.worker.horizon import END, WINDOW_MAX, Reader, Window, buckets_of, due_text
from schemas.ids import BUCKETS, HASH_KEY_SPACE, bucket, hash_key
from tests.fakes import InMemoryItems

WHOLE = Shard("shard-0", 0, HASH_KEY_SPACE - 1)
HALF = HASH_KEY_SPACE // 2 + 12345
"""Not on a bucket's edge: the bucket there is shared by both halves."""

LEFT = Shard("shard-1", 0, HALF - 1)
RIGHT = Shard("shard-2", HALF, HASH_KEY_SPACE - 1)


def item(subject: str, due_at: int, prefix: str = "") -> Item:
    """Something due, where its subject belongs."""
    position = f"{prefix}{due_text(due_at)}#{subject}"
    return {"bucket": bucket(subject), "position": position, "subject": subject}


def filled(*items: Item) -> InMemoryItems:
    """A table with these."""
    store = InMemoryItems()
    store.write_all([Put("timers", each) for each in items])
    return store


def work_off(
    reader: Reader, store: InMemoryItems, prefix: str = "", most: int = WINDOW_MAX
) -> list[str]:
    """Take everything that is due out of the window and the table, filling when it runs empty."""
    window = Window(prefix=prefix, most=most)
    reader.fill(window)
    seen: list[str] = []
    for _ in range(10_000):
        if window.exhausted:
            reader.fill(window)
            continue
        due = window.due(prefix + END)
        if not due:
            return seen
        for each in due:
            seen.append(str(each["subject"]))
            window.discard(str(each["position"]))
            key = {"bucket": str(each["bucket"]), "position": str(each["position"])}
            store.write(Delete("timers", key))
    pytest.fail("the window never came to an end")


def test_due_times_sort_as_text() -> None:
    """20 digits are enough for every microsecond that will be."""
    assert due_text(9) < due_text(10) < due_text(1_760_000_000_000_000) < END


@given(st.integers(1, 7))
def test_every_bucket_belongs_to_a_shard(count: int) -> None:
    """However the hash keys are parted, no bucket is left out; only edges are shared."""
    edges = [HASH_KEY_SPACE * number // count for number in range(count + 1)]
    lists = [buckets_of(Shard(f"s{n}", edges[n], edges[n + 1] - 1)) for n in range(count)]
    assert {name for names in lists for name in names} == {f"{n:03d}" for n in range(BUCKETS)}
    assert sum(map(len, lists)) <= BUCKETS + count - 1


def test_an_edge_bucket_is_read_by_both_and_each_takes_its_own() -> None:
    """An item belongs to the very shard that its subject's records are on."""
    items = [item(f"mail:{number}", number) for number in range(500)]
    store = filled(*items)
    shared = set(buckets_of(LEFT)) & set(buckets_of(RIGHT))
    assert shared == {f"{HALF * BUCKETS // HASH_KEY_SPACE:03d}"}
    found = []
    for shard in (LEFT, RIGHT):
        window = Window()
        Reader(store, "timers", shard).fill(window)
        subjects = [str(each["subject"]) for each in window.due(END)]
        assert all(shard.holds(hash_key(subject)) for subject in subjects)
        found += subjects
    assert sorted(found) == sorted(str(each["subject"]) for each in items)


def test_items_are_due_in_order_up_to_a_time() -> None:
    """Of all buckets together, the earliest first."""
    store = filled(*(item(f"mail:{number}", 100 - number) for number in range(50)))
    window = Window()
    Reader(store, "timers", WHOLE).fill(window)
    due = window.due(due_text(70) + END)
    assert [each["subject"] for each in due] == [f"mail:{number}" for number in range(49, 29, -1)]


def test_the_window_takes_in_what_is_committed_within_it() -> None:
    """And leaves what lies beyond to the next reading."""
    window = Window(until="5")
    window.add("3", {"a": 1})
    window.add("7", {"a": 2})
    window.add("3", {"a": 3})
    assert window.due(END) == [{"a": 3}]
    window.discard("3")
    window.discard("3")
    assert window.due(END) == []
    assert window.exhausted
    assert not Window().exhausted


def test_the_window_is_bounded() -> None:
    """When more is added than it may hold, it ends earlier: the rest is in the table."""
    window = Window(most=3)
    for position in ("5", "1", "4", "2", "3"):
        window.add(position, {"position": position})
    assert window.order == ["1", "2", "3"]
    assert window.until == "3"
    window.add("4", {})
    assert sorted(window.items) == window.order
    window.most = 1
    window.add("0", {})
    assert (window.order, window.until) == (["0"], "0")


@given(st.lists(st.integers(0, 40), max_size=60), st.integers(1, 8), st.integers(1, 8))
def test_however_small_the_window_everything_comes_once(
    dues: list[int], page_size: int, window_max: int
) -> None:
    """Pages, full windows and equal due times: nothing is left behind, nothing comes twice."""
    items = [item(f"mail:{number}", due) for number, due in enumerate(dues)]
    store = filled(*items)
    found = work_off(Reader(store, "timers", WHOLE, page_size=page_size), store, most=window_max)
    assert sorted(found) == sorted(str(each["subject"]) for each in items)


def test_a_window_that_finds_only_the_neighbours_items_reads_on() -> None:
    """A page of an edge bucket may be all foreign: the window isn't at its end then."""
    edge = buckets_of(LEFT)[-1]
    subjects = [f"mail:{number}" for number in range(5000)]
    foreign = [each for each in subjects if bucket(each) == edge and RIGHT.holds(hash_key(each))]
    assert len(foreign) > 6
    store = filled(
        *(item(subject, number) for number, subject in enumerate(foreign)), item("mail:0", 10**6)
    )
    assert LEFT.holds(hash_key("mail:0"))
    assert work_off(Reader(store, "timers", LEFT, page_size=3), store) == ["mail:0"]


def test_prefixes_are_found_by_skipping() -> None:
    """Three tenants with many entries each cost a few reads, not one for every page."""
    store = InMemoryItems()
    for tenant in ("a", "b", "c"):
        store.write_all([Put("timers", item("mail:1", n, f"{tenant}#")) for n in range(300)])
    queries = []
    ask = store.query

    def counted(*arguments: object, **more: object) -> object:
        queries.append(arguments)
        return ask(*arguments, **more)  # type: ignore[arg-type]

    store.query = counted  # type: ignore[method-assign, assignment]
    found = Reader(store, "timers", WHOLE, page_size=10).prefixes()
    assert sorted(found) == ["a", "b", "c"]
    assert len(queries) <= BUCKETS + 4


@given(st.lists(st.sampled_from(["a", "b", "ab", "c%23", "~"]), max_size=30), st.integers(1, 4))
def test_every_prefix_is_found(tenants: list[str], page_size: int) -> None:
    """Whatever pages and neighbours there are."""
    store = filled(*(item("mail:1", number, f"{tenant}#") for number, tenant in enumerate(tenants)))
    found = Reader(store, "timers", WHOLE, page_size=page_size).prefixes()
    assert sorted(found) == sorted(set(tenants))


def test_a_window_with_a_prefix_sees_no_other_tenant() -> None:
    """Names that begin alike are kept apart."""
    store = filled(
        *(item(f"mail:{tenant}{n}", n, f"{tenant}#") for tenant in ("a", "ab") for n in range(5))
    )
    assert sorted(work_off(Reader(store, "timers", WHOLE, page_size=2), store, "a#")) == [
        f"mail:a{number}" for number in range(5)
    ]
