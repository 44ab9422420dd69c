"""A mail that a person moves to another time: it leaves then, and once, whatever is under way."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailtumble.sender.shard import SenderShard
from mailtumble.sender.transmission import Job
from processors.routing.decider import TARGETS_MAX
from processors.sending.dispatch import Phase
from schemas.errors import RetryableError
from schemas.events import (
    Event,
    SendCancelled,
    SendCancelRequested,
    SendExpired,
    SendRescheduled,
    SendStarted,
    SendUnknown,
)
from schemas.values import DAY_US, SECOND_US, DeferReason
from tests.samples import SUBJECT, accepted, after, deferred, fact, received, resolved, scheduled
from tests.unit.mailtumble.sender.conftest import TIMES, Place

_names = itertools.count()


def _scheduled(place: Place, due_at: int) -> SenderShard:
    first = scheduled(due_at=due_at, expires_at=due_at + 3 * DAY_US)
    place.tell(fact(received(), resolved(), first))
    lane = place.lane()
    place.read(lane)
    return lane


def _move(place: Place, lane: SenderShard, due_at: int, lifetime_us: int = 3 * DAY_US) -> None:
    """Core decides it, and the sender reads of it."""
    event = SendRescheduled(
        target=0, attempt_id="attempt-1", due_at=due_at, expires_at=due_at + lifetime_us
    )
    place.tell(fact(event, name=f"move {next(_names)}"))
    place.read(lane)


def _deadline(place: Place, lane: SenderShard) -> None:
    """Let a claim's deadline come, be appended, and be read."""
    place.clock.advance(TIMES.deadline_us / SECOND_US)
    lane.tick()
    place.read(lane)


def _deaf(facts: object) -> None:
    message = f"{facts} not acknowledged"
    raise RetryableError(message)


def test_a_mail_is_sent_now(place: Place) -> None:
    """It was to wait until tomorrow; nothing of it waits there any more."""
    lane = _scheduled(place, after(86_400))
    assert lane.pace() == []
    _move(place, lane, after(0))
    assert len(lane.pace()) == 1
    assert place.store.scan("queue") == []
    place.clock.advance(86_400)
    assert lane.pace() == []


def test_a_mail_is_sent_later(place: Place) -> None:
    """Not at its old time, and at its new one."""
    lane = _scheduled(place, after(60))
    _move(place, lane, after(600))
    place.clock.advance(60)
    assert lane.pace() == []
    place.clock.advance(540)
    assert len(lane.pace()) == 1


def test_a_new_owner_finds_it_at_its_new_time(place: Place) -> None:
    """The table has the one entry that holds."""
    lane = _scheduled(place, after(60))
    _move(place, lane, after(600))
    successor = place.lane("sender-2")
    place.clock.advance(60)
    assert successor.pace() == []
    place.clock.advance(540)
    assert len(successor.pace()) == 1


def test_a_moved_mail_has_its_new_end(place: Place) -> None:
    """Earlier than the old one, or later: the sender gives up what core has given that time."""
    lane = _scheduled(place, after(0))
    _move(place, lane, after(10), lifetime_us=5 * SECOND_US)
    place.clock.advance(15)
    assert lane.pace() == []
    assert place.events(SendExpired) == [SendExpired(target=0, attempt_id="attempt-1")]


def test_only_the_end_may_move(place: Place) -> None:
    """At the same time as before, but for longer: it is not given up at its old end."""
    lane = _scheduled(place, after(0))
    _move(place, lane, after(0), lifetime_us=9 * DAY_US)
    place.clock.advance(5 * 86_400)
    assert len(lane.pace()) == 1
    assert place.events(SendExpired) == []


def test_what_is_in_the_air_is_not_sent_again(place: Place) -> None:
    """It was claimed and announced: the claim of that round refuses another one."""
    lane = _scheduled(place, after(0))
    (job,) = lane.pace()
    place.read(lane)
    _move(place, lane, after(3))
    assert len(place.store.scan("queue")) == 1
    place.clock.advance(3)
    assert lane.pace() == []
    assert place.store.scan("queue") == []
    lane.report(job, accepted())
    place.outcomes.flush()
    place.read(lane)
    _deadline(place, lane)
    assert lane.pace() == []
    assert place.lane("sender-2").pace() == []
    assert len(place.events(SendStarted)) == 1
    assert place.events(SendUnknown) == []


def test_an_outcome_takes_a_moved_mail_out_of_the_queue(place: Place) -> None:
    """Before its new time has come."""
    lane = _scheduled(place, after(0))
    (job,) = lane.pace()
    _move(place, lane, after(600))
    lane.report(job, accepted())
    place.outcomes.flush()
    place.read(lane)
    assert place.store.scan("queue") == []
    place.clock.advance(600)
    assert lane.pace() == []


def test_a_lost_call_is_unknown_though_the_mail_was_moved(place: Place) -> None:
    """Its sender died behind the announcement: the new time makes it no safer."""
    lane = _scheduled(place, after(0))
    lane.pace()
    _move(place, lane, after(600))
    _deadline(place, lane)
    assert len(place.events(SendUnknown)) == 1
    assert place.store.scan("queue") == []
    place.clock.advance(600)
    assert lane.pace() == []


def test_a_claim_that_was_not_announced_is_followed_at_the_new_time(place: Place) -> None:
    """SES was not called: the next round leaves when the person wants it, not before."""
    lane = _scheduled(place, after(0))
    told = lane.processor.append_facts
    lane.processor.append_facts = _deaf  # type: ignore[method-assign]
    with pytest.raises(RetryableError):
        lane.pace()
    lane.processor.append_facts = told  # type: ignore[method-assign]
    _move(place, lane, after(600))
    _deadline(place, lane)
    assert lane.pace() == []
    place.clock.advance(600)
    (job,) = lane.pace()
    assert job.entry.round == 1


def test_a_call_that_was_not_made_is_followed_at_the_new_time(place: Place) -> None:
    """The round ended without a call, and a person has moved the mail meanwhile."""
    lane = _scheduled(place, after(0))
    (job,) = lane.pace()
    _move(place, lane, after(600))
    lane.report(job, deferred(DeferReason.NOT_CALLED))
    place.outcomes.flush()
    place.read(lane)
    assert lane.pace() == []
    place.clock.advance(600)
    (job,) = lane.pace()
    assert job.entry.round == 1


@pytest.mark.parametrize("what", ["moved", "called off"])
def test_a_mail_with_as_many_targets_as_may_be_is_moved_whole(place: Place, what: str) -> None:
    """In one record: what is taken out of the queue goes before, so that a transaction has room."""
    names = [f"attempt-{n}" for n in range(TARGETS_MAX)]
    place.tell(fact(received(), resolved(), *_each(scheduled, names, due_at=after(60))))
    lane = place.lane()
    place.read(lane)
    changed = {
        "moved": _each(SendRescheduled, names, due_at=after(0), expires_at=after(99)),
        "called off": _each(SendCancelRequested, names, reason="r"),
    }
    place.tell(fact(*changed[what], name="change"))
    place.read(lane)
    assert len(place.store.scan("queue")) == TARGETS_MAX
    jobs = lane.pace()
    done = place.events(SendCancelled) if what == "called off" else jobs
    assert len(done) == TARGETS_MAX


def _each(kind: Callable[..., Event], names: list[str], **fields: object) -> list[Event]:
    return [kind(target=n, attempt_id=name, **fields) for n, name in enumerate(names)]


class Steps:
    """Moves, rounds, outcomes, deadlines and owners, as they follow each other."""

    def __init__(self) -> None:
        """A mail that is due in half a minute."""
        self.place = Place()
        self.lane = _scheduled(self.place, after(30))
        self.jobs: list[Job] = []
        self.ended = False
        self.owners = 1

    def move_now(self) -> None:
        """A person wants it at once."""
        _move(self.place, self.lane, self.place.clock.now())

    def move_later(self) -> None:
        """A person wants it in a while."""
        _move(self.place, self.lane, self.place.clock.now() + 20 * SECOND_US)

    def pace(self) -> None:
        """The sender claims what is due."""
        started = self.lane.pace()
        assert not (self.ended and started), "sent again"
        self.jobs.extend(started)

    def accept(self) -> None:
        """SES takes it, if there is still time for the call."""
        if self.jobs and self.place.clock.now() < self.jobs[0].send_before:
            self._report(accepted())
            self.ended = True

    def give_up(self) -> None:
        """The instant was missed."""
        if self.jobs:
            round_ = self.jobs[0].entry.round
            self._report(deferred(DeferReason.NOT_CALLED, round_=round_))

    def deadline(self) -> None:
        """A claim's time is over."""
        _deadline(self.place, self.lane)

    def read(self) -> None:
        """The sender reads on."""
        self.place.read(self.lane)

    def succeed(self) -> None:
        """Another owner takes the shard over; the calls of the first are lost."""
        self.owners += 1
        self.lane, self.jobs = self.place.lane(f"sender-{self.owners}"), []

    def _report(self, outcome: Event) -> None:
        self.lane.report(self.jobs.pop(0), outcome)
        self.place.outcomes.flush()


STEPS = [
    *(Steps.move_now, Steps.move_later, Steps.pace, Steps.accept),
    *(Steps.give_up, Steps.deadline, Steps.read, Steps.succeed),
]


@settings(max_examples=150)
@given(st.lists(st.sampled_from(STEPS), max_size=16))
def test_a_mail_is_started_once_a_round_and_never_after_its_outcome(
    steps: list[Callable[[Steps], None]],
) -> None:
    """However moves, rounds, outcomes, deadlines and owners follow each other."""
    told = Steps()
    for step in steps:
        step(told)
        told.place.clock.advance(1)
    place, lane = told.place, told.lane
    rounds = [each.round for each in place.events(SendStarted) if isinstance(each, SendStarted)]
    assert rounds == sorted(set(rounds))
    assert len(place.store.scan("queue")) <= 1
    place.read(lane)
    if told.ended:
        lane.processor._memory.load([SUBJECT])
        (attempt,) = lane.processor._memory[SUBJECT].state.attempts
        assert attempt.phase is Phase.DONE
        assert place.store.scan("queue") == []
