"""Timers: stored with a commit, appended when due, once an ownership and again after a failure."""

from __future__ import annotations

import pytest

from mailtumble.ports.stream import Shard
from mailtumble.worker.application import Fact
from mailtumble.worker.timers import Timers
from processors.kernel import Timer
from schemas.events import TimerFired
from schemas.ids import HASH_KEY_SPACE, hash_key, timer_id
from schemas.values import TimerKind
from tests.fakes import InMemoryItems
from tests.samples import RECEIVED_AT, SUBJECT, after

WHOLE = Shard("shard-0", 0, HASH_KEY_SPACE - 1)
TIMER = Timer(SUBJECT, TimerKind.LOOKUP, "", 1, after(2))
LATER = Timer(SUBJECT, TimerKind.UNKNOWN, "attempt-1", 0, after(60))


@pytest.fixture
def store() -> InMemoryItems:
    """Empty tables."""
    return InMemoryItems()


def _timers(store: InMemoryItems, shard: Shard = WHOLE, application: str = "core") -> Timers:
    timers = Timers(store, application, "g1", shard)
    timers.load()
    return timers


def _set(timers: Timers, store: InMemoryItems, *some: Timer) -> None:
    for timer in some:
        store.write(timers.put(timer))
        timers.committed(timer, done=False)


def _fact(timer: Timer) -> Fact:
    """What a timer appends when it is due."""
    name = timer_id(timer.subject, timer.kind, timer.attempt_id, timer.number, timer.due_at)
    event = TimerFired(
        kind=timer.kind,
        attempt_id=timer.attempt_id,
        number=timer.number,
        due_at=timer.due_at,
    )
    return Fact(name, timer.subject, name, "timer", (event,))


def test_a_timer_fires_when_it_is_due_and_not_before(store: InMemoryItems) -> None:
    """On its subject, under an id that follows from what it is for."""
    timers = _timers(store)
    _set(timers, store, LATER, TIMER)
    assert timers.due(after(2) - 1) == []
    assert timers.due(after(2)) == [_fact(TIMER)]
    assert timers.due(after(60)) == [_fact(TIMER), _fact(LATER)]


def test_a_failed_append_is_tried_again(store: InMemoryItems) -> None:
    """Until the append is acknowledged, the timer stays due."""
    timers = _timers(store)
    _set(timers, store, TIMER)
    assert timers.due(after(2)) == timers.due(after(3)) == [_fact(TIMER)]


def test_a_timer_fires_once_an_ownership(store: InMemoryItems) -> None:
    """After the acknowledgement there is nothing to do until its record is read."""
    timers = _timers(store)
    _set(timers, store, TIMER, LATER)
    timers.fired([_fact(TIMER)])
    assert timers.due(after(2)) == []
    assert timers.due(after(60)) == [_fact(LATER)]


def test_a_new_owner_fires_again_what_is_still_there(store: InMemoryItems) -> None:
    """The append may have been lost with its owner; the id is the same, so a repeat is known."""
    old = _timers(store)
    _set(old, store, TIMER)
    old.fired(old.due(after(2)))
    assert _timers(store).due(after(2)) == [_fact(TIMER)]


def test_a_timer_that_is_done_is_gone(store: InMemoryItems) -> None:
    """From memory with the commit, and from the table for every later owner."""
    timers = _timers(store)
    _set(timers, store, TIMER)
    timers.fired([_fact(TIMER)])
    store.write(timers.delete(TIMER))
    timers.committed(TIMER, done=True)
    assert timers.due(after(99)) == []
    assert _timers(store).due(after(99)) == []


def test_timers_are_found_on_the_shard_of_their_subject(store: InMemoryItems) -> None:
    """After a split the child that has the subject has the timer, and the other has not."""
    timers = _timers(store)
    _set(timers, store, TIMER)
    half = HASH_KEY_SPACE // 2
    for shard in (Shard("l", 0, half - 1), Shard("r", half, HASH_KEY_SPACE - 1)):
        due = _timers(store, shard).due(after(2))
        assert bool(due) is shard.holds(hash_key(SUBJECT))


def test_applications_do_not_fire_each_others_timers(store: InMemoryItems) -> None:
    """The sender's deadlines and core's look-ups lie side by side in one table."""
    _set(_timers(store), store, TIMER)
    assert _timers(store, application="sender").due(after(99)) == []


@pytest.mark.parametrize("count", [1, 700])
def test_all_timers_of_a_subject_fire(store: InMemoryItems, count: int) -> None:
    """Also those that no page of a reading holds together."""
    writer = Timers(store, "core", "g1", WHOLE)
    wanted = [
        Timer(SUBJECT, TimerKind.CLAIM, f"attempt-{n}", 0, RECEIVED_AT + n) for n in range(count)
    ]
    store.write_all([writer.put(timer) for timer in wanted])
    timers = _timers(store)
    seen: list[Fact] = []
    while facts := timers.due(after(1)):
        seen += facts
        for fact in facts:
            (event,) = fact.events
            assert isinstance(event, TimerFired)
            done = Timer(SUBJECT, event.kind, event.attempt_id, event.number, event.due_at)
            store.write(timers.delete(done))
            timers.committed(done, done=True)
    assert seen == [_fact(timer) for timer in wanted]
