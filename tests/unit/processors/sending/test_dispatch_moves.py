"""An attempt's place in the sender's queue: moved by a new time, kept by its key, never twice."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.sending import dispatch
from processors.sending.dispatch import Attempt, Changes, Dispatch, Phase, changes
from schemas.events import (
    Event,
    ModerationDecided,
    SendCancelled,
    SendCancelRequested,
    SendExpired,
    SendRescheduled,
    SendStarted,
    SendSuppressed,
)
from schemas.values import DeferReason, ModerationAction, TimerKind
from tests.samples import (
    accepted,
    after,
    deferred,
    delivered,
    failed,
    fired,
    received,
    resolved,
    scheduled,
    started,
    unknown,
)

FIRST = "attempt-1"
CALLED_OFF = SendCancelRequested(target=0, attempt_id=FIRST, reason="r")


def fold(*told: Event, begin: Dispatch = dispatch.INITIAL) -> Dispatch:
    """Everything that the stream says, in its order."""
    state = begin
    for event in told:
        state = dispatch.evolve(state, event)
    return state


WAITING = fold(received(), resolved(), scheduled())


def moved(due_at: int, expires_at: int = after(99)) -> SendRescheduled:
    """A person wants it at another time."""
    return SendRescheduled(target=0, attempt_id=FIRST, due_at=due_at, expires_at=expires_at)


def claim_over(number: int = 0) -> Event:
    """The deadline of a round's claim."""
    return fired(TimerKind.CLAIM, FIRST, number)


def test_a_waiting_attempt_is_moved() -> None:
    """Its old entry is taken out by its old time, before it is queued at its new one."""
    state = fold(moved(after(60)), begin=WAITING)
    (new,) = state.attempts
    assert new.scheduled == scheduled(due_at=after(60), expires_at=after(99))
    assert changes(WAITING, state) == Changes(queue=(new,), withdraw=WAITING.attempts)


def test_a_new_time_is_the_attempts_not_the_rounds() -> None:
    """A claim that is open keeps its round; the next round is queued at the new time."""
    state = fold(started(), moved(after(60)), begin=WAITING)
    assert state.attempts[0].round == 0
    later = fold(deferred(DeferReason.NOT_CALLED), begin=state)
    (again,) = changes(state, later).queue
    assert (again.round, again.scheduled.due_at) == (1, after(60))
    assert changes(state, later).withdraw == ()


def test_a_later_end_alone_is_a_change_too() -> None:
    """Else the sender would give up what core still waits for."""
    state = fold(moved(scheduled().due_at, after(7)), begin=WAITING)
    (new,) = changes(WAITING, state).queue
    assert new.scheduled.expires_at == after(7)


@pytest.mark.parametrize(
    "over",
    [(accepted(),), (failed(),), (started(), unknown()), (started(), claim_over())],
)
def test_what_does_not_wait_any_more_is_not_queued_by_a_new_time(over: tuple[Event, ...]) -> None:
    """Core asked too late: it was sent, or may have been."""
    state = fold(*over, begin=WAITING)
    assert changes(state, fold(moved(after(60)), begin=state)) == Changes()


def test_a_called_off_attempt_is_taken_out_whatever_its_time() -> None:
    """A new time does not bring it back."""
    state = fold(CALLED_OFF, begin=WAITING)
    later = fold(moved(after(60)), begin=state)
    (queued,) = changes(state, later).queue
    assert queued.cancelled


@pytest.mark.parametrize(
    "event",
    [
        accepted(),
        delivered(),
        SendExpired(target=0, attempt_id=FIRST),
        SendCancelled(target=0, attempt_id=FIRST),
        SendSuppressed(target=0, attempt_id=FIRST, reason="by hand"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_is_settled_is_told_once(event: Event) -> None:
    """With the round that was announced, so that its claim's deadline can go."""
    before = fold(started(), begin=WAITING)
    done = fold(event, begin=before)
    (settled,) = changes(before, done).settled
    assert (settled.phase, settled.started) == (Phase.DONE, 0)
    assert settled.send_before == started().send_before
    assert changes(before, done).lost == ()
    assert changes(done, fold(event, claim_over(), begin=done)) == Changes()


def test_a_lost_attempt_is_not_settled() -> None:
    """Its deadline has come: that is how it was found."""
    before = fold(started(), begin=WAITING)
    told = changes(before, fold(claim_over(), begin=before))
    assert (len(told.lost), told.settled) == (1, ())


def test_the_latest_round_is_the_one_that_has_a_deadline() -> None:
    """A zombie's announcement of an older round does not move it."""
    second = replace(started(round_=1), send_before=after(50))
    state = fold(claim_over(), second, started(round_=0), begin=WAITING)
    assert (state.attempts[0].started, state.attempts[0].send_before) == (1, after(50))


def test_tags_of_the_moderation_rules_stay_with_the_mail() -> None:
    """They go out in its header."""
    tagged = ModerationDecided(action=ModerationAction.PASS, rule="", reason="", tags=("list",))
    assert fold(received(), tagged).tags == ("list",)


TOLD = [
    *(started(round_=number) for number in range(3)),
    *(claim_over(number) for number in range(3)),
    *(deferred(DeferReason.NOT_CALLED, round_=number) for number in range(3)),
    *(moved(after(seconds), after(seconds + 99)) for seconds in (0, 60, 90)),
    moved(after(60), after(7)),
    unknown(),
    CALLED_OFF,
    accepted(),
]


def place(attempt: Attempt) -> int:
    """Where an attempt lies in the queue: by its time; called off, it comes first."""
    return 0 if attempt.cancelled else attempt.scheduled.due_at


def begins_too_early(event: Event, state: Dispatch) -> bool:
    """Nobody claims a round, and says so, before the log has come to it."""
    return isinstance(event, SendStarted) and event.round > state.attempts[0].round


def claims(event: Event, state: Dispatch) -> bool:
    """Whether it says that the round that counts was claimed."""
    return isinstance(event, SendStarted) and event.round == state.attempts[0].round


@given(st.lists(st.sampled_from(TOLD), max_size=14))
def test_an_attempt_lies_in_the_queue_once_as_it_is_now(told: list[Event]) -> None:
    """Deletes first, puts after, each by its key: what remains is what waits, and nothing else."""
    queue = {place(WAITING.attempts[0]): WAITING.attempts[0]}
    state = WAITING
    for event in told:
        if begins_too_early(event, state):
            continue
        before, state = state, dispatch.evolve(state, event)
        changed = changes(before, state)
        if claims(event, before) and not before.attempts[0].moved:
            # Its claim took it out; after a move it may have been the entry of before that.
            queue.clear()
        for each in changed.withdraw:
            queue.pop(place(each), None)
        for each in changed.queue:
            queue[place(each)] = each
        (now,) = state.attempts
        waits = now.phase is Phase.WAITING
        claimed = waits and now.started == now.round
        assert set(queue) == ({place(now)} if waits and not claimed else set(queue) & {place(now)})
        assert waits or not queue
        if waits and not claimed:
            queued = queue[place(now)]
            assert (queued.round, queued.cancelled) == (now.round, now.cancelled)
            assert queued.scheduled == now.scheduled
