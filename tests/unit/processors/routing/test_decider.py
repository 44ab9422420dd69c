"""Routing as a story: looked up, waited for, resolved, not found, or given up after its time."""

from __future__ import annotations

import pytest

from processors.mail import Rules
from processors.routing.decider import (
    RETRY_FIRST_US,
    RETRY_MAX_US,
    TARGETS_MAX,
    Answer,
    Found,
    NotFound,
    Unavailable,
)
from schemas.events import (
    MailCompleted,
    RouteDeferred,
    RouteExpired,
    RouteNotFound,
    RouteResolved,
    SendScheduled,
)
from schemas.values import DAY_US, SECOND_US, Status, Target, TimerKind, UnknownPolicy
from tests.samples import RECEIVED_AT, RECIPIENT, after, fired, received, resolved
from tests.story import Story, attempt

OUTAGE = Unavailable("timed out")
FOUND = Found(RECIPIENT, 1, "shop", ("bob@example.org",))


def test_a_known_alias_is_resolved_and_its_targets_scheduled_in_one_decision() -> None:
    """From receipt to queue is a single record; the answer and its version are kept in it."""
    Story().when(received(), answer=FOUND).then(
        resolved("bob@example.org"),
        SendScheduled(
            target=0,
            address="bob@example.org",
            number=1,
            attempt_id=attempt(1),
            due_at=RECEIVED_AT,
            expires_at=RECEIVED_AT + 3 * DAY_US,
            tenant="shop",
        ),
    ).now(Status.SCHEDULED)


def test_every_target_of_an_alias_gets_an_attempt_of_its_own() -> None:
    """Two targets, two attempts, which go their own ways."""
    story = Story().when(
        received(), answer=Found(RECIPIENT, 7, "shop", ("b@example.org", "c@example.org"))
    )
    route, first, second = story.decided
    assert isinstance(route, RouteResolved)
    assert route.alias_version == 7
    assert route.targets == (Target(address="b@example.org"), Target(address="c@example.org"))
    assert isinstance(first, SendScheduled)
    assert isinstance(second, SendScheduled)
    assert (first.target, first.attempt_id) == (0, attempt(1, target=0))
    assert (second.target, second.attempt_id) == (1, attempt(1, target=1))


def test_the_policy_for_unknown_outcomes_is_kept_with_the_route() -> None:
    """What the settings said when the mail came in holds for it till its end."""
    rules = Rules(on_unknown=UnknownPolicy.PARK)
    story = Story(rules).when(received(), answer=FOUND).then_kinds(RouteResolved, SendScheduled)
    assert story.mail.sending.on_unknown is UnknownPolicy.PARK


@pytest.mark.parametrize("answer", [NotFound(), Found("sales@example.com", 1, "shop", ())])
def test_a_mail_that_nobody_wants_ends_as_unroutable(answer: Answer) -> None:
    """No entry, or an alias without targets: what was tried is told, the mail is over."""
    (
        Story()
        .when(received(), answer=answer)
        .then(
            RouteNotFound(tried=("sales@example.com", "@example.com")),
            MailCompleted(ended={"unroutable": 1}),
        )
        .now_mail(Status.UNROUTABLE)
    )


def test_an_outage_defers_the_mail_and_the_next_answer_counts() -> None:
    """The repository's silence says nothing about the alias."""
    (
        Story()
        .when(received(), answer=OUTAGE)
        .then(RouteDeferred(reason="timed out", number=1, retry_at=after(2)))
        .now_mail(Status.DEFERRED)
        .when(fired(TimerKind.LOOKUP, number=1), answer=FOUND, at=after(2))
        .then_kinds(RouteResolved, SendScheduled)
        .now_mail(Status.SCHEDULED)
    )


def test_the_waits_grow_and_stay_below_a_minute() -> None:
    """2, 4, 8, 16, 32, 60, 60 seconds."""
    story = Story().when(received(), answer=OUTAGE)
    waits: list[int] = []
    now = RECEIVED_AT
    for number in range(1, 8):
        (event,) = story.decided
        assert isinstance(event, RouteDeferred)
        assert event.number == number
        waits.append((event.retry_at - now) // SECOND_US)
        now = event.retry_at
        story.then(event).when(fired(TimerKind.LOOKUP, number=number), answer=OUTAGE, at=now)
    assert waits == [2, 4, 8, 16, 32, 60, 60]
    assert (RETRY_FIRST_US, RETRY_MAX_US) == (2 * SECOND_US, 60 * SECOND_US)


def test_an_outage_that_outlasts_the_mail_expires_it() -> None:
    """When the next look-up would lie behind the lifetime, the mail ends and says why."""
    (
        Story(Rules(lifetime_us=5 * SECOND_US))
        .when(received(), answer=OUTAGE)
        .then(RouteDeferred(reason="timed out", number=1, retry_at=after(2)))
        .when(fired(TimerKind.LOOKUP, number=1), answer=OUTAGE, at=after(2))
        .then(RouteExpired(reason="timed out"), MailCompleted(ended={"expired": 1}))
        .now_mail(Status.EXPIRED)
        .when(fired(TimerKind.LOOKUP, number=2), answer=FOUND, at=after(6))
        .then_nothing()
    )


@pytest.mark.parametrize("lifetime_s", [60, 3600, 259_200])
def test_every_outage_ends(lifetime_s: int) -> None:
    """However long the repository is away: after so many look-ups the mail is over, in its time."""
    story = Story(Rules(lifetime_us=lifetime_s * SECOND_US)).when(received(), answer=OUTAGE)
    for number in range(1, lifetime_s // 60 + 10):
        if isinstance(story.decided[0], RouteExpired):
            break
        (event,) = story.decided
        assert isinstance(event, RouteDeferred)
        assert event.retry_at <= after(lifetime_s)
        story.then(event)
        story.when(fired(TimerKind.LOOKUP, number=number), answer=OUTAGE, at=event.retry_at)
    story.then_kinds(RouteExpired, MailCompleted)


def test_an_old_timer_asks_nothing() -> None:
    """Only the timer of the last deferral counts; one fired twice, or late, is nothing new."""
    story = Story().when(received(), answer=OUTAGE).then_kinds(RouteDeferred)
    story.when(fired(TimerKind.LOOKUP, number=1), answer=OUTAGE, at=after(2))
    story.then_kinds(RouteDeferred)
    story.when(fired(TimerKind.LOOKUP, number=1), answer=FOUND, at=after(9)).then_nothing()
    story.when(fired(TimerKind.LOOKUP, number=2), answer=FOUND, at=after(9))
    story.then_kinds(RouteResolved, SendScheduled)
    story.when(fired(TimerKind.LOOKUP, number=2), answer=NotFound(), at=after(10)).then_nothing()


def test_a_missing_answer_defers() -> None:
    """A fact that nobody looked up for waits, and is not unroutable."""
    Story().when(received()).then(
        RouteDeferred(reason="it was not asked", number=1, retry_at=after(2))
    )


def test_an_alias_with_too_many_targets_waits_until_it_is_mended() -> None:
    """At most 50 targets: with more the mail is not lost, and the reason names the alias."""
    many = tuple(f"t{number}@example.org" for number in range(TARGETS_MAX + 1))
    story = Story().when(received(), answer=Found(RECIPIENT, 1, "shop", many))
    (event,) = story.decided
    assert isinstance(event, RouteDeferred)
    assert event.reason == "sales@example.com has 51 targets; at most 50 are allowed"
    story.then(event).when(
        fired(TimerKind.LOOKUP, number=1), answer=Found(RECIPIENT, 2, "shop", many[:-1])
    ).then_kinds(RouteResolved, *[SendScheduled] * TARGETS_MAX)


def test_a_second_receipt_of_a_routed_mail_changes_nothing() -> None:
    """Ids keep repeats away; should one come with another id, the route stands."""
    story = Story().when(received(), answer=FOUND).then_kinds(RouteResolved, SendScheduled)
    story.when(received(notification_key="another"), answer=NotFound()).then_nothing()
