"""Reading core's counters: the right items, and few of them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from mailtumble import throughput
from mailtumble.ports.store import Page, Update
from processors.throughput.projection import Grain
from processors.throughput.window import Sums
from schemas.values import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from tests.fakes.items import InMemoryItems

NOW = 1_760_000_000 * SECOND_US
HOUR = NOW - NOW % HOUR_US


class Counting(InMemoryItems):
    """Counts the items that are read."""

    def __init__(self) -> None:
        """Nothing was read yet."""
        super().__init__()
        self.read = 0

    def query(self, table: str, partition: str, **how: object) -> Page:
        """As ever."""
        page = super().query(table, partition, **how)  # type: ignore[arg-type]
        self.read += len(page.items)
        return page


@pytest.fixture
def store() -> Counting:
    """Empty tables."""
    return Counting()


def add(
    store: InMemoryItems, grain: Grain, at: int, amounts: Mapping[str, int], shard: str = "s1"
) -> None:
    """Count on a shard."""
    key = throughput.key("g1", shard, grain, at)
    store.write(Update("throughput", key, add=amounts, set={"expires_at": 1}))


def test_the_last_minute_reads_two_items_a_shard(store: Counting) -> None:
    """Its seconds lie in two minutes; those before it and hours are not read."""
    minute = NOW - NOW % MINUTE_US
    second = (NOW - minute) // SECOND_US
    assert 0 < second < 59
    for shard in ("s1", "s2"):
        for number in range(5):
            at = minute - number * MINUTE_US
            amounts = {f"accepted_{place:02d}": 1 for place in range(60)}
            add(store, Grain.MINUTE, at, amounts, shard)
        add(store, Grain.HOUR, HOUR, {"accepted_00": 7}, shard)
    found = throughput.last_minute(store, "g1", ["s1", "s2"], NOW)
    assert found == Sums(accepted=2 * 60)
    assert store.read == 4


def test_a_day_to_the_minute_reads_25_items_a_shard(store: Counting) -> None:
    """However much was sent in it; the minutes at both ends are cut off."""
    for number in range(-30, 3):
        amounts = {f"recipients_{place:02d}": 10 for place in range(60)}
        add(store, Grain.HOUR, HOUR + number * HOUR_US, amounts)
    add(store, Grain.MINUTE, HOUR, {"recipients_00": 7})
    until_at = HOUR + 13 * MINUTE_US
    found = throughput.sent_between(store, "g1", ["s1"], until_at - DAY_US, until_at)
    assert found == Sums(recipients=10 * 24 * 60)
    assert store.read == 25
    by_minute = throughput.sent_by_minute(store, "g1", ["s1"], until_at - DAY_US, until_at)
    assert (min(by_minute), max(by_minute)) == (until_at - DAY_US, until_at - MINUTE_US)


def test_shards_are_summed_by_the_second(store: Counting) -> None:
    """A fleet's rate is that of all of them; another generation's counters are its own."""
    minute = NOW - NOW % MINUTE_US
    add(store, Grain.MINUTE, minute, {"accepted_03": 4, "refused_03": 1}, "s1")
    add(store, Grain.MINUTE, minute, {"accepted_03": 2}, "s2")
    store.write(Update("throughput", {"shard": "g2#s1", "minute": f"{minute:020d}"}, add={"x": 1}))
    found = throughput.by_second(store, "g1", ["s1", "s2"], minute, minute + MINUTE_US)
    assert found == {minute + 3 * SECOND_US: Sums(accepted=6, refused=1)}


@pytest.mark.parametrize("until_at", [0, NOW - 1, NOW])
def test_an_empty_window_reads_nothing(store: Counting, until_at: int) -> None:
    """Nor does one that ends before it begins."""
    add(store, Grain.HOUR, HOUR, {"accepted_00": 1})
    assert throughput.sent_between(store, "g1", ["s1"], NOW, until_at) == Sums()
    assert store.read == 0


def test_time_may_begin_at_the_epoch(store: Counting) -> None:
    """Virtual clocks do."""
    add(store, Grain.HOUR, 0, {"accepted_00": 1})
    add(store, Grain.MINUTE, 0, {"accepted_00": 1})
    assert throughput.sent_between(store, "g1", ["s1"], 0, DAY_US) == Sums(accepted=1)
    assert throughput.by_second(store, "g1", ["s1"], 0, DAY_US) == {0: Sums(accepted=1)}


@pytest.mark.parametrize("grain", list(Grain))
def test_a_key_tells_its_counter(grain: Grain) -> None:
    """Verification asks when it begins."""
    place = throughput.key("g1", "s1", grain, HOUR)["minute"]
    assert throughput.beginning(str(place)) == (grain, HOUR)
