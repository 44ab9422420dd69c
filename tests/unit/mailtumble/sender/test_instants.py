"""A fleet shares one quota: no instant is given away twice, none that has passed, none too far."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtumble.aws.clock import AwsClock
from mailtumble.local.ses.limiters import LIMITERS
from mailtumble.ports.store import ConditionFailed, Delete, Item, Put, Update
from mailtumble.sender.instants import LEAD_US, Instants
from processors.sending.control import FLEET, Control, fleet_rate_milli
from processors.sending.pacing import AHEAD_SLICES, RATE_UNIT, Slice, slice_number
from schemas.errors import RetryableError
from schemas.values import SECOND_US
from tests.fakes import InMemoryItems, VirtualClock

NOW = 1_760_000_000 * SECOND_US
NEVER = 2**62


def _instants(
    store: InMemoryItems, rate: int | Callable[[], int] = 10_000, account: str = "local"
) -> Instants:
    return Instants(store, account, rate if callable(rate) else lambda: rate)


STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 30), st.integers(0, 700_000)), max_size=25
)


@given(STEPS, st.sampled_from([300, 900, 13_300, 50_000]))
def test_senders_never_get_the_same_instant(steps: list[tuple[int, int, int]], rate: int) -> None:
    """Three senders take as they like: all instants differ, lie ahead, and on the grid."""
    store = InMemoryItems()
    senders = [_instants(store, rate) for _ in range(3)]
    taken: list[int] = []
    now = NOW
    for who, wanted, gap in steps:
        now += gap
        got = senders[who].take(wanted, now)
        assert len(got) <= wanted
        assert all(now + LEAD_US <= at < now + LEAD_US + AHEAD_SLICES * SECOND_US for at in got)
        taken += got
    assert len(set(taken)) == len(taken)
    for at in taken:
        part = Slice(slice_number(at), rate)
        assert at in {part.instant_at(index) for index in range(part.size)}


@given(STEPS)
def test_no_second_holds_more_than_the_rate(steps: list[tuple[int, int, int]]) -> None:
    """In any span of one second, whoever takes: at most as many as the grid has."""
    store = InMemoryItems()
    senders = [_instants(store, 13_300) for _ in range(3)]
    taken: list[int] = []
    now = NOW
    for who, wanted, gap in steps:
        now += gap
        taken += senders[who].take(wanted, now)
    taken.sort()
    for begin in taken:
        assert sum(1 for at in taken if begin <= at < begin + SECOND_US) <= 14


def test_greedy_senders_together_get_the_whole_rate() -> None:
    """Over ten seconds at 13.3/s nothing is rounded away."""
    store = InMemoryItems()
    senders = [_instants(store, 13_300) for _ in range(3)]
    taken: list[int] = []
    for step in range(100):
        now = NOW + step * 100_000
        taken += senders[step % 3].take(1000, now)
    inside = [at for at in taken if at < NOW + 10 * SECOND_US]
    earliest = NOW + LEAD_US
    grid = [part.instant_at(index) for part in _grid(13_300, 10) for index in range(part.size)]
    assert sorted(inside) == [at for at in grid if at >= earliest]


def _grid(rate: int, seconds: int) -> list[Slice]:
    return [Slice(slice_number(NOW) + number, rate) for number in range(seconds)]


def test_passed_instants_are_lost() -> None:
    """A slice that is half over has half of its instants left, and nobody gets the others."""
    store = InMemoryItems()
    now = NOW + 500_000 - LEAD_US
    got = _instants(store).take(3, now)
    assert got == [NOW + 500_000, NOW + 600_000, NOW + 700_000]
    assert _instants(store).take(9, now)[:3] == [NOW + 800_000, NOW + 900_000, NOW + SECOND_US]


def test_nothing_is_taken_more_than_two_slices_ahead() -> None:
    """What a crash can waste is bounded."""
    store = InMemoryItems()
    sender = _instants(store)
    assert len(sender.take(1000, NOW - LEAD_US)) == 20
    assert sender.take(1000, NOW - LEAD_US) == []
    assert len(sender.take(1000, NOW - LEAD_US + SECOND_US)) == 10


def test_a_new_rate_holds_from_the_next_slice_on() -> None:
    """A slice keeps the rate it was begun with, for every sender alike."""
    store = InMemoryItems()
    rate = 10_000
    senders = [_instants(store, lambda: rate) for _ in range(2)]
    begin = NOW - LEAD_US
    assert len(senders[0].take(3, begin)) == 3
    rate = 20_000
    rest = senders[1].take(1000, begin)
    assert len([at for at in rest if at < NOW + SECOND_US]) == 7
    assert len([at for at in rest if at >= NOW + SECOND_US]) == 20


@pytest.mark.parametrize("rate", [1.0, 2.0, 5.0, 14.0, 80.0])
def test_a_rate_that_comes_back_is_never_too_fast(rate: float) -> None:
    """After a cut each second has a rate, and a grid, of its own; their edges must not meet."""
    now, control = NOW, Control(NOW, FLEET.cut)

    def rate_milli() -> int:
        return fleet_rate_milli(round(rate * 1000), 0, 0.952, control, now)

    sender = _instants(InMemoryItems(), rate_milli)
    taken: list[int] = []
    allowed = 0.0
    while now < NOW + 120 * SECOND_US:
        taken += sender.take(1_000, now)
        allowed += 0.2 * rate_milli() / RATE_UNIT
        now += 200_000
    limiter = LIMITERS["sliding"](rate)
    assert [at for at in sorted(taken) if not limiter.admit(at, 1)] == []
    assert len(taken) >= 0.8 * allowed


def test_without_a_rate_there_are_no_instants() -> None:
    """The quota isn't known yet, or sending is paused: nothing goes, nothing is written."""
    store = InMemoryItems()
    assert _instants(store, 0).take(5, NOW) == []
    assert store.scan("slices") == []


def test_slow_rates_have_slices_without_instants() -> None:
    """One mail every 3.3 seconds: most slices are empty, and the others are found in their time."""
    store = InMemoryItems()
    sender = _instants(store, 300)
    taken: list[int] = []
    for second in range(100):
        taken += sender.take(5, NOW + second * SECOND_US)
    assert len(taken) in (30, 31)
    gaps = {after - before for before, after in pairwise(taken)}
    assert gaps <= {3_333_333, 3_333_334}


def test_accounts_have_slices_of_their_own() -> None:
    """Another account or region has another quota."""
    store = InMemoryItems()
    one = _instants(store).take(4, NOW)
    assert _instants(store, account="other").take(4, NOW) == one


def test_an_outage_gives_no_instants() -> None:
    """Whoever can't reserve doesn't send."""

    class Down(InMemoryItems):
        """Doesn't answer."""

        def write(self, action: Put | Delete | Update) -> Item | None:
            """Only an error."""
            raise RetryableError(action.table)

    with pytest.raises(RetryableError):
        _instants(Down()).take(1, NOW)


def test_two_who_begin_a_slice_at_once_agree_on_it() -> None:
    """The conditional put lets one of them through; both use the rate that stands there."""

    class Beaten(InMemoryItems):
        """Lets somebody else begin the slice first, at half the rate."""

        def write(self, action: Put | Delete | Update) -> Item | None:
            """A put comes too late."""
            if isinstance(action, Put):
                store_slice(self, action)
                raise ConditionFailed([0], [action.item])
            return super().write(action)

    def store_slice(into: InMemoryItems, action: Put) -> None:
        number = action.item["slice"]
        assert isinstance(number, int)
        part = Slice(number, 5 * RATE_UNIT)
        item = {**action.item, "rate_milli": part.rate_milli, "left": part.size}
        InMemoryItems.write(into, Put("slices", item))

    got = _instants(Beaten()).take(100, NOW - LEAD_US)
    assert len(got) == 10
    assert got[:2] == [NOW, NOW + 200_000]


class Counting(InMemoryItems):
    """Counts its updates; the first write waits."""

    def __init__(self, until: Callable[[], bool]) -> None:
        """Wait ``until`` this holds."""
        super().__init__()
        self.updates = 0
        self._until: Callable[[], bool] | None = until

    def write(self, action: Put | Delete | Update) -> Item | None:
        """Note it."""
        self.updates += isinstance(action, Update)
        while self._until and not self._until():
            time.sleep(0.001)
        self._until = None
        return super().write(action)


def test_calls_that_are_late_together_get_others_by_one_write() -> None:
    """Whoever asks first takes for those who come meanwhile; each gets its own."""
    clock, late = AwsClock(), 20
    store = Counting(lambda: instants._missed[False].asking == late)
    instants = _instants(store, 1_000_000)
    with ThreadPoolExecutor(late) as threads:
        asked = [threads.submit(instants.another, clock, NEVER) for _ in range(late)]
        got = [each.result() for each in asked]
    assert None not in got
    assert len(set(got)) == late
    # The first found the slice missing, began it, and went past what of it was over.
    assert store.updates <= 8


def test_another_instant_that_has_passed_is_given_to_nobody() -> None:
    """It was taken for a call that waited too long."""
    clock = VirtualClock()
    instants = _instants(InMemoryItems(), 10_000)
    first = instants.another(clock, NEVER)
    clock.sleep(5)
    second = instants.another(clock, NEVER)
    assert first is not None
    assert second is not None
    assert first < clock.now() < second


def test_another_instant_is_of_no_use_once_the_time_is_over() -> None:
    """Whoever waited for others' takes, which failed, must not begin to take itself."""
    clock = VirtualClock()
    store = InMemoryItems()
    assert _instants(store, 10_000).another(clock, clock.now()) is None
    assert store.scan("slices") == []


def test_a_cut_holds_for_instants_that_were_taken_before_it() -> None:
    """Seven of ten stay; when the rate comes back, all that are left do."""
    rate = 100_000
    instants = _instants(InMemoryItems(), lambda: rate)
    taken = instants.take(100, NOW)
    assert all(map(instants.holds, taken))
    rate = 70_000
    held = sum(map(instants.holds, taken))
    assert abs(held - 70) <= 1
    rate = 0
    assert not any(map(instants.holds, taken))
    rate = 200_000
    assert all(map(instants.holds, taken))
