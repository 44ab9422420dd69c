"""What is told of one attempt may come in any order, and more than once: the end is the same."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from processors import mail
from schemas.events import Event, MailCompleted, SendScheduled
from schemas.values import DeferReason, Status, TimerKind
from tests.samples import (
    RECEIVED_AT,
    accepted,
    bounced,
    complained,
    deferred,
    delayed,
    delivered,
    fired,
    received,
    rejected,
    resolved,
    scheduled,
    started,
    unknown,
)

BEGUN = (received(), resolved(), scheduled())
ACCEPTING = [accepted(), delivered(), delayed(), complained()]
"""Each of them says by itself that SES has the mail."""

UNCERTAIN = [started(), unknown(), deferred(DeferReason.NOT_CALLED)]
"""What comes before an outcome, or late."""


def _status_after(told: list[Event]) -> Status:
    return mail.fold(mail.INITIAL, (*BEGUN, *told)).status


def _decide_all(told: list[Event]) -> list[Event]:
    """Let core decide on each, as it comes; everything it has decided."""
    state = mail.fold(mail.INITIAL, BEGUN)
    decided: list[Event] = []
    for number, fact in enumerate(told):
        state = mail.evolve(state, fact)
        events = mail.decide(
            state,
            fact,
            None,
            decision_id=f"decision-{number}",
            now=RECEIVED_AT,
            rules=mail.Rules(),
        )
        state = mail.fold(state, events)
        decided.extend(events)
    return decided


@given(st.data())
def test_acceptance_in_any_order_is_completed(data: st.DataObject) -> None:
    """The reply, delivery, delay and complaint: any of them, in any order, however often."""
    some = data.draw(st.lists(st.sampled_from(ACCEPTING), min_size=1, max_size=5))
    told = data.draw(st.permutations([*some, *UNCERTAIN]))
    assert _status_after(told) is Status.COMPLETED


@given(st.data())
def test_a_bounce_stands_wherever_it_comes(data: st.DataObject) -> None:
    """Before the reply, after delivery, twice: the target has bounced."""
    some = data.draw(st.lists(st.sampled_from(ACCEPTING), max_size=4))
    told = data.draw(st.permutations([*some, *UNCERTAIN, bounced(), bounced()]))
    assert _status_after(told) is Status.BOUNCED


@given(st.permutations([accepted(), rejected(), *UNCERTAIN]))
def test_a_rejection_stands_wherever_it_comes(told: list[Event]) -> None:
    """SES's "Reject" and the reply to the call may overtake each other."""
    assert _status_after(told) is Status.REJECTED


@given(st.data())
def test_a_mail_is_completed_exactly_once(data: st.DataObject) -> None:
    """Whatever is told of the attempt and in whatever order: one MailCompleted, at the end."""
    timers = [fired(TimerKind.UNKNOWN, "attempt-1"), fired(TimerKind.CLAIM, "attempt-1")]
    more = data.draw(
        st.lists(st.sampled_from([*ACCEPTING, *UNCERTAIN, *timers, bounced()]), max_size=6)
    )
    told = data.draw(st.permutations([*more, accepted()]))
    kinds = Counter(map(type, _decide_all(told)))
    assert kinds[MailCompleted] == 1


@given(st.data())
def test_after_its_end_a_target_is_never_scheduled_again(data: st.DataObject) -> None:
    """What comes late starts no further attempt."""
    late = [*ACCEPTING, *UNCERTAIN, bounced(), deferred(DeferReason.TRANSIENT)]
    late += [fired(TimerKind.UNKNOWN, "attempt-1")]
    told = data.draw(st.lists(st.sampled_from(late), max_size=6))
    decided = _decide_all([accepted(), *told])
    assert not [event for event in decided if isinstance(event, SendScheduled)]
