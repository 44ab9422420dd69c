"""The sender's own fold: which round counts, what waits, what is lost, what is called off."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.sending import dispatch
from processors.sending.dispatch import INITIAL, Attempt, Changes, Dispatch, Phase, changes
from processors.sending.lanes import Lane
from schemas.events import Event, SendCancelled, SendCancelRequested, SendExpired, SendStarted
from schemas.structure import from_plain, to_plain
from schemas.values import DeferReason, TimerKind
from tests.event_strategies import events
from tests.samples import (
    accepted,
    bounced,
    complained,
    deferred,
    delayed,
    delivered,
    failed,
    fired,
    received,
    rejected,
    resolved,
    scheduled,
    started,
    unknown,
)

FIRST = "attempt-1"
CALLED_OFF = SendCancelRequested(target=0, attempt_id=FIRST, reason="accepted after all")
SETTLING = [
    *(kind() for kind in (accepted, delivered, delayed, bounced, complained, rejected, failed)),
    deferred(DeferReason.THROTTLED),
    SendExpired(target=0, attempt_id=FIRST),
    SendCancelled(target=0, attempt_id=FIRST),
]


def fold(*told: Event, begin: Dispatch = INITIAL) -> Dispatch:
    """Everything that the stream says, in its order."""
    state = begin
    for event in told:
        state = dispatch.evolve(state, event)
    return state


LANE = Lane("shop", "example.com", "example.org")
WAITING = fold(received(), resolved(), scheduled())


def claim_over(number: int = 0) -> Event:
    """The deadline of a round's claim."""
    return fired(TimerKind.CLAIM, FIRST, number)


def the_attempt(*told: Event) -> Attempt:
    """The attempt after these."""
    attempt = fold(*told, begin=WAITING).attempt(FIRST)
    assert attempt is not None
    return attempt


def test_a_scheduled_attempt_is_queued() -> None:
    """It waits in round 0, with all that the sender needs to know of its mail."""
    before = fold(received(), resolved())
    assert changes(before, WAITING) == Changes(queue=(Attempt(scheduled=scheduled(), lane=LANE),))
    assert WAITING.mail == received()
    assert WAITING.alias == "sales@example.com"


def test_a_deadline_without_a_start_gives_the_next_round() -> None:
    """SES is called only after SendStarted: so it was not, and the attempt waits again."""
    after = fold(claim_over(), begin=WAITING)
    assert changes(WAITING, after) == Changes(
        queue=(Attempt(scheduled=scheduled(), lane=LANE, round=1),)
    )


def test_a_deadline_with_a_start_and_no_outcome_is_a_lost_call() -> None:
    """Perhaps SES has it: never to be claimed again, and told as unknown."""
    before = fold(started(), begin=WAITING)
    after = fold(claim_over(), begin=before)
    (lost,) = changes(before, after).lost
    assert lost.phase is Phase.UNKNOWN
    assert changes(before, after).queue == ()


def test_a_deadline_after_the_outcome_says_nothing() -> None:
    """The claim was used as it should be."""
    before = fold(started(), accepted(), begin=WAITING)
    assert changes(before, fold(claim_over(), begin=before)) == Changes()


def test_the_deadline_of_another_round_says_nothing() -> None:
    """A timer fires late, or twice: only the round that counts is meant."""
    assert the_attempt(claim_over(), claim_over()).round == 1
    assert the_attempt(claim_over(1)).round == 0
    assert the_attempt(claim_over(), started(round_=1), claim_over(0)).phase is Phase.WAITING


def test_a_round_without_a_call_gives_the_next_one() -> None:
    """The instant was missed, and the sender said so before its deadline."""
    attempt = the_attempt(started(), deferred(DeferReason.NOT_CALLED))
    assert (attempt.round, attempt.phase) == (1, Phase.WAITING)


def test_a_late_deferral_of_an_old_round_says_nothing() -> None:
    """A zombie's report doesn't move the round that counts."""
    for reason in DeferReason:
        late = the_attempt(claim_over(), started(round_=1), deferred(reason))
        assert (late.round, late.phase) == (1, Phase.WAITING)
    attempt = the_attempt(claim_over(), started(round_=1), deferred(DeferReason.NOT_CALLED))
    assert (attempt.round, attempt.phase) == (1, Phase.WAITING)


def test_the_start_of_an_old_round_does_not_hide_that_of_the_new_one() -> None:
    """A zombie's SendStarted of round 0 comes after that of round 1: the highest counts."""
    attempt = the_attempt(claim_over(), started(round_=1), started(round_=0), claim_over(1))
    assert attempt.phase is Phase.UNKNOWN


def test_an_unknown_outcome_takes_the_attempt_out() -> None:
    """Told by the sender itself: it has left the queue, and its deadline doesn't tell it again."""
    before = fold(started(), begin=WAITING)
    after = fold(unknown(), begin=before)
    assert changes(before, after).queue == ()
    assert changes(after, fold(claim_over(), begin=after)) == Changes()


def test_what_was_claimed_is_withdrawn_only_where_it_was_queued_again() -> None:
    """The claim has taken it out; but it may have been moved behind the claim's back."""
    claimed = fold(started(), begin=WAITING)
    assert changes(claimed, fold(accepted(), begin=claimed)).withdraw == ()
    for order in ((started(), CALLED_OFF), (CALLED_OFF, started())):
        moved = fold(*order, begin=WAITING)
        assert changes(moved, fold(accepted(), begin=moved)).withdraw == moved.attempts


@pytest.mark.parametrize("event", SETTLING, ids=lambda event: type(event).__name__)
def test_what_settles_an_attempt_withdraws_it_for_good(event: Event) -> None:
    """Done: no deadline, late start or call-off brings it back into the queue."""
    done = fold(event, begin=WAITING)
    assert changes(WAITING, done).withdraw == WAITING.attempts
    late = fold(claim_over(), started(), unknown(), CALLED_OFF, claim_over(), begin=done)
    assert changes(done, late).queue == ()
    attempt = late.attempt(FIRST)
    assert attempt is not None
    assert attempt.phase is Phase.DONE


def test_a_called_off_attempt_is_queued_anew_to_be_taken_out_by_a_claim() -> None:
    """Its old entry goes first; under its new one it is claimed and answered as cancelled."""
    after = fold(CALLED_OFF, begin=WAITING)
    changed = changes(WAITING, after)
    assert changed.withdraw == WAITING.attempts
    assert [each.cancelled for each in changed.queue] == [True]
    assert changes(after, fold(CALLED_OFF, begin=after)) == Changes()


def test_a_called_off_attempt_that_is_in_the_air_keeps_its_deadline() -> None:
    """Started and cancelled: without an outcome its call is lost like any other."""
    attempt = the_attempt(started(), CALLED_OFF, claim_over())
    assert attempt.phase is Phase.UNKNOWN


def test_the_next_round_of_a_called_off_attempt_stays_called_off() -> None:
    """A round that ended without a call is followed by one that takes it out of the queue."""
    before = fold(CALLED_OFF, begin=WAITING)
    (again,) = changes(before, fold(claim_over(), begin=before)).queue
    assert (again.round, again.cancelled) == (1, True)


def test_attempts_do_not_touch_each_other() -> None:
    """What is told of one attempt leaves the others where they are."""
    two = fold(scheduled("attempt-2", target=1), begin=WAITING)
    after = fold(accepted("attempt-2", 1), begin=two)
    assert after.attempts[0] is two.attempts[0]
    assert changes(two, after).withdraw == two.attempts[1:]
    assert fold(accepted("attempt-9"), begin=two) is two


@given(st.lists(events(), max_size=10))
def test_any_events_can_be_folded_and_stored(told: list[Event]) -> None:
    """Folding never fails, and the state comes back from its stored form as it was."""
    state = fold(*told)
    assert from_plain(Dispatch, to_plain(state)) == state


TOLD = [
    *(started(round_=number) for number in range(3)),
    *(claim_over(number) for number in range(3)),
    *(deferred(DeferReason.NOT_CALLED, round_=number) for number in range(3)),
    unknown(),
    CALLED_OFF,
    accepted(),
]


@given(st.lists(st.sampled_from(TOLD), max_size=12))
def test_rounds_grow_and_what_is_unknown_or_done_never_waits_again(told: list[Event]) -> None:
    """So no attempt is ever claimed twice in one round, nor after it may have been sent."""
    state = WAITING
    for event in told:
        before, state = state.attempts[0], dispatch.evolve(state, event)
        now = state.attempts[0]
        assert now.round in (before.round, before.round + 1)
        assert before.phase is Phase.WAITING or now.phase is not Phase.WAITING
        assert before.phase is not Phase.DONE or now.phase is Phase.DONE


@given(st.lists(st.sampled_from(TOLD), max_size=12))
def test_the_queue_holds_just_what_waits(told: list[Event]) -> None:
    """Doing all changes in their order leaves the waiting attempts in the queue, as they are."""
    queue = {(WAITING.attempts[0].round, False)}
    state = WAITING
    for event in told:
        round_ = state.attempts[0].round
        if isinstance(event, SendStarted) and event.round > round_:
            continue  # nobody claims a round before the log has come to it
        before, state = state, dispatch.evolve(state, event)
        changed = changes(before, state)
        if isinstance(event, SendStarted) and event.round == round_:
            queue = set()  # its claim took it out
        queue -= {(each.round, each.cancelled) for each in changed.withdraw}
        # A new round's entry takes the place of the old one's: the same key in the table.
        queue = {entry for entry in queue if not changed.queue}
        queue |= {(each.round, each.cancelled) for each in changed.queue}
    now = state.attempts[0]
    waits = now.phase is Phase.WAITING
    if waits and now.started == now.round:
        assert queue <= {(now.round, now.cancelled)}  # claimed, and perhaps called off since
    else:
        assert queue == ({(now.round, now.cancelled)} if waits else set())
