"""Each attempt is told once: as answered, and as come back, in whatever order and how often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from processors import mail
from processors.kernel import NO_RETURNS, Returns
from processors.mail.returns import news
from schemas.events import Event, TargetReopened
from tests.event_strategies import events
from tests.samples import (
    accepted,
    bounced,
    complained,
    delayed,
    delivered,
    received,
    resolved,
    scheduled,
)

ATTEMPTS = ("attempt-1", "attempt-2")
BEGUN = (
    received(),
    resolved("b@example.org", "c@example.org"),
    scheduled("attempt-1", target=0),
    scheduled("attempt-2", target=1),
)


def soft(attempt: str, target: int) -> Event:
    """A bounce that is not for good."""
    return replace(bounced(attempt, target), bounce_type="Transient")


HAPPENINGS: tuple[Callable[[str, int], Event], ...] = (
    accepted,
    delivered,
    delayed,
    bounced,
    complained,
    soft,
)
FINAL = (bounced, complained)


def told(*happened: Event) -> Returns:
    """All that is told of these, one after the other."""
    state = mail.fold(mail.INITIAL, BEGUN)
    answered = returned = 0
    for event in happened:
        after = mail.evolve(state, event)
        some = news(state, after)
        answered, returned, state = answered + some.answered, returned + some.returned, after
    return Returns(answered, returned)


@given(st.lists(st.tuples(st.sampled_from(HAPPENINGS), st.sampled_from([0, 1]))))
def test_an_attempt_counts_once_whatever_is_told_of_it(
    happened: list[tuple[Callable[[str, int], Event], int]],
) -> None:
    """In any order, and however often."""
    found = told(*(happening(ATTEMPTS[target], target) for happening, target in happened))
    assert found.answered == len({target for _, target in happened})
    assert found.returned == len({target for what, target in happened if what in FINAL})


def test_a_bounce_after_acceptance_and_a_complaint_are_one_return() -> None:
    """Of one attempt; the other's is another."""
    assert told(accepted("attempt-1"), bounced("attempt-1"), complained("attempt-1")) == Returns(
        1, 1
    )
    assert told(bounced("attempt-1"), bounced("attempt-2", 1)) == Returns(2, 2)


def test_a_retry_is_an_attempt_of_its_own() -> None:
    """What is told of the one before it was told already."""
    again = (TargetReopened(target=0, by="ann"), scheduled("attempt-3", number=2))
    assert told(bounced("attempt-1"), *again) == Returns(1, 1)
    assert told(bounced("attempt-1"), *again, bounced("attempt-1")) == Returns(1, 1)
    assert told(bounced("attempt-1"), *again, accepted("attempt-3")) == Returns(2, 1)


def test_a_complaint_about_an_attempt_before_a_retry_counts() -> None:
    """It changes nothing about the target any more, and yet somebody complained."""
    again = (TargetReopened(target=0, by="ann"), scheduled("attempt-3", number=2))
    assert told(accepted("attempt-1"), *again, complained("attempt-1")) == Returns(1, 1)


@given(st.lists(events(), max_size=5))
def test_nothing_is_told_twice(some: list[Event]) -> None:
    """Whatever stands on the log: folded again, a record tells nothing new."""
    state = mail.fold(mail.INITIAL, BEGUN)
    for event in some:
        once = mail.evolve(state, event)
        assert news(once, once) == NO_RETURNS
        state = once
