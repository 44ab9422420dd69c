"""One mail, whole: one decision runs through every room, and the same cause gives the same ids."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors import mail
from processors.kernel import Timer
from processors.routing.decider import Answer, Found, NotFound, Unavailable
from schemas.events import (
    Event,
    MailCompleted,
    RecordQuarantined,
    RecordRedriven,
    RouteDeferred,
    RouteExpired,
    RouteNotFound,
    RouteResolved,
    SendScheduled,
)
from schemas.structure import from_plain, to_plain
from schemas.values import DeferReason, Schedule, Status, TimerKind, UnknownPolicy
from tests.event_strategies import events
from tests.samples import (
    RECEIVED_AT,
    SUBJECT,
    accepted,
    after,
    bounced,
    deferred,
    delivered,
    fact,
    failed,
    fired,
    received,
    resolved,
    scheduled,
    started,
    unknown,
)
from tests.story import Story

RULES = mail.Rules()
TWO = (
    received(),
    resolved("b@example.org", "c@example.org"),
    scheduled("attempt-1", target=0),
    scheduled("attempt-2", target=1),
)
QUARANTINED = RecordQuarantined(
    application="core",
    shard_id="shardId-000000000000",
    sequence_number="1",
    partition_key=SUBJECT,
    reason="not msgpack",
    bucket="mail",
    object_key="quarantine/1",
)

WINDOW = "Mon-Fri 08:00-18:00 Europe/Berlin"

ANSWERS = st.sampled_from(
    [
        Found("sales@example.com", 1, "shop", ("b@example.org",)),
        Found("@example.com", 4, "other", ("c@example.org", "d@example.org")),
        Found("a@example.com", 2, "shop", ("b@example.org",), moderated=True),
        Found("w@example.com", 2, "shop", ("b@example.org",), schedule=Schedule(window=WINDOW)),
        NotFound(),
        Unavailable("timed out"),
        None,
    ]
)


def _checked(event: Event) -> Event:
    """A window is checked where it comes in: what stands on the log can be read."""
    if not isinstance(event, RouteResolved):
        return event
    window = WINDOW if event.schedule.window else ""
    return replace(event, schedule=replace(event.schedule, window=window))


EVENTS = events().map(_checked)
FACTS = st.lists(
    st.sampled_from(
        [
            *(kind("attempt-1", 0) for kind in (accepted, bounced, delivered, failed)),
            *(kind("attempt-2", 1) for kind in (accepted, bounced, delivered, failed)),
            started(),
            unknown(),
            deferred(DeferReason.TRANSIENT),
            deferred(DeferReason.NOT_CALLED),
            fired(TimerKind.UNKNOWN, "attempt-1"),
            fired(TimerKind.LOOKUP, number=0),
            QUARANTINED,
        ]
    ),
    max_size=8,
)


def _decide(
    state: mail.Mail, cause: Event, answer: Answer | None, name: str, now: int
) -> tuple[Event, ...]:
    return mail.decide(state, cause, answer, decision_id=name, now=now, rules=RULES)


def _ids(decided: tuple[Event, ...]) -> list[str]:
    return [event.attempt_id for event in decided if isinstance(event, SendScheduled)]


@given(FACTS, st.data())
def test_deciding_twice_gives_the_same(told: list[Event], data: st.DataObject) -> None:
    """The same state, cause, answer and time: the same events, to the last field."""
    state = mail.fold(mail.INITIAL, TWO)
    for number, cause in enumerate(told):
        state = mail.evolve(state, cause)
        answer = data.draw(ANSWERS)
        decided = _decide(state, cause, answer, f"d{number}", RECEIVED_AT)
        assert _decide(state, cause, answer, f"d{number}", RECEIVED_AT) == decided
        state = mail.fold(state, decided)


@given(ANSWERS, ANSWERS, st.integers(0, 3600), st.integers(0, 3600))
def test_ids_do_not_depend_on_answers_or_time(
    one: Answer | None, other: Answer | None, now: int, then: int
) -> None:
    """Decided twice with other look-ups and at another time, attempts have the same ids."""
    state = mail.evolve(mail.INITIAL, received())
    first = _ids(_decide(state, received(), one, "d", after(now)))
    second = _ids(_decide(state, received(), other, "d", after(then)))
    shared = min(len(first), len(second))
    assert first[:shared] == second[:shared]
    assert len(set(first)) == len(first)


@given(FACTS)
def test_a_mail_is_completed_at_most_once(told: list[Event]) -> None:
    """MailCompleted comes with the end of the last target, and never again."""
    state = mail.fold(mail.INITIAL, TWO)
    completions = 0
    for number, cause in enumerate(told):
        state = mail.evolve(state, cause)
        decided = _decide(state, cause, None, f"d{number}", RECEIVED_AT)
        state = mail.fold(state, decided)
        completions += sum(isinstance(event, MailCompleted) for event in decided)
    ended = all(target.has_ended for target in state.sending.targets)
    assert completions <= 1
    assert completions or not ended


@given(st.lists(events(), max_size=8))
def test_any_events_in_any_order_can_be_folded(told: list[Event]) -> None:
    """Folding never fails, and the state comes back from its stored form as it was."""
    state = mail.fold(mail.INITIAL, told)
    assert from_plain(mail.Mail, to_plain(state)) == state


@given(st.lists(EVENTS, max_size=5), EVENTS, ANSWERS)
def test_any_fact_can_be_decided_on(told: list[Event], cause: Event, answer: Answer | None) -> None:
    """Whatever is told, however absurd: deciding ends no worker."""
    state = mail.evolve(mail.fold(mail.INITIAL, told), cause)
    assert isinstance(_decide(state, cause, answer, "d", RECEIVED_AT), tuple)


@pytest.mark.parametrize(("one", "other"), list(product(Status, Status)))
def test_a_mail_stands_where_its_least_finished_target_stands(one: Status, other: Status) -> None:
    """In the order of the list of statuses."""
    state = mail.fold(mail.INITIAL, TWO)
    first, second = state.sending.targets
    targets = (replace(first, status=one), replace(second, status=other))
    state = replace(state, sending=replace(state.sending, targets=targets))
    assert state.status is min(one, other, key=list(Status).index)


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (received(), Status.RECEIVED),
        (RouteDeferred(reason="timed out", number=1, retry_at=0), Status.DEFERRED),
        (RouteNotFound(tried=()), Status.UNROUTABLE),
        (RouteExpired(reason="timed out"), Status.EXPIRED),
        (resolved(), Status.RECEIVED),
    ],
)
def test_before_it_has_targets_a_mail_has_a_status_of_its_own(event: Event, status: Status) -> None:
    """Received, waiting for the look-up, or ended without a target."""
    Story().given(received(), event).now_mail(status)


def test_a_mail_whose_receipt_is_in_quarantine_is_parked_until_it_is_driven_again() -> None:
    """Nothing is known but that there is something; the redriven receipt takes its way."""
    (
        Story()
        .when(QUARANTINED)
        .then_nothing()
        .now_mail(Status.PARKED)
        .when(received(), answer=Found("sales@example.com", 1, "shop", ("b@example.org",)))
        .then_kinds(RouteResolved, SendScheduled)
        .now_mail(Status.SCHEDULED)
    )


def test_a_mail_parked_without_a_route_is_looked_up_again_when_it_is_driven_again() -> None:
    """One that has its targets, or whose end is known, is not."""
    redriven = RecordRedriven(quarantined="q", by="a person")
    found = Found("sales@example.com", 1, "shop", ("b@example.org",))
    (
        Story()
        .given(received(), RouteDeferred(reason="timed out", number=1, retry_at=0))
        .when(QUARANTINED)
        .then_nothing()
        .now_mail(Status.PARKED)
        .when(redriven, answer=found)
        .then_kinds(RouteResolved, SendScheduled)
        .now_mail(Status.SCHEDULED)
        .when(redriven, answer=found)
        .then_nothing()
    )
    ended = MailCompleted(ended={"unroutable": 1})
    Story().given(received(), RouteNotFound(tried=()), ended).when(redriven).then_nothing()


def test_names_are_asked_for_only_while_the_route_is_open() -> None:
    """At the receipt and at the timer of the last deferral."""
    state = mail.evolve(mail.INITIAL, received())
    names = ("sales@example.com", "@example.com")
    assert mail.asks(state, received()) == names
    assert mail.asks(state, fired(TimerKind.LOOKUP, number=0)) == names
    assert mail.asks(state, fired(TimerKind.LOOKUP, number=1)) == ()
    assert mail.asks(state, fired(TimerKind.UNKNOWN, number=0)) == ()
    assert mail.asks(mail.evolve(state, resolved()), received()) == ()


def test_what_is_due_later_follows_from_accepted_records() -> None:
    """A deferred look-up and an unknown outcome set a timer each; nothing else does."""
    deferral = RouteDeferred(reason="timed out", number=3, retry_at=after(8))
    record = fact(deferral, unknown("attempt-1", 2), accepted(), scheduled())
    assert mail.timers(record) == (
        Timer(SUBJECT, TimerKind.LOOKUP, "", 3, after(8)),
        Timer(SUBJECT, TimerKind.UNKNOWN, "attempt-1", 2, after(60)),
    )


def test_one_answer_serves_one_record_of_one_receipt() -> None:
    """The policy and the lifetime come from the rules, and are kept in what is decided."""
    rules = mail.Rules(lifetime_us=1_000_000, on_unknown=UnknownPolicy.PARK)
    story = Story(rules).when(
        received(), answer=Found("sales@example.com", 1, "shop", ("b@example.org",))
    )
    route, attempt = story.decided
    assert isinstance(route, RouteResolved)
    assert isinstance(attempt, SendScheduled)
    assert route.on_unknown is UnknownPolicy.PARK
    assert attempt.expires_at == after(1)
