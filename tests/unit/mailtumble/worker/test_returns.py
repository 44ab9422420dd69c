"""What came back: counted by hour and shard, read with few queries, and never guessed."""

from __future__ import annotations

import pytest

from mailtumble.ports.store import Page
from mailtumble.worker.application import Question
from mailtumble.worker.core import Core, CoreRules
from mailtumble.worker.headers import HeaderReader
from mailtumble.worker.returns import READ_EVERY_US, ReturnsReader, counted, parties
from processors.kernel import NO_RETURNS, Returns
from processors.moderation.breaker import Breaker
from processors.routing.decider import Found, NotFound, Unavailable
from schemas.errors import RetryableError
from schemas.values import DAY_US, HOUR_US, SECOND_US
from tests.fakes import InMemoryAliases, InMemoryItems, InMemoryObjects, VirtualClock
from tests.samples import bounced
from tests.unit.mailtumble.cli.small_world import HOUSE, SmallWorld

WHO = parties("info@house.example", "Ann+x@example.net", "secret")
OTHER = parties("news@house.example", "", "secret")


class Counting(InMemoryItems):
    """Counts queries, and is out if told so."""

    def __init__(self) -> None:
        """Nothing was asked yet."""
        super().__init__()
        self.queries = 0
        self.out = False

    def query(self, table: str, partition: str, **how: object) -> Page:
        """As ever, or nothing but an error."""
        if self.out:
            raise RetryableError("no answer")
        self.queries += 1
        return super().query(table, partition, **how)  # type: ignore[arg-type]


@pytest.fixture
def clock() -> VirtualClock:
    """Of the reader."""
    return VirtualClock()


@pytest.fixture
def store() -> Counting:
    """Empty tables."""
    return Counting()


@pytest.fixture
def reader(store: Counting, clock: VirtualClock) -> ReturnsReader:
    """By the defaults: a day, 20 attempts, 5 %."""
    return ReturnsReader(store, clock, "g1", Breaker())


def add(store: InMemoryItems, news: Returns, at: int, shard: str = "s1") -> None:
    """A record was accepted."""
    for write in counted("g1", shard, WHO, news, at):
        store.write(write)


def test_keys_tell_no_addresses() -> None:
    """A keyed digest stands for the alias and for the sender, without its detail."""
    assert parties("INFO@house.example", "ann@EXAMPLE.net", "secret") == WHO
    assert parties("info@house.example", "ann@example.net", "another") != WHO
    writes = counted("g1", "s1", WHO, Returns(1, 1), 0)
    assert not any("@" in str(write.key) for write in writes)
    assert OTHER.names() == (OTHER.alias,)


def test_a_record_counts_for_its_alias_and_its_sender() -> None:
    """In the hour of the record, on the shard that has accepted it; kept for 3 days."""
    at = 7 * HOUR_US + 5
    writes = counted("g1", "s1", WHO, Returns(2, 1), at)
    assert [(write.key["whom"], write.add) for write in writes] == [
        (f"g1#{WHO.alias}", {"answered": 2}),
        ("g1#returned", {"returned": 1}),
        (f"g1#{WHO.source}", {"answered": 2}),
        ("g1#returned", {"returned": 1}),
    ]
    assert len({str(write.key) for write in writes}) == 4
    assert {write.set["expires_at"] for write in writes} == {
        (7 * HOUR_US + 3 * DAY_US) // SECOND_US
    }
    assert counted("g1", "s1", WHO, NO_RETURNS, at) == []


def test_shards_and_hours_are_summed(
    store: Counting, clock: VirtualClock, reader: ReturnsReader
) -> None:
    """Within the window, to the hour."""
    now = clock.now()
    for hours in range(30):
        add(store, Returns(10, 1), now - hours * HOUR_US)
    add(store, Returns(5, 4), now, "s2")
    known = reader.of(WHO.names())
    assert known[WHO.alias] == known[WHO.source] == Returns(25 * 10 + 5, 25 + 4)


def test_whoever_has_nothing_come_back_costs_no_query(
    store: Counting, clock: VirtualClock, reader: ReturnsReader
) -> None:
    """One query for all of them, however many there are; one more for whom it may hold."""
    add(store, Returns(100, 1), clock.now())
    names = [f"source:{number}" for number in range(1000)]
    assert set(reader.of([*names, *WHO.names()]).values()) == {NO_RETURNS}
    assert store.queries == 1
    add(store, Returns(0, 1), clock.now())
    clock.advance(READ_EVERY_US / SECOND_US)
    assert reader.of([*names, WHO.alias])[WHO.alias] == Returns(100, 2)
    assert store.queries == 3


def test_an_answer_is_kept_for_some_seconds(
    store: Counting, clock: VirtualClock, reader: ReturnsReader
) -> None:
    """Both numbers are as of one time."""
    add(store, Returns(20, 5), clock.now())
    assert reader.of([WHO.alias])[WHO.alias] == Returns(20, 5)
    add(store, Returns(20, 5), clock.now())
    clock.advance(READ_EVERY_US / SECOND_US - 1)
    assert reader.of([WHO.alias])[WHO.alias] == Returns(20, 5)
    assert store.queries == 2
    clock.advance(1)
    assert reader.of([WHO.alias])[WHO.alias] == Returns(40, 10)


def _core(reader: ReturnsReader) -> Core:
    aliases = InMemoryAliases()
    aliases.put("info@house.example", ["bob@example.org"], "house")
    rules = CoreRules(address_key="secret")
    return Core(aliases, HeaderReader(InMemoryObjects(), frozenset()), rules, "g1", reader)


ASKED = (
    Question(("info@house.example",), source="ann@example.net"),
    Question(("nobody@house.example",), source="ann@example.net"),
)


def test_answers_bring_what_came_back(
    store: Counting, clock: VirtualClock, reader: ReturnsReader
) -> None:
    """Beside the look-up, for the whole batch."""
    add(store, Returns(20, 5), clock.now())
    found, none = _core(reader).answers(ASKED)
    assert found == Found(
        "info@house.example",
        1,
        "house",
        ("bob@example.org",),
        of_alias=Returns(20, 5),
        of_source=Returns(20, 5),
    )
    assert none == NotFound()


def test_while_it_cant_be_read_mail_waits(store: Counting, reader: ReturnsReader) -> None:
    """It is neither passed nor dropped; whom nobody knows is told so all the same."""
    store.out = True
    found, none = _core(reader).answers(ASKED)
    assert found == Unavailable("what came back of other mails can't be read: no answer")
    assert none == NotFound()
    store.out = False
    assert isinstance(_core(reader).answers(ASKED)[0], Found)


@pytest.fixture
def world() -> SmallWorld:
    """Core and sender at work."""
    return SmallWorld()


def bounce(world: SmallWorld, times: int) -> None:
    """Of the mails that wait, some come back; their addresses are suppressed then."""
    for _ in range(times):
        jobs = world.claim()
        world.clock.advance(1)
        for job in jobs:
            entry = job.entry
            event = bounced(entry.attempt_id, entry.target)
            world.append(entry.mail_id, event, cause=f"bounce-{entry.attempt_id}")
        world.work()


def test_enough_bounces_hold_the_next_mail(world: SmallWorld) -> None:
    """Through the stream: counted when core reads them, and told with the numbers."""
    world.repository.put(HOUSE, [f"t{number}@far.example" for number in range(19)], "house")
    world.receive(1)
    bounce(world, 3)
    world.clock.advance(6)
    before = world.receive(2)
    assert world.status(before) == "scheduled"  # 19 are too few
    world.repository.put(HOUSE, ["last@far.example"], "house")
    world.receive(3)
    bounce(world, 2)
    world.clock.advance(6)
    held = world.receive(4, sender="eve@example.net")
    assert world.status(held) == "held"
    (item,) = [each for each in world.items.scan("mails") if each["mail_id"] == held]
    assert item["held_rule"] == "breaker"
    assert item["held_reason"] == (
        "20 of 20 mails to this alias came back within 24 h: 100.0 %, more than 5 %"
    )
    world.repository.put("other@house.example", ["ann@far.example"], "house")
    assert world.status(world.receive(5, "other@house.example", "ann@example.net")) == "held"
    assert world.status(world.receive(6, "other@house.example", "eve@example.net")) == "scheduled"
    world.clock.advance(25 * 60 * 60)
    assert world.status(world.receive(7)) == "scheduled"
