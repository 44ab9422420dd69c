"""The breaker, asked before each claim: a campaign stops once enough of it has come back."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from mailtumble.sender.entry import read_entry
from mailtumble.sender.shard import TAKE_MAX, SenderShard
from mailtumble.worker.returns import READ_EVERY_US, counted, parties
from processors.kernel import Returns
from processors.moderation.breaker import Breaker
from processors.sending import dispatch
from processors.sending.dispatch import Phase
from schemas.errors import RetryableError
from schemas.events import (
    Event,
    MailApproved,
    MailHeld,
    RouteReopened,
    SendHeldBack,
    SendStarted,
    TargetReopened,
)
from schemas.values import SECOND_US, Command, OnExpiry
from tests.samples import after, bounced, fact, ordered, received, resolved, scheduled
from tests.unit.mailtumble.cli.small_world import HOUSE, SmallWorld
from tests.unit.mailtumble.sender.conftest import TIMES, Place, entry

BAD = Returns(answered=40, returned=3)
ALIAS, SENDER = "sales@example.com", "ann@example.net"
WHY = "3 of 40 mails to this alias came back within 24 h: 7.5 %, more than 5 %"


def _came_back(place: Place, alias: str = "", source: str = "", news: Returns = BAD) -> None:
    """Core has counted this."""
    for each in counted("g1", "s", parties(alias, source, place.address_key), news, after(0)):
        place.store.write(each)


def _lane(place: Place, count: int = 1, **changes: object) -> SenderShard:
    place.breaker = Breaker()
    some = [
        entry(f"attempt-{number}", subject=f"mail:{number}", **changes) for number in range(count)
    ]
    place.store.write_all([each.put() for each in some])
    return place.lane()


@pytest.mark.parametrize(("alias", "source"), [(ALIAS, ""), ("", SENDER)])
def test_what_is_of_somebody_whose_mail_comes_back_is_held_back(
    place: Place, alias: str, source: str
) -> None:
    """By a claim, so that nobody else can be sending it; no instant is used."""
    place.rate_milli = 0
    _came_back(place, alias, source)
    lane = _lane(place)
    assert lane.pace() == []
    (told,) = place.events(SendHeldBack)
    assert isinstance(told, SendHeldBack)
    assert (told.attempt_id, told.round, told.rule) == ("attempt-0", 0, "breaker")
    assert told.reason == (WHY if alias else WHY.replace("to this alias", "of this sender"))
    assert place.store.scan("queue") == place.store.scan("slices") == []
    assert len(place.store.scan("claims")) == 1
    assert place.events(SendStarted) == []


def test_a_whole_domain_is_counted_by_its_alias(place: Place) -> None:
    """Not by the address that the mail goes out from."""
    _came_back(place, "@example.com")
    lane = _lane(place, route="@example.com", envelope_sender="")
    assert lane.pace() == []
    assert len(place.events(SendHeldBack)) == 1


def test_others_leave(place: Place) -> None:
    """Of another alias and sender; and all, where too little came back."""
    _came_back(place, "other@example.com", "eve@example.net")
    _came_back(place, ALIAS, SENDER, Returns(answered=40, returned=2))
    assert len(_lane(place).pace()) == 1
    assert place.events(SendHeldBack) == []


def test_what_a_person_wants_is_sent(place: Place) -> None:
    """It was approved, or is tried again: its entry says so."""
    _came_back(place, ALIAS)
    assert len(_lane(place, wanted=True).pace()) == 1


def test_without_a_breaker_all_is_sent(place: Place) -> None:
    """The setting is off: nothing is read for it."""
    _came_back(place, ALIAS)
    place.store.write(entry().put())
    assert len(place.lane().pace()) == 1


def test_a_campaign_is_held_back_in_bulk_and_does_not_delay_others(place: Place) -> None:
    """By a sender whose appetite is for one: the mail behind it leaves in the same pace."""
    _came_back(place, ALIAS)
    good = entry("good", subject="mail:good", route="a@b", envelope_sender="", due_at=after(0))
    place.store.write(good.put())
    lane = _lane(place, TAKE_MAX - 1, due_at=after(-1))
    (job,) = lane.pace(1)
    assert job.entry.attempt_id == "good"
    assert len(place.events(SendHeldBack)) == TAKE_MAX - 1


def test_it_is_heard_of_within_seconds(place: Place) -> None:
    """What came back is read again, and not at each pace."""
    lane = _lane(place, 20)
    assert len(lane.pace(4)) == 4
    _came_back(place, ALIAS)
    assert len(lane.pace(4)) == 4
    place.clock.advance(READ_EVERY_US / SECOND_US)
    assert lane.pace(4) == []
    assert len(place.events(SendHeldBack)) == 12


def test_while_it_cant_be_read_nothing_is_claimed(place: Place) -> None:
    """The mail waits: it is neither passed nor stopped."""
    lane = _lane(place)
    query = place.store.query

    def out(table: str, *args: object, **how: object) -> object:
        if table == "returns":
            raise RetryableError("no answer")
        return query(table, *args, **how)  # type: ignore[arg-type]

    place.store.query = out  # type: ignore[method-assign, assignment]
    with pytest.raises(RetryableError):
        lane.pace()
    assert place.store.scan("claims") == []
    place.store.query = query  # type: ignore[method-assign]
    assert len(lane.pace()) == 1


def test_a_hold_that_could_not_be_told_is_told_in_the_next_round(place: Place) -> None:
    """The claim is made and the stream is out: nothing is lost, and nothing sent."""
    _came_back(place, ALIAS)
    place.breaker = Breaker()
    place.tell(fact(received(), resolved(), scheduled()))
    lane = place.lane()
    place.read(lane)
    told = lane.processor.append_facts

    def deaf(facts: object) -> None:
        message = f"{facts} not acknowledged"
        raise RetryableError(message)

    lane.processor.append_facts = deaf  # type: ignore[method-assign, assignment]
    with pytest.raises(RetryableError):
        lane.pace()
    lane.processor.append_facts = told  # type: ignore[method-assign]
    place.clock.advance(TIMES.deadline_us / SECOND_US)
    lane.tick()
    place.read(lane)
    assert lane.pace() == []
    (event,) = place.events(SendHeldBack)
    assert isinstance(event, SendHeldBack)
    assert event.round == 1
    place.read(lane)
    assert place.store.scan("queue") == []


HELD = MailHeld(rule="r", reason="", expires_at=after(9), on_expiry=OnExpiry.APPROVE)
APPROVED = MailApproved(by="ann", why="")
BY_CLOCK = MailApproved(by="the rule r", why="nobody decided in time")


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ((), False),
        ((HELD, APPROVED), True),
        ((HELD, BY_CLOCK), False),
        ((TargetReopened(target=0, by="ann"),), True),
        ((TargetReopened(target=0, by="ann"), HELD), False),
        ((HELD, APPROVED, RouteReopened(by="ann", expires_at=after(9)), resolved()), False),
    ],
)
def test_an_entry_says_whether_a_person_wants_it_sent(
    place: Place, told: tuple[Event, ...], *, wanted: bool
) -> None:
    """And comes back from the table so."""
    place.tell(fact(received(), resolved(), *told, scheduled()))
    lane = place.lane()
    place.read(lane)
    (item,) = place.store.scan("queue")
    found = read_entry(item)
    assert (found.wanted, found.route) == (wanted, ALIAS)


@pytest.mark.parametrize(("round_", "phase"), [(0, Phase.WAITING), (1, Phase.DONE)])
def test_a_hold_of_an_older_round_holds_nothing(round_: int, phase: Phase) -> None:
    """Its claim has run out: the next round is another's, who may be calling."""
    state = dispatch.INITIAL
    for event in (received(), resolved(), scheduled()):
        state = dispatch.evolve(state, event)
    next_round = replace(state.attempts[0], round=1)
    state = replace(state, attempts=(next_round,))
    told = SendHeldBack(target=0, attempt_id="attempt-1", round=round_, rule="breaker", reason="")
    (attempt,) = dispatch.evolve(state, told).attempts
    assert attempt.phase is phase


def _sent(world: SmallWorld, *, come_back: bool) -> int:
    """Let the sender claim what is due; all of it comes back, or arrives."""
    jobs = world.claim()
    world.clock.advance(1)
    if come_back:
        for job in jobs:
            event = bounced(job.entry.attempt_id, job.entry.target)
            world.append(job.entry.mail_id, event, cause=f"bounce-{job.entry.attempt_id}")
    world.work()
    return len(jobs)


def test_a_campaign_that_was_scheduled_at_once_stops_when_it_comes_back() -> None:
    """Through the stream: half a minute's bounces hold the rest; approved, one leaves of it."""
    world = SmallWorld()
    for number in range(120):
        world.repository.put(HOUSE, [f"dead{number}@far.example"], "house")
        world.receive(number)
    paces = 0
    while _sent(world, come_back=True):
        world.clock.advance(READ_EVERY_US / SECOND_US)
        paces += 1
        assert paces < 10
    statuses = Counter(str(item["status"]) for item in world.items.scan("mails"))
    assert set(statuses) == {"bounced", "held"}
    assert statuses["bounced"] < 60
    held = [item for item in world.items.scan("mails") if item["status"] == "held"]
    assert {item["held_rule"] for item in held} == {"breaker"}
    assert world.items.scan("queue") == []
    name = str(held[0]["mail_id"])
    world.append(name, ordered(Command.APPROVE), cause="ann")
    world.work()
    assert _sent(world, come_back=False) == 1
    assert world.status(name) == "sending"
