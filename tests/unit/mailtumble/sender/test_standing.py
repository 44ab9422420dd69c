"""Pauses and suppressed addresses, as core's views tell of them: asked before each claim."""

from __future__ import annotations

import pytest

from mailtumble.sender.shard import SenderShard
from mailtumble.sender.standing import CLEAN, AddressStanding, Standing
from mailtumble.worker.views import address_item, pauses_item
from processors.bounces.decider import Address
from processors.fleet.decider import EVERYBODY, Fleet, Pause
from processors.sending.dispatch import Phase
from processors.sending.lanes import Lane
from schemas.errors import RetryableError
from schemas.events import (
    SendCancelled,
    SendCancelRequested,
    SendExpired,
    SendScheduled,
    SendStarted,
    SendSuppressed,
)
from schemas.ids import address_subject
from schemas.values import SECOND_US, SuppressionReason
from tests.fakes import InMemoryItems
from tests.samples import SUBJECT, after, fact, received, resolved, scheduled
from tests.unit.mailtumble.sender.conftest import TIMES, Place

BOB, EVE = "bob@example.org", "eve@example.org"
GONE = Address(address=BOB, reason=SuppressionReason.PERMANENT, detail="no such user")
SHAKY = Address(address=BOB, bounces=(after(-60),))


def view(place: Place, state: Address, address: str = BOB, generation: str = "g1") -> None:
    """Core has folded something of an address."""
    subject = address_subject(address, place.address_key)
    item = address_item(generation, subject, state)
    place.store.write_all([item])


def pause(place: Place, *tenants: str) -> None:
    """Core has folded who is paused, and the sender has looked."""
    place.store.write(pauses_item("g1", Fleet(dict.fromkeys(tenants, Pause("ann")))))
    place.standing.poll()


def _scheduled(place: Place, *attempts: SendScheduled) -> SenderShard:
    place.tell(fact(received(), resolved(), *(attempts or (scheduled(),))))
    lane = place.lane()
    place.read(lane)
    return lane


def _started(place: Place) -> list[str]:
    return [getattr(each, "attempt_id", "") for each in place.events(SendStarted)]


def is_paused(place: Place, tenant: str) -> bool:
    """Whether nothing of a tenant leaves."""
    return place.standing.held_since(Lane(tenant, "example.com", "example.org")) == 0


def test_nothing_on_record_is_a_clean_address(place: Place) -> None:
    """As are all in the beginning; none asked, none answered."""
    assert place.standing.of([BOB, EVE, BOB], after(0)) == {BOB: CLEAN, EVE: CLEAN}
    assert place.standing.of([], after(0)) == {}


def test_an_address_stands_as_its_view_says(place: Place) -> None:
    """Suppressed with the reason, or watched only; other spellings of it stand the same."""
    view(place, GONE)
    view(place, SHAKY, EVE)
    gone = AddressStanding("permanent bounce", watched=True)
    assert place.standing.of([BOB, EVE, BOB.title()], after(0)) == {
        BOB: gone,
        EVE: AddressStanding("", watched=True),
        BOB.title(): gone,
    }


@pytest.mark.parametrize("reason", [SuppressionReason.MANUAL, SuppressionReason.COMPLAINT])
def test_what_somebody_wants_is_not_watched(place: Place, reason: SuppressionReason) -> None:
    """No delivery ends it: each one to an address with much mail would be told for nothing."""
    view(place, Address(address=BOB, reason=reason, until=after(60)))
    assert place.standing.of([BOB], after(60))[BOB] == CLEAN


def test_a_suppression_ends_with_its_time(place: Place) -> None:
    """To the microsecond; its record is watched on."""
    passing = Address(address=BOB, reason=SuppressionReason.TRANSIENT, until=after(60))
    view(place, passing)
    before = place.standing.of([BOB], after(60) - 1)[BOB]
    assert before.suppressed == "repeated transient bounces"
    assert place.standing.of([BOB], after(60))[BOB] == AddressStanding("", watched=True)


def test_a_released_address_is_clean(place: Place) -> None:
    """Its item goes."""
    view(place, GONE)
    view(place, Address(address=BOB))
    assert place.standing.of([BOB], after(0)) == {BOB: CLEAN}


def test_other_generations_and_other_keys_are_others(place: Place) -> None:
    """The sender reads the live projections, under the key that core writes them with."""
    view(place, GONE, generation="g2")
    place.store.write(pauses_item("g2", Fleet({EVERYBODY: Pause("ann")})))
    place.standing.poll()
    assert place.standing.of([BOB], after(0)) == {BOB: CLEAN}
    assert not is_paused(place, "shop")
    view(place, GONE)
    other = Standing(place.store, "g1", "another key")
    assert other.of([BOB], after(0)) == {BOB: CLEAN}


def test_pauses_are_known_when_they_were_polled(place: Place) -> None:
    """Of one tenant, of everybody, of nobody any more."""
    assert not is_paused(place, "shop")
    pause(place, "shop", "a#b")
    assert [is_paused(place, each) for each in ("shop", "a#b", "news")] == [
        True,
        True,
        False,
    ]
    pause(place, EVERYBODY)
    assert is_paused(place, "news")
    pause(place)
    assert not is_paused(place, "news")


def test_a_domain_is_paused_and_what_came_before_is_drained(place: Place) -> None:
    """Of several pauses that fit, the one that holds more counts."""
    drained = Fleet({"shop": Pause("ann", since=7), "@far.example": Pause("bob")})
    place.store.write(pauses_item("g1", drained))
    place.standing.poll()
    lanes = [Lane(t, "s.example", d) for t in ("shop", "news") for d in ("far.example", "near")]
    assert [place.standing.held_since(each) for each in lanes] == [0, 7, 0, None]


def test_a_poll_that_fails_leaves_what_was_known(place: Place) -> None:
    """An outage of the table resumes nobody."""

    class Out(InMemoryItems):
        def get(self, table: str, key: object) -> None:
            message = f"{table} {key}: throttled"
            raise RetryableError(message)

    pause(place, "shop")
    place.standing._store = Out()
    with pytest.raises(RetryableError):
        place.standing.poll()
    assert is_paused(place, "shop")


def test_a_paused_tenants_mail_stays_and_others_leave() -> None:
    """Nothing of it is claimed; resumed, it leaves at once."""
    for stays, leaves in (("shop", "a#b"), ("a#b", "shop")):
        here = Place()
        pause(here, stays)
        lane = _scheduled(
            here, scheduled("one", tenant=stays), scheduled("two", target=1, tenant=leaves)
        )
        assert [job.entry.attempt_id for job in lane.pace()] == ["two"]
        assert len(here.store.scan("queue")) == 1
        assert len(here.store.scan("claims")) == 1
        pause(here)
        assert [job.entry.attempt_id for job in lane.pace()] == ["one"]


def test_a_paused_fleet_sends_nothing(place: Place) -> None:
    """Whoever it is for."""
    pause(place, EVERYBODY)
    lane = _scheduled(place, scheduled(), scheduled("attempt-2", target=1, tenant="news"))
    assert lane.pace() == []
    assert place.store.scan("claims") == []
    pause(place)
    assert len(lane.pace()) == 2


def test_a_pause_does_not_use_up_the_room_of_others(place: Place) -> None:
    """Forty mails of a paused tenant, due before, don't stand in another one's way."""
    lane = _scheduled(
        place,
        *(scheduled(f"shop-{n}", target=n, due_at=after(-99)) for n in range(40)),
        scheduled("news", target=40, tenant="news"),
    )
    pause(place, "shop")
    assert [job.entry.attempt_id for job in lane.pace(1)] == ["news"]


def test_what_is_over_or_called_off_ends_while_paused(place: Place) -> None:
    """A pause keeps mail from leaving; it keeps nobody's mail open."""
    lane = _scheduled(
        place,
        scheduled("over", expires_at=after(10)),
        scheduled("off", target=1, due_at=after(9_999)),
        scheduled("waits", target=2),
    )
    place.tell(fact(SendCancelRequested(target=1, attempt_id="off", reason="r"), name="call off"))
    place.read(lane)
    pause(place, EVERYBODY)
    place.clock.advance(10)
    assert lane.pace() == []
    assert place.events(SendExpired) == [SendExpired(target=0, attempt_id="over")]
    assert place.events(SendCancelled) == [SendCancelled(target=1, attempt_id="off")]
    assert _started(place) == []
    place.read(lane)
    (left,) = place.store.scan("queue")
    assert left["attempt_id"] == "waits"


def test_mail_to_a_suppressed_address_ends_without_a_call(place: Place) -> None:
    """By a claim, so that nobody can be sending it; no instant is used, and it says why."""
    place.rate_milli = 0
    view(place, GONE)
    lane = _scheduled(place)
    assert lane.pace() == []
    why = "the address is suppressed: permanent bounce"
    told = SendSuppressed(target=0, attempt_id="attempt-1", reason=why)
    assert place.events(SendSuppressed) == [told]
    (claim,) = place.store.scan("claims")
    assert claim["round"] == 0
    assert place.store.scan("slices") == []
    place.read(lane)
    assert place.store.scan("queue") == []
    assert lane.processor._memory[SUBJECT].state.attempts[0].phase is Phase.DONE


def test_mail_that_is_not_sent_uses_up_no_instant() -> None:
    """At four a second: what others get is the same with ten suppressed mails before them."""
    slices = []
    for many in (0, 10):
        place = Place(rate_milli=4000)
        view(place, GONE)
        gone = [scheduled(f"gone-{n}", target=n, due_at=after(-9)) for n in range(many)]
        lane = _scheduled(place, *gone, scheduled("good", target=many, address=EVE))
        assert [job.entry.attempt_id for job in lane.pace()] == ["good"]
        slices.append(place.store.scan("slices"))
    assert slices[0] == slices[1]


def test_others_leave_beside_a_suppressed_address(place: Place) -> None:
    """In the same pace, each with its own end."""
    view(place, GONE)
    lane = _scheduled(place, scheduled(), scheduled("attempt-2", target=1, address=EVE))
    assert [job.entry.attempt_id for job in lane.pace()] == ["attempt-2"]
    assert len(place.events(SendSuppressed)) == 1
    assert _started(place) == ["attempt-2"]


def test_an_address_that_is_suppressed_only_now_is_not_sent_to(place: Place) -> None:
    """The claim's round was never announced: its next one finds the address suppressed."""
    lane = _scheduled(place)
    lane.processor.append_facts = _deaf  # type: ignore[method-assign]
    with pytest.raises(RetryableError):
        lane.pace()
    view(place, GONE)
    successor = place.lane("sender-2")
    place.clock.advance(TIMES.deadline_us / SECOND_US)
    successor.tick()
    place.read(successor)
    assert successor.pace() == []
    assert len(place.events(SendSuppressed)) == 1
    assert _started(place) == []


def _deaf(facts: object) -> None:
    message = f"{facts} not acknowledged"
    raise RetryableError(message)


def test_an_end_that_could_not_be_told_is_told_in_the_next_round(place: Place) -> None:
    """The claim is made and the stream is out: nothing is lost, and nothing sent."""
    view(place, GONE)
    lane = _scheduled(place)
    told = lane.processor.append_facts
    lane.processor.append_facts = _deaf  # type: ignore[method-assign]
    with pytest.raises(RetryableError):
        lane.pace()
    lane.processor.append_facts = told  # type: ignore[method-assign]
    assert lane.pace() == []
    place.clock.advance(TIMES.deadline_us / SECOND_US)
    lane.tick()
    place.read(lane)
    assert lane.pace() == []
    assert len(place.events(SendSuppressed)) == 1
    place.read(lane)
    assert place.store.scan("queue") == []


def test_bounces_on_record_are_told_with_the_start(place: Place) -> None:
    """So that core need not tell each delivery to an address of which nothing is known."""
    view(place, SHAKY)
    lane = _scheduled(place, scheduled(), scheduled("attempt-2", target=1, address=EVE))
    lane.pace()
    watched = {
        each.attempt_id: each.watched
        for each in place.events(SendStarted)
        if isinstance(each, SendStarted)
    }
    assert watched == {"attempt-1": True, "attempt-2": False}
