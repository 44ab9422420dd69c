"""The sender on one shard: from SendScheduled to the outcome, and what becomes of lost claims."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mailtumble.ports.stream import OutgoingRecord
from mailtumble.sender.shard import SenderShard
from mailtumble.sender.transmission import Job
from mailtumble.worker.application import Fact
from mailtumble.worker.cursor import ShardLost
from processors.sending.dispatch import Phase
from schemas.errors import RetryableError
from schemas.events import (
    SendAccepted,
    SendCancelled,
    SendCancelRequested,
    SendExpired,
    SendScheduled,
    SendStarted,
    SendUnknown,
    TimerFired,
)
from schemas.values import SECOND_US, DeferReason
from tests.samples import SUBJECT, accepted, after, deferred, fact, received, resolved, scheduled
from tests.unit.mailtumble.sender.conftest import TIMES, UNKNOWN_WAIT_US, Place, entry

CALLED_OFF = SendCancelRequested(target=0, attempt_id="attempt-1", reason="r")


def _scheduled(place: Place, *attempts: SendScheduled) -> SenderShard:
    place.tell(fact(received(), resolved(), *(attempts or (scheduled(),))))
    lane = place.lane()
    place.read(lane)
    return lane


def _deadline(place: Place, lane: SenderShard) -> None:
    """Let a claim's deadline come, be appended, and be read."""
    place.clock.advance(TIMES.deadline_us / SECOND_US)
    lane.tick()
    place.read(lane)


def _one(jobs: list[Job]) -> Job:
    (job,) = jobs
    return job


def test_a_due_attempt_is_claimed_and_announced(place: Place) -> None:
    """SendStarted stands on the log before anybody may call."""
    lane = _scheduled(place)
    job = _one(lane.pace())
    (started,) = place.events(SendStarted)
    assert started == SendStarted(
        target=0,
        attempt_id="attempt-1",
        round=0,
        instant_at=job.instant_at,
        send_before=place.clock.now() + TIMES.send_us,
        owner="sender-1",
    )
    assert place.clock.now() < job.instant_at < job.send_before
    assert lane.pace() == []


def test_without_an_instant_nothing_is_claimed(place: Place) -> None:
    """Entries wait in the queue, not in claims."""
    place.rate_milli = 0
    lane = _scheduled(place)
    assert lane.pace() == []
    assert place.store.scan("claims") == []
    assert len(place.store.scan("queue")) == 1


def test_as_many_are_claimed_as_there_are_instants(place: Place) -> None:
    """Three a second, two slices ahead: no more than six jobs, each at an instant of its own."""
    place.rate_milli = 3000
    lane = _scheduled(
        place, *(scheduled(f"attempt-{n}", target=n, due_at=after(-n)) for n in range(20))
    )
    jobs = lane.pace()
    assert 3 <= len(jobs) <= 6
    assert len({job.instant_at for job in jobs}) == len(jobs)
    assert len(place.store.scan("queue")) == 20 - len(jobs)
    assert lane.another_instant(jobs[0]) is None


def test_outcomes_are_appended_together(place: Place) -> None:
    """Each under an id of its attempt, round and kind; with the outcome read, all is done."""
    lane = _scheduled(place)
    job = _one(lane.pace())
    lane.report(job, accepted())
    assert place.events(SendAccepted) == []
    place.outcomes.flush()
    place.outcomes.flush()
    assert place.events(SendAccepted) == [accepted()]
    place.read(lane)
    _deadline(place, lane)
    assert place.events(SendUnknown) == []
    assert place.store.scan("queue") == place.store.scan("timers") == []


def test_a_started_claim_without_an_outcome_is_told_as_unknown(place: Place) -> None:
    """Its sender died in between, perhaps after the call: told once, whoever notices."""
    lane = _scheduled(place)
    lane.pace()
    place.read(lane)
    _deadline(place, lane)
    successor = place.lane("sender-2")
    place.read(successor)
    (event,) = place.events(SendUnknown)
    (timer,) = place.events(TimerFired)
    assert isinstance(event, SendUnknown)
    assert isinstance(timer, TimerFired)
    assert event.decide_at == timer.due_at + UNKNOWN_WAIT_US
    assert successor.pace() == []
    assert place.store.scan("timers") == []


def test_a_claim_that_was_never_announced_goes_into_its_next_round(place: Place) -> None:
    """Its sender died between claim and SendStarted: SES was not called."""
    lane = _scheduled(place)
    lane.processor.append_facts = _deaf  # type: ignore[method-assign]
    with pytest.raises(RetryableError):
        lane.pace()
    successor = place.lane("sender-2")
    assert successor.pace() == []
    _deadline(place, successor)
    job = _one(successor.pace())
    assert job.entry.round == 1
    assert [getattr(each, "round", None) for each in place.events(SendStarted)] == [1]


def test_what_could_not_be_announced_whole_was_not_called(place: Place) -> None:
    """Some stand on the stream, and no call was made: each is told, and none is taken for sent."""
    attempts = [scheduled(f"attempt-{number}", target=number) for number in range(3)]
    lane = _scheduled(place, *attempts)
    announce = lane.processor.append_facts

    def only_the_first(facts: Sequence[Fact]) -> Sequence[str]:
        announce(facts[:1])
        message = "1 of 3 records was taken"
        raise RetryableError(message)

    lane.processor.append_facts = only_the_first  # type: ignore[method-assign]
    with pytest.raises(RetryableError):
        lane.pace(3)
    lane.processor.append_facts = announce  # type: ignore[method-assign]
    place.outcomes.flush()
    place.read(lane)
    assert {job.entry.round for job in lane.pace(3)} == {1}
    _deadline(place, lane)
    place.read(lane)
    assert {event.round for event in place.events(SendUnknown)} == {1}  # type: ignore[attr-defined]


def _deaf(facts: object) -> None:
    message = f"{facts} not acknowledged"
    raise RetryableError(message)


def test_a_round_without_a_call_is_queued_again_at_once(place: Place) -> None:
    """NOT_CALLED: the same attempt, the next round."""
    lane = _scheduled(place)
    job = _one(lane.pace())
    lane.report(job, deferred(DeferReason.NOT_CALLED))
    place.outcomes.flush()
    place.read(lane)
    assert _one(lane.pace()).entry.round == 1


def test_a_called_off_attempt_is_answered_as_cancelled(place: Place) -> None:
    """By a claim, so that nobody can be sending it at the same time; no instant is used."""
    place.rate_milli = 0
    lane = _scheduled(place)
    place.tell(fact(CALLED_OFF, name="call off"))
    place.read(lane)
    assert lane.pace() == []
    assert place.events(SendCancelled) == [SendCancelled(target=0, attempt_id="attempt-1")]
    place.read(lane)
    assert place.store.scan("queue") == []
    assert len(place.store.scan("claims")) == 1


def test_a_call_off_that_comes_too_late_changes_nothing(place: Place) -> None:
    """The attempt is in the air: its outcome is told, and no cancellation."""
    lane = _scheduled(place)
    job = _one(lane.pace())
    place.clock.advance(0.1)
    place.tell(fact(CALLED_OFF, name="call off"))
    place.read(lane)
    assert lane.pace() == []
    lane.report(job, accepted())
    place.outcomes.flush()
    place.read(lane)
    assert place.events(SendCancelled) == []
    assert place.store.scan("queue") == []


def test_an_attempt_whose_time_is_over_expires(place: Place) -> None:
    """Also by a claim, without a call."""
    lane = _scheduled(place, scheduled(expires_at=after(10)))
    place.clock.advance(10)
    assert lane.pace() == []
    assert place.events(SendExpired) == [SendExpired(target=0, attempt_id="attempt-1")]
    place.read(lane)
    assert place.store.scan("queue") == []


def test_a_zombie_neither_claims_nor_tells_that_the_shard_is_its_own(place: Place) -> None:
    """Once another has taken over, the first pace finds it out."""
    zombie = _scheduled(place)
    successor = place.lane("sender-2")
    job = Job(entry(), after(1), after(5))
    assert zombie.may_call(job)
    with pytest.raises(ShardLost):
        zombie.pace()
    assert not zombie.may_call(job)
    assert len(successor.pace()) == 1


def test_a_new_owner_finds_the_queue_in_the_table(place: Place) -> None:
    """What the predecessor has queued and not claimed."""
    _scheduled(place)
    assert len(place.lane("sender-2").pace()) == 1


def test_two_lanes_never_get_the_same_attempt(place: Place) -> None:
    """The second owner, with the same queue in memory, gets none of what the first has claimed."""
    lane = _scheduled(place, *(scheduled(f"attempt-{n}", target=n) for n in range(5)))
    first = lane.pace(2)
    successor = place.lane("sender-2")
    second = successor.pace()
    attempts = [job.entry.attempt_id for job in (*first, *second)]
    assert len(set(attempts)) == len(attempts) == 5


def test_on_a_closed_shard_nothing_is_sent(place: Place) -> None:
    """Its queue belongs to its children."""
    lane = _scheduled(place)
    lane.close()
    assert lane.pace() == []
    assert place.lane("sender-2").pace() == []
    assert len(place.store.scan("queue")) == 1


@pytest.mark.parametrize("claimed", [True, False], ids=["claimed", "waiting"])
def test_what_waits_is_not_sent_when_a_record_of_the_mail_can_not_be_read(
    place: Place,
    claimed: bool,  # noqa: FBT001
) -> None:
    """It may be the one that says it was sent: no deadline gives it another round."""
    lane = _scheduled(place)
    if claimed:
        lane.pace()
    place.stream.append([OutgoingRecord(SUBJECT, b"\xc1 garbage")])
    place.read(lane)
    _deadline(place, lane)
    assert place.store.scan("queue") == []
    assert lane.pace() == []
    state = lane.processor._memory[SUBJECT].state
    assert [attempt.phase for attempt in state.attempts] == [Phase.UNKNOWN]
    place.tell(fact(accepted(), name="late"))
    place.read(lane)
    state = lane.processor._memory[SUBJECT].state
    assert [attempt.phase for attempt in state.attempts] == [Phase.DONE]
    assert place.lane("sender-2").pace() == []


def test_attempts_of_a_mail_that_is_in_quarantine_are_not_queued(place: Place) -> None:
    """MailReceived could not be read here: there are no bytes to send; core parks the mail."""
    place.tell(fact(scheduled()))
    lane = place.lane()
    place.read(lane)
    assert place.store.scan("queue") == []
    assert lane.pace() == []


def test_the_way_out_of_an_attempt_is_told_with_the_call(place: Place) -> None:
    """What is claimed stays with its route; empty stands for the default one."""
    lane = _scheduled(place, scheduled(route="relay"))
    job = _one(lane.pace())
    assert job.entry.outbound_route == "relay"
    (started,) = place.events(SendStarted)
    assert isinstance(started, SendStarted)
    assert started.route == "relay"
