"""Where SES lets nothing out: the fleet stops as one, one mail tries, and it goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mailtumble.ports.store import Delete, Item, Put, Update
from mailtumble.sender.stops import StopWatch
from mailtumble.worker.application import Fact
from mailtumble.worker.records import outgoing
from processors.sending.lanes import Lane
from processors.sending.stops import ACCOUNT, DISABLED, SILENT_MAX
from schemas.errors import RetryableError
from schemas.events import SendingRestored, SendingStopped
from tests.fakes import InMemoryItems, VirtualClock
from tests.samples import accepted, after, fact, received, resolved, scheduled, unknown
from tests.unit.mailtumble.sender.conftest import Place

LANE = Lane("shop", "example.com", "far.example")


class Table(InMemoryItems):
    """A table that lets ``away`` writes fail, or all behind ``answers`` more (-1: none)."""

    away = 0
    answers = -1

    def write(self, action: Put | Delete | Update) -> Item | None:
        """Take it, if it is not away."""
        if self.away or not self.answers:
            self.away = max(0, self.away - 1)
            raise RetryableError("the table does not answer")
        self.answers -= self.answers > 0
        return super().write(action)


class Pair:
    """Two senders' watches over one table."""

    def __init__(self) -> None:
        """Nothing is stopped."""
        self.clock = VirtualClock()
        self.since = self.clock.now()
        self.store = Table()
        self.one, self.two = StopWatch(self.store, self.clock), StopWatch(self.store, self.clock)

    def poll(self, watch: StopWatch) -> None:
        """Let it learn."""
        watch.learn(self.store.get("fleet", {"name": "stops"}))


@pytest.fixture
def pair() -> Pair:
    """Both know nothing."""
    return Pair()


def test_the_fleet_stops_with_one_event_and_goes_on_with_another(pair: Pair) -> None:
    """Though both were refused, and though both are accepted again."""
    (told,) = pair.one.refused(ACCOUNT, "AccountSuspended")
    assert told.events == (SendingStopped(scope=ACCOUNT, why="AccountSuspended"),)
    assert pair.one.refused(ACCOUNT, "AccountSuspended") == ()
    assert pair.two.refused(ACCOUNT, "AccountSuspended") == ()
    pair.one.logged(told)
    pair.poll(pair.two)
    assert pair.one.holds(LANE)
    assert pair.two.holds(LANE)
    since = pair.clock.now()
    pair.clock.advance(9)
    (told,) = pair.two.accepted(LANE, pair.clock.now())
    assert told.events == (SendingRestored(scope=ACCOUNT, stopped_at=since),)
    assert pair.one.accepted(LANE, pair.clock.now()) == []
    assert not pair.one.holds(LANE)


def test_one_of_the_fleet_tries_one_mail(pair: Pair) -> None:
    """The turn is taken under a condition; the next comes later."""
    pair.one.refused("example.com", "no MX")
    pair.poll(pair.two)
    assert pair.one.due_probes() == []
    pair.clock.advance(5)
    (first,), (second,) = (watch.due_probes() for watch in (pair.one, pair.two))
    assert first == second
    assert [pair.one.takes(first), pair.two.takes(second)] == [True, False]
    assert pair.two.due_probes() == []


def test_other_domains_go_on(pair: Pair) -> None:
    """What is not verified is one domain; two stops stand beside each other."""
    pair.one.refused("example.com", "no MX")
    pair.two.refused("other.example", "no MX")
    pair.poll(pair.one)
    assert set(pair.one.standing) == {"example.com", "other.example"}
    assert not pair.one.holds(replace(LANE, source="third.example"))


def test_getaccount_stops_and_starts_the_fleet_by_itself(pair: Pair) -> None:
    """No mail is tried; a stop that SES told of by a refusal is not ended by it."""
    (told,) = pair.one.account(enabled=False)
    assert told.events == (SendingStopped(scope=ACCOUNT, why=DISABLED),)
    pair.one.logged(told)
    pair.poll(pair.two)
    assert pair.two.due_probes() == []
    assert len(pair.two.account(enabled=True)) == 1
    assert pair.one.account(enabled=True) == ()
    pair.one.refused(ACCOUNT, "configuration set paused")
    assert pair.one.account(enabled=True) == ()
    assert pair.one.holds(LANE)


def test_where_ses_does_not_answer_the_fleet_stops(pair: Pair) -> None:
    """Each such mail may have been sent all the same: they must not become thousands."""
    call = replace(unknown(), called_at=pair.clock.now())
    for _ in range(SILENT_MAX - 1):
        assert pair.one.heard(call) == ()
    assert pair.one.heard(accepted(called_at=pair.clock.now())) == ()
    told = [each for _ in range(3 * SILENT_MAX) for each in pair.one.heard(call)]
    assert len(told) == 1
    assert pair.one.holds(LANE)
    assert "did not answer" in pair.one.standing[ACCOUNT].why
    pair.one.logged(told[0])
    pair.clock.advance(6)
    assert len(pair.one.accepted(LANE, pair.clock.now())) == 1
    assert not pair.one.holds(LANE)
    # Calls from before the stop still time out, and one failure after it is not ten.
    late = replace(unknown(), called_at=pair.clock.now())
    assert [pair.one.heard(each) for each in (*[call] * SILENT_MAX, late)] == [()] * (
        SILENT_MAX + 1
    )


def test_silence_is_told_by_the_next_call_where_the_table_does_not_answer(pair: Pair) -> None:
    """Ten more would have to hang, each perhaps sent."""
    call = replace(unknown(), called_at=pair.clock.now())
    for _ in range(SILENT_MAX - 1):
        pair.one.heard(call)
    pair.store.away = 5
    with pytest.raises(RetryableError):
        pair.one.heard(call)
    pair.store.away = 0
    assert len(pair.one.heard(call)) == 1


def test_what_has_ended_is_told_though_not_all_can_be(pair: Pair) -> None:
    """The rest is told after the next look; nothing is taken for told that was not."""
    for scope in ("example.com", "shop.example"):
        pair.one.logged(pair.one.refused(scope, "no MX")[0])
    pair.one.overdue()
    pair.clock.advance(2 * 3_600)
    pair.store.answers = 1
    told = pair.one.overdue()
    assert [each.events[0] for each in told] == [
        SendingRestored(scope="example.com", stopped_at=pair.since)
    ]
    pair.store.answers = -1
    told = pair.one.overdue()
    assert [each.events[0] for each in told] == [
        SendingRestored(scope="shop.example", stopped_at=pair.since)
    ]


def test_the_begin_is_told_with_the_end_where_its_finder_has_not(pair: Pair) -> None:
    """It died before it could; the end alone would say nothing."""
    begin = pair.one.refused(ACCOUNT, "suspended")
    pair.poll(pair.two)
    pair.clock.advance(5)
    told = pair.two.accepted(LANE, pair.clock.now())
    assert told[0] == begin[0]
    assert isinstance(told[1].events[0], SendingRestored)


def test_while_people_hold_mail_no_stop_ends_for_want_of_it(pair: Pair) -> None:
    """The mail that would have been tried may be paused; an hour after that nobody had any."""
    begin = pair.one.refused("example.com", "no MX")
    pair.one.logged(begin[0])
    pair.clock.advance(7_200)
    assert pair.one.overdue(paused=True) == []
    assert pair.one.overdue() == []
    pair.clock.advance(3_600)
    assert len(pair.one.overdue()) == 1


def test_nobody_says_that_no_mail_waits_who_was_not_there(pair: Pair) -> None:
    """All senders were away for hours: nobody has tried a mail, though there may be one."""
    begin = pair.one.refused(ACCOUNT, "suspended")
    pair.one.logged(begin[0])
    pair.clock.advance(7_200)
    pair.poll(pair.two)
    assert pair.two.overdue() == []
    assert pair.two.due_probes()
    pair.clock.advance(3_600)
    assert len(pair.two.overdue()) == 1


def test_no_domain_is_tried_while_the_account_stands_still(pair: Pair) -> None:
    """Nor for want of mail over."""
    told = [*pair.one.refused("example.com", "no MX"), *pair.one.refused(ACCOUNT, "suspended")]
    for each in told:
        pair.one.logged(each)
    pair.one.overdue()
    for _ in range(4):
        pair.clock.advance(1_800)
        for each in pair.one.due_probes():
            pair.one.takes(each)
        assert pair.one.overdue() == []
    pair.one.logged(pair.one.accepted(replace(LANE, source="else.example"), pair.clock.now())[0])
    assert pair.one.overdue() == []
    assert [each.scope for each in pair.one.standing.values()] == ["example.com"]


def test_what_is_being_told_is_not_told_again_and_again(pair: Pair) -> None:
    """An outage of the stream may last for hours."""
    pair.one.refused(ACCOUNT, "suspended")
    pair.poll(pair.two)
    pair.clock.advance(60)
    assert [len(pair.two.overdue()) for _ in range(3)] == [1, 0, 0]


def test_what_its_finder_has_not_told_somebody_else_tells(pair: Pair) -> None:
    """It may have died: under the same ids, so that each counts once, and until they are logged."""
    begin = pair.one.refused(ACCOUNT, "suspended")
    pair.clock.advance(5)
    pair.poll(pair.two)
    assert pair.two.overdue() == []
    pair.clock.advance(6)
    assert pair.two.overdue() == begin
    pair.two.logged(begin[0])
    assert pair.two.overdue() == []
    end = pair.two.accepted(LANE, pair.clock.now())
    pair.clock.advance(11)
    pair.poll(pair.one)
    assert pair.one.overdue() == end
    pair.one.logged(end[0])
    pair.poll(pair.two)
    assert pair.two.overdue() == []
    assert pair.two.at_ease


def test_a_stop_begins_anew_before_the_end_of_the_last_is_told(pair: Pair) -> None:
    """All four events are told."""
    told = list(pair.one.refused(ACCOUNT, "suspended"))
    pair.clock.advance(1)
    told += pair.one.accepted(LANE, pair.clock.now())
    told += pair.one.refused(ACCOUNT, "suspended")
    assert pair.one.holds(LANE)
    pair.clock.advance(1)
    told += pair.one.accepted(LANE, pair.clock.now())
    assert len({each.id for each in told}) == 4
    for each in told:
        pair.one.logged(each)
    assert pair.one.at_ease


def test_a_stop_that_no_mail_waits_for_is_over_after_an_hour(pair: Pair) -> None:
    """The domain's aliases are gone: nobody would ever try it, and end it."""
    begin = pair.one.refused("example.com", "no MX")
    pair.one.logged(begin[0])
    assert pair.one.overdue() == []
    pair.clock.advance(3_604)
    assert pair.one.overdue() == []
    pair.clock.advance(2)
    (end,) = pair.one.overdue()
    assert isinstance(end.events[0], SendingRestored)
    assert not pair.one.holds(LANE)


class TestShard:
    """A sender's shard behind the stop."""

    def _scheduled(self, place: Place, count: int = 20) -> None:
        place.tell(fact(received(), name="in"), fact(resolved(), name="route"))
        for number in range(count):
            one = scheduled(f"attempt-{number}", target=number)
            place.tell(fact(one, name=f"s{number}"))

    def test_nothing_is_claimed_but_one_mail_that_tries(self, place: Place) -> None:
        """And it may call, while those that were claimed before may not."""
        self._scheduled(place)
        lane = place.lane()
        place.read(lane)
        before = lane.pace(4)
        assert before
        place.stops.refused(ACCOUNT, "suspended")
        assert not any(lane.may_call(job) for job in before)
        assert lane.pace() == []
        assert lane.backlog().due == 0
        place.clock.advance(5)
        (probe,) = lane.pace()
        assert probe.probes
        assert lane.may_call(probe)
        assert lane.pace() == []

    def test_a_stop_without_mail_does_not_keep_others_from_being_tried(self, place: Place) -> None:
        """Its mail may all be over, or held by a person: it is due, again and again."""
        self._scheduled(place)
        lane = place.lane()
        place.read(lane)
        place.stops.refused("nothing-waits.example", "no MX")
        place.clock.advance(1)
        place.stops.refused("example.com", "no MX")
        place.clock.advance(5)
        (probe,) = lane.pace()
        assert probe.probes
        assert lane.pace() == []

    def test_when_it_is_over_all_leave(self, place: Place) -> None:
        """By the answer to the one mail."""
        self._scheduled(place)
        lane = place.lane()
        place.read(lane)
        place.stops.refused("example.com", "no MX")
        place.clock.advance(5)
        (probe,) = lane.pace()
        assert place.stops.accepted(probe.entry.lane, place.clock.now())
        assert len(lane.pace()) > 1


def test_the_log_tells_of_it_under_ids_of_its_own(pair: Pair) -> None:
    """So that a second stop of the same scope is a second event."""
    names = set()
    for _ in range(2):
        for facts in (
            pair.one.refused(ACCOUNT, "suspended"),
            pair.one.accepted(LANE, pair.clock.now() + 1),
        ):
            (told,) = facts
            assert isinstance(told, Fact)
            names.add(outgoing(told, after(0)).data)
        pair.clock.advance(60)
    assert len(names) == 4
