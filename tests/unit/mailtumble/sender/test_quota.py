"""The quota: one of the fleet asks, all know, and only changes are told on the stream."""

from __future__ import annotations

from collections.abc import Callable

from mailtumble.ports.store import Update
from mailtumble.ports.world import Quota
from mailtumble.sender.quota import ITEM, SUBJECT, QuotaWatch, known_quota
from mailtumble.worker.application import Fact
from schemas.events import QuotaObserved
from schemas.values import SECOND_US
from tests.fakes import InMemoryItems, VirtualClock


class Account:
    """An account whose answers can be changed and are counted."""

    def __init__(self) -> None:
        """A usual sandbox."""
        self.answer = Quota(14.0, 50_000, 10, sending_enabled=True)
        self.asked = 0
        self.meanwhile: Callable[[], None] | None = None

    def quota(self) -> Quota:
        """The limits in force when it was asked; something else may happen meanwhile."""
        self.asked += 1
        if self.meanwhile is not None:
            self.meanwhile()
        return self.answer


class Fleet:
    """Senders that share tables, clock and account."""

    def __init__(self) -> None:
        """Begin with an empty table."""
        self.clock = VirtualClock()
        self.store = InMemoryItems()
        self.account = Account()

    def watch(self) -> QuotaWatch:
        """One more sender's watch."""
        return QuotaWatch(self.store, self.account, self.clock)

    def poll(self, watch: QuotaWatch) -> tuple[Fact, ...]:
        """Let it look; what it wants told."""
        return watch.poll(self.store.get("fleet", ITEM)).facts


def test_before_the_first_answer_nothing_may_be_sent() -> None:
    """No quota, no rate."""
    fleet = Fleet()
    assert fleet.watch().rate_milli() == 0
    assert known_quota(fleet.store) is None


def test_the_first_answer_is_told_and_known() -> None:
    """The rate is a share of MaxSendRate, in thousandths."""
    fleet = Fleet()
    watch = fleet.watch()
    (fact,) = fleet.poll(watch)
    assert fact.subject == SUBJECT
    assert fact.events == (QuotaObserved(max_send_rate=14.0, max_24h=50_000),)
    assert watch.rate_milli() == 13_328
    assert known_quota(fleet.store) == watch.known


def test_one_of_the_fleet_asks_and_the_others_read() -> None:
    """GetAccount takes one call a second for the whole account."""
    fleet = Fleet()
    watches = [fleet.watch() for _ in range(3)]
    for _ in range(4):
        for watch in watches:
            fleet.poll(watch)
        fleet.clock.advance(5)
    assert fleet.account.asked == 4
    assert {watch.rate_milli() for watch in watches} == {13_328}


def test_a_fresh_answer_costs_no_write() -> None:
    """The turn is tried only where the last question is old enough."""
    fleet = Fleet()
    one, two = fleet.watch(), fleet.watch()
    fleet.poll(one)
    before = fleet.store.get("fleet", ITEM)
    fleet.clock.advance(1)
    fleet.poll(two)
    assert fleet.store.get("fleet", ITEM) == before
    assert two.known == one.known
    assert fleet.account.asked == 1


def test_when_ses_says_that_the_day_is_over_it_is_so_for_a_minute() -> None:
    """For the whole fleet, and over the next answers of GetAccount, which may lag."""
    fleet = Fleet()
    one, two = fleet.watch(), fleet.watch()
    fleet.poll(one)
    one.day_is_over()
    until = fleet.clock.now() + 60_000_000
    fleet.clock.advance(5)
    fleet.poll(one)
    fleet.poll(two)
    assert (one.known and one.known.closed_until) == until
    assert two.known == one.known


def test_only_changes_are_told() -> None:
    """What was sent in the last 24 hours changes all the time and is no event."""
    fleet = Fleet()
    watch = fleet.watch()
    assert len(fleet.poll(watch)) == 1
    fleet.clock.advance(5)
    fleet.account.answer = Quota(14.0, 50_000, 99, sending_enabled=True)
    assert fleet.poll(watch) == ()
    fleet.clock.advance(5)
    fleet.account.answer = Quota(13.3, 50_000, 99, sending_enabled=True)
    (fact,) = fleet.poll(watch)
    assert fact.events == (QuotaObserved(max_send_rate=13.3, max_24h=50_000),)
    assert watch.rate_milli() == 12_661


def test_an_answer_that_took_its_time_does_not_undo_a_later_one() -> None:
    """Somebody else has asked meanwhile: what it was told stands, and is told once."""
    fleet = Fleet()
    slow, quick = fleet.watch(), fleet.watch()
    told: list[Fact] = []

    def meanwhile() -> None:
        fleet.account.meanwhile = None
        fleet.clock.advance(5)
        fleet.account.answer = Quota(28.0, 50_000, 0, sending_enabled=True)
        told.extend(fleet.poll(quick))
        fleet.account.answer = Quota(14.0, 50_000, 0, sending_enabled=True)

    fleet.account.meanwhile = meanwhile
    assert fleet.poll(slow) == ()
    assert [each.events[0] for each in told] == [QuotaObserved(max_send_rate=28.0, max_24h=50_000)]
    assert slow.known == quick.known
    assert slow.rate_milli() == 26_656


def test_limits_that_were_not_told_are_told_by_somebody_else() -> None:
    """Whoever noticed them may have died: under the same id, until it is logged."""
    fleet = Fleet()
    one, two = fleet.watch(), fleet.watch()
    (fact,) = fleet.poll(one)
    fleet.clock.advance(5)
    assert fleet.poll(two) == ()
    fleet.clock.advance(6)
    assert fleet.poll(two) == (fact,)
    two.logged(fact)
    fleet.clock.advance(20)
    assert fleet.poll(one) == ()


def test_a_question_asked_in_the_future_stops_nobody() -> None:
    """A clock that was wrong has written it: one sender asks now, and no two."""
    fleet = Fleet()
    one, two = fleet.watch(), fleet.watch()
    ahead = fleet.clock.now() + 600 * SECOND_US
    fleet.store.write(Update("fleet", ITEM, set={"asked_at": ahead}))
    fleet.poll(one)
    fleet.poll(two)
    assert fleet.account.asked == 1


def test_an_older_read_does_not_undo_a_cut() -> None:
    """It was begun before the refusal came, on another thread."""
    fleet = Fleet()
    watch = fleet.watch()
    fleet.poll(watch)
    before = fleet.store.get("fleet", ITEM)
    watch.refused(fleet.clock.now())
    watch.poll(before)
    assert watch.rate_milli() == 13_328 * 7 // 10


def test_a_paused_account_sends_nothing() -> None:
    """The rate is zero until sending is enabled again."""
    fleet = Fleet()
    watch = fleet.watch()
    fleet.account.answer = Quota(14.0, -1, 0, sending_enabled=False)
    fleet.poll(watch)
    assert watch.rate_milli() == 0
    fleet.clock.advance(5)
    fleet.account.answer = Quota(14.0, -1, 0, sending_enabled=True)
    fleet.poll(watch)
    assert watch.rate_milli() == 13_328


def test_after_a_refusal_the_quota_is_asked_for_at_once() -> None:
    """It may be another one; but GetAccount takes one call a second, whoever makes it."""
    fleet = Fleet()
    one, two = fleet.watch(), fleet.watch()
    fleet.poll(one)
    fleet.clock.advance(0.5)
    two.refused(fleet.clock.now())
    fleet.poll(one)
    fleet.poll(two)
    assert fleet.account.asked == 1
    fleet.account.answer = Quota(7.0, 50_000, 10, sending_enabled=True)
    fleet.clock.advance(0.6)
    fleet.poll(one)
    fleet.poll(two)
    assert fleet.account.asked == 2
    assert one.known == two.known
    assert one.known
    assert one.known.max_send_rate_milli == 7_000
    fleet.clock.advance(1.1)
    fleet.poll(one)
    assert fleet.account.asked == 2


def test_a_refusal_slows_the_whole_fleet_down() -> None:
    """At once for its sender, with the next poll for the others; and once an epoch."""
    fleet = Fleet()
    one, two = fleet.watch(), fleet.watch()
    fleet.poll(one)
    fleet.poll(two)
    whole = one.rate_milli()
    one.refused(fleet.clock.now())
    assert one.rate_milli() == whole * 7 // 10
    assert two.rate_milli() == whole
    # Answers to what was reserved before, at a sender that has not heard of the cut yet.
    two.refused(fleet.clock.now())
    one.refused(fleet.clock.now() + 1)
    assert two.rate_milli() == one.rate_milli() == whole * 7 // 10
    late = fleet.watch()
    fleet.poll(late)
    assert late.rate_milli() == one.rate_milli()


def test_the_rate_comes_back_by_itself_and_is_cut_again() -> None:
    """In a minute or so; the one who asks SES keeps the cut."""
    fleet = Fleet()
    watch = fleet.watch()
    fleet.poll(watch)
    whole = watch.rate_milli()
    watch.refused(fleet.clock.now())
    fleet.clock.advance(6)
    fleet.poll(watch)
    assert whole * 7 // 10 <= watch.rate_milli() < whole * 8 // 10
    fleet.clock.advance(70)
    fleet.poll(watch)
    assert watch.rate_milli() == whole
    watch.refused(fleet.clock.now())
    assert watch.rate_milli() == whole * 7 // 10
