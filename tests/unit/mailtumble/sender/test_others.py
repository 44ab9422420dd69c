"""A fleet beside others on one account, in virtual time: GetAccount, core's counters, the rate."""

from __future__ import annotations

from collections import deque

from mailtumble import throughput
from mailtumble.ports.store import Put, Update
from mailtumble.ports.world import Quota
from mailtumble.sender.others import OthersWatch, read_samples
from mailtumble.sender.quota import ITEM, QuotaWatch
from mailtumble.sender.usage import OwnSends
from mailtumble.worker.cursor import cursor_key
from processors.sending.day import frees_at
from processors.sending.pacing import RATE_UNIT
from processors.throughput.projection import Grain
from schemas.values import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from tests.fakes import InMemoryItems, VirtualClock

MAX_RATE = 80.0
CURSOR = cursor_key("core", "g1", "s1")
WHOLE = int(MAX_RATE * 0.952 * RATE_UNIT)


def test_what_is_not_answered_is_the_fleets_own() -> None:
    """SES counts it: its reply alone was lost. It must not be taken for somebody else's."""
    store, at = InMemoryItems(), 20_000 * DAY_US
    for grain in Grain:
        key = throughput.key("g1", "s1", grain, at)
        counts = {"accepted_00": 90, "unanswered_00": 7, "unknown_00": 3, "refused_00": 50}
        store.write(Update("throughput", key, add=counts))
    own = OwnSends(store, "g1", ["s1"])
    assert own.between(at, at + SECOND_US) == 100
    assert own.day(at + HOUR_US) == 100


def test_the_minute_that_leaves_the_day_now_is_among_its_minutes() -> None:
    """It is what frees next."""
    store, at = InMemoryItems(), 20_000 * DAY_US
    store.write(
        Update("throughput", throughput.key("g1", "s1", Grain.HOUR, at), add={"accepted_00": 5})
    )
    now = at + DAY_US + MINUTE_US // 2
    by_minute = OwnSends(store, "g1", ["s1"]).by_minute(now)
    assert by_minute == [(at, 5)]
    assert frees_at(by_minute, 5, now) == at + DAY_US + MINUTE_US
    assert OwnSends(store, "g1", ["s1"]).by_minute(now + MINUTE_US) == []


class World:
    """An account that several use; SES counts what is sent ``late_s`` seconds late."""

    def __init__(self, late_s: int = 3) -> None:
        """Nothing was sent."""
        self.clock = VirtualClock()
        self.store = InMemoryItems()
        self.watch = QuotaWatch(self.store, self, self.clock)
        self.others = OthersWatch(self.store, lambda: OwnSends(self.store, "g1", ["s1"]))
        self.asked = 0
        self._counted = 0
        self._uncounted: deque[int] = deque([0] * late_s)
        self._owed = 0.0
        self.lag_s = 0
        self._unread: deque[int] = deque()

    def quota(self) -> Quota:
        """The limits in force."""
        self.asked += 1
        return Quota(MAX_RATE, 5_000_000, self._counted, sending_enabled=True)

    def second(self, *, others: int, sends: bool = True) -> int:
        """One passes: the rate that the fleet had in it, in thousandths."""
        item = self.store.get("fleet", ITEM)
        asked = self.watch.poll(item)
        if asked.known is not None:
            self.others.look(asked.known, item)
        rate = self.watch.rate_milli() if sends else 0
        self._owed += rate / RATE_UNIT
        own, self._owed = int(self._owed), self._owed - int(self._owed)
        self._count(own)
        self._uncounted.append(own + others)
        self._counted += self._uncounted.popleft()
        self.clock.advance(1)
        return rate

    def _count(self, own: int) -> None:
        """As core does, which reads what was sent ``lag_s`` seconds ago."""
        self._unread.append(own)
        if len(self._unread) > self.lag_s:
            self._read(self.clock.now() - (len(self._unread) - 1) * SECOND_US)

    def catch_up(self) -> None:
        """Core reads all that there is."""
        while self._unread:
            self._read(self.clock.now() - len(self._unread) * SECOND_US)

    def _read(self, at: int) -> None:
        own = self._unread.popleft()
        self.store.write(Put("cursors", {**CURSOR, "arrived_at": at}))
        second = at // SECOND_US * SECOND_US
        for grain in Grain:
            begins_at = second - second % grain.value
            part = (second - begins_at) // grain.part_us
            key = throughput.key("g1", "s1", grain, begins_at)
            self.store.write(Update("throughput", key, add={f"accepted_{part:02d}": own}))


def test_alone_the_fleet_has_the_whole_rate_all_the_time() -> None:
    """Also where it begins, pauses and goes on: what SES counts late is nobody else's."""
    world = World()
    for phase in range(3):
        rates = [world.second(others=0) for _ in range(400)]
        assert set(rates) == {WHOLE}, phase
        for _ in range(45):
            world.second(others=0, sends=False)


def test_others_get_their_share_while_they_send() -> None:
    """Within minutes; together with ours it is what SES allows, and afterwards all is ours."""
    world = World()
    for _ in range(400):
        world.second(others=0)
    rates = [world.second(others=30) for _ in range(900)]
    assert rates[0] == WHOLE
    assert all(abs(rate - (80 - 30) * 952) < 1_000 for rate in rates[360:])
    rates = [world.second(others=0) for _ in range(900)]
    assert all(rate == WHOLE for rate in rates[400:])


def test_the_fleet_goes_on_beside_somebody_who_takes_all() -> None:
    """At a tenth, to notice when they stop."""
    world = World()
    rates = [world.second(others=90) for _ in range(600)]
    assert rates[-1] == int(8.0 * 952)


def test_few_counters_are_read_and_few_samples_kept() -> None:
    """Twice a minute, however often GetAccount is asked."""
    world = World()
    seen = set()
    for _ in range(600):
        world.second(others=0)
        seen.add(len(read_samples(world.store.get("fleet", ITEM) or {})))
    assert world.asked >= 200
    assert max(seen) <= 13


def test_what_was_sent_a_day_ago_is_no_riddle() -> None:
    """It leaves the window as the same number comes in: the count stands still."""
    world = World(late_s=0)
    begins_at = world.clock.now()
    for second in range(700):
        at = begins_at - DAY_US + second * SECOND_US
        for grain in Grain:
            start = at - at % grain.value
            part = (at - start) // grain.part_us
            key = throughput.key("g1", "s1", grain, start)
            world.store.write(Update("throughput", key, add={f"accepted_{part:02d}": 76}))
    assert grain is Grain.HOUR
    assert HOUR_US > 700 * SECOND_US
    world._counted = 700 * 76
    for _ in range(600):
        rate = world.second(others=0)
        world._counted -= 76
        assert rate == WHOLE


def test_a_core_that_lags_is_not_taken_for_others() -> None:
    """Sends that it has not counted yet are the fleet's own; afterwards others are seen again."""
    world = World()
    for _ in range(300):
        world.second(others=0)
    world.lag_s = 200
    assert {world.second(others=0) for _ in range(400)} == {WHOLE}
    world.lag_s = 0
    world.catch_up()
    assert {world.second(others=0) for _ in range(400)} == {WHOLE}
    rates = [world.second(others=20) for _ in range(400)]
    assert rates[-1] < 0.8 * WHOLE


def test_while_core_stands_still_what_was_known_of_others_stays() -> None:
    """Nothing newer can be said."""
    world = World()
    for _ in range(500):
        world.second(others=20)
    world.lag_s = 10_000
    rates = [world.second(others=20) for _ in range(600)]
    assert 0.7 * WHOLE < min(rates) <= max(rates) < 0.8 * WHOLE
