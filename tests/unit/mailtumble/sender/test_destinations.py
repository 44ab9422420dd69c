"""Domains with a rate of their own: kept by the whole fleet, and others don't wait for them."""

from __future__ import annotations

from collections import Counter

import pytest

from mailtumble.sender.destinations import Destinations, Permits, read_slowed
from schemas.events import DeliveryDelayed
from schemas.values import SECOND_US
from tests.fakes import InMemoryItems, VirtualClock
from tests.samples import fact, received, resolved, scheduled
from tests.unit.mailtumble.sender.conftest import Place

SLOW = "slow.example"


def _destinations(
    store: InMemoryItems,
    clock: VirtualClock,
    limit: float | None = None,
    *,
    slows_down: bool = True,
) -> Destinations:
    limits = {} if limit is None else {SLOW: limit}
    return Destinations(store, "local", clock, lambda: 100_000, limits, slows_down=slows_down)


@pytest.mark.parametrize("limit", [0.5, 2.0, 20.0])
def test_the_whole_fleet_keeps_a_domains_limit(limit: float) -> None:
    """Three shards of two processes, all with more than enough for it."""
    store, clock = InMemoryItems(), VirtualClock()
    processes = [_destinations(store, clock, limit) for _ in range(2)]
    shards = [Permits(processes[number % 2], clock) for number in range(3)]
    sent: list[int] = []
    for _ in range(100):
        for permits in shards:
            for _ in range(permits.room(SLOW) or 0):
                permits.use(SLOW)
                sent.append(clock.now())
        clock.advance(0.2)
    seconds = 20
    assert limit * seconds * 0.7 <= len(sent) <= limit * seconds + 3
    by_second = Counter(at // SECOND_US for at in sent)
    assert max(by_second.values()) <= limit * 1.5 + 2


def test_others_have_no_limit() -> None:
    """No room is no number."""
    destinations = _destinations(InMemoryItems(), VirtualClock(), 1.0)
    assert Permits(destinations, VirtualClock()).room("quick.example") is None


def test_a_domain_that_defers_is_slowed_for_the_whole_fleet_and_comes_back() -> None:
    """To a half, once a minute however many delays; in ten minutes it is forgotten."""
    store, clock = InMemoryItems(), VirtualClock()
    one, two = _destinations(store, clock), _destinations(store, clock)
    one.delayed(SLOW, clock.now())
    two.delayed(SLOW, clock.now())
    assert one.rate_milli(SLOW) == 50_000
    two.learn(store.get("fleet", {"name": "slowed"}))
    assert two.is_limited(SLOW)
    assert two.rate_milli(SLOW) == 50_000
    assert not two.is_limited("quick.example")
    clock.advance(61)
    two.delayed(SLOW, clock.now())
    assert 25_000 <= two.rate_milli(SLOW) < 26_000
    clock.advance(1300)
    item = store.get("fleet", {"name": "slowed"})
    two.learn(item)
    assert not two.is_limited(SLOW)
    assert read_slowed(item, clock.now()) == {}


def test_old_news_and_a_switch_that_is_off_slow_nobody() -> None:
    """After an outage delays are heard of late."""
    clock = VirtualClock()
    destinations = _destinations(InMemoryItems(), clock)
    destinations.delayed(SLOW, clock.now() - 301 * SECOND_US)
    off = _destinations(InMemoryItems(), clock, slows_down=False)
    off.delayed(SLOW, clock.now())
    assert not destinations.is_limited(SLOW)
    assert not off.is_limited(SLOW)


def test_a_slowed_limit_is_slower_than_the_limit() -> None:
    """The settings' number is the whole of it."""
    clock = VirtualClock()
    destinations = _destinations(InMemoryItems(), clock, 8.0)
    destinations.delayed(SLOW, clock.now())
    assert destinations.rate_milli(SLOW) == 4_000


@pytest.mark.parametrize(
    ("kind", "slowed"), [("RecipientServerError", True), ("MailboxFull", False)]
)
def test_the_sender_hears_of_delays_on_the_log(place: Place, kind: str, *, slowed: bool) -> None:
    """Of those that speak of the domain's servers; one full mailbox is nobody else's."""
    lane = place.lane()
    delayed = DeliveryDelayed(
        target=0,
        attempt_id="attempt-1",
        provider_message_id="m",
        happened_at=place.clock.now(),
        delay_type=kind,
    )
    place.tell(
        fact(received(), name="in"),
        fact(resolved(), name="route"),
        fact(scheduled(), name="s"),
        fact(delayed, name="d"),
    )
    place.read(lane)
    lane.pace()
    assert (place.store.get("fleet", {"name": "slowed"}) is not None) == slowed


def test_a_limited_domain_waits_while_others_leave(place: Place) -> None:
    """In one pace, of the same tenant."""
    place.limits["example.org"] = 1.0
    lane = place.lane()
    place.tell(fact(received(), name="in"), fact(resolved(), name="route"))
    for number in range(10):
        domain = "example.org" if number < 5 else "quick.example"
        one = scheduled(f"attempt-{number}", target=number, address=f"a{number}@{domain}")
        place.tell(fact(one, name=f"s{number}"))
    place.read(lane)
    sent: Counter[str] = Counter()
    for _ in range(10):
        sent.update(job.entry.lane.destination for job in lane.pace())
        place.clock.advance(0.2)
    assert sent["quick.example"] == 5
    assert 1 <= sent["example.org"] <= 3
