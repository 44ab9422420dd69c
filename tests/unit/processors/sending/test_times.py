"""When a mail leaves, told as stories: as its alias's schedule says, or as a person wants it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.routing.decider import Found, Unavailable
from processors.sending.retries import wait_us
from processors.sending.schedule import next_moment, parse_window
from schemas.events import (
    Event,
    MailApproved,
    MailCompleted,
    MailHeld,
    RouteDeferred,
    RouteResolved,
    SendExpired,
    SendRescheduled,
    SendScheduled,
    SendTimeSet,
    TargetReopened,
)
from schemas.values import (
    DAY_US,
    HOUR_US,
    SECOND_US,
    Command,
    DeferReason,
    OnExpiry,
    Schedule,
    Status,
    TimerKind,
)
from tests.samples import (
    RECEIVED_AT,
    RECIPIENT,
    accepted,
    after,
    deferred,
    failed,
    fired,
    obeyed,
    ordered,
    received,
    refused,
    resolved,
    scheduled,
    started,
    unknown,
)
from tests.story import FIRST, Story, attempt

MORNING = "Mon-Fri 10:00-11:00 UTC"
"""The sample mail comes in on a Thursday at 08:53:20."""
OPENS_AT = after(4_000)
CLOSES_AT = OPENS_AT + HOUR_US
FRIDAY = OPENS_AT + DAY_US
MONDAY = OPENS_AT + 4 * DAY_US
IN_MORNINGS = Schedule(window=MORNING)
LIFETIME_US = 3 * DAY_US


def due(at: int, decision: int = 1, **changes: object) -> SendScheduled:
    """The first attempt, whose time counts from when it is due."""
    return scheduled(attempt(decision), due_at=at, expires_at=at + LIFETIME_US, **changes)


def waiting(schedule: Schedule = IN_MORNINGS) -> Story:
    """A mail whose first attempt waits for ten o'clock."""
    first = scheduled(due_at=OPENS_AT, expires_at=OPENS_AT + LIFETIME_US)
    return Story().given(received(), resolved(schedule=schedule), first)


def found(schedule: Schedule) -> Found:
    """What the repository says of an alias with a schedule."""
    return Found(RECIPIENT, 1, "shop", ("bob@example.org",), schedule=schedule)


SCHEDULES = [
    (Schedule(not_before=after(7_200)), after(7_200)),
    (Schedule(delay_us=90 * SECOND_US), after(90)),
    (IN_MORNINGS, OPENS_AT),
    (Schedule(not_before=after(7_200), delay_us=90 * SECOND_US), after(7_200)),
    (Schedule(not_before=CLOSES_AT, window=MORNING), FRIDAY),
    (Schedule(delay_us=2 * DAY_US, window=MORNING), MONDAY),
]


@pytest.mark.parametrize(("schedule", "at"), SCHEDULES)
def test_a_mail_is_due_when_its_alias_says(schedule: Schedule, at: int) -> None:
    """Not before a moment, after a delay, within a window; and its time counts from then."""
    (
        Story()
        .when(received(), answer=found(schedule))
        .then(resolved(schedule=schedule), due(at))
        .now(Status.SCHEDULED)
    )


def test_a_schedule_that_is_over_holds_nothing_up() -> None:
    """Due at once; its time counts from the receipt as without a schedule."""
    past = Schedule(not_before=after(-1), window="daily 00:00-24:00 UTC")
    Story().when(received(), answer=found(past)).then(
        resolved(schedule=past), scheduled(attempt(1))
    )


def test_a_delay_counts_from_the_receipt() -> None:
    """What the look-up's outage took of it is not waited for again."""
    slow = Schedule(delay_us=90 * SECOND_US)
    story = Story().when(received(), answer=Unavailable("timed out")).then_kinds(RouteDeferred)
    story.when(fired(TimerKind.LOOKUP, number=1), answer=found(slow), at=after(60))
    story.then(resolved(schedule=slow), due(after(90), decision=2))
    late = Story().when(received(), answer=Unavailable("timed out")).then_kinds(RouteDeferred)
    late.when(fired(TimerKind.LOOKUP, number=1), answer=found(slow), at=after(600))
    (_, attempt_) = late.decided
    assert isinstance(attempt_, SendScheduled)
    assert attempt_.due_at == after(600)


@given(
    now=st.integers(0, 30 * DAY_US),
    not_before=st.just(0) | st.integers(0, 30 * DAY_US).map(lambda each: RECEIVED_AT + each),
    delay_us=st.just(0) | st.integers(0, 30 * DAY_US),
    window=st.sampled_from(["", MORNING, "Sat,Sun 22:00-06:00 Europe/Berlin"]),
)
def test_no_attempt_is_earlier_than_any_part_of_the_schedule_allows(
    now: int, not_before: int, delay_us: int, window: str
) -> None:
    """Whenever the mail is decided upon; and none is later than it has to be."""
    plan = Schedule(not_before=not_before, delay_us=delay_us, window=window)
    story = Story().when(received(), answer=found(plan), at=RECEIVED_AT + now)
    (_, first) = story.decided
    assert isinstance(first, SendScheduled)
    earliest = max(RECEIVED_AT + now, not_before, RECEIVED_AT + delay_us)
    assert first.due_at == (next_moment(parse_window(window), earliest) if window else earliest)
    assert first.expires_at >= first.due_at or first.due_at == RECEIVED_AT + now


def test_an_approved_mail_waits_for_its_window() -> None:
    """A moderator's yes is no exception from the alias's hours."""
    held = MailHeld(rule="r", reason="", expires_at=after(9e9), on_expiry=OnExpiry.EXPIRE)
    (
        Story()
        .given(received(), resolved(schedule=IN_MORNINGS), held)
        .when(ordered(Command.APPROVE), at=CLOSES_AT)
        .then(MailApproved(by="ann", why=""), due(FRIDAY), obeyed("the mail is approved"))
    )


def test_a_retry_within_the_window_waits_as_usual() -> None:
    """The window adds nothing to the wait that ends inside it."""
    at = OPENS_AT + HOUR_US // 2
    story = waiting().when(deferred(DeferReason.TRANSIENT), at=at)
    story.then(_second(at + wait_us(DeferReason.TRANSIENT, 1, FIRST)))


@pytest.mark.parametrize("reason", [each for each in DeferReason if each != DeferReason.NOT_CALLED])
def test_a_retry_behind_the_window_waits_for_the_next_one(reason: DeferReason) -> None:
    """Whatever was deferred for, at a second before eleven."""
    waiting().when(deferred(reason), at=CLOSES_AT - 1).then(_second(FRIDAY))


def test_what_is_sent_again_waits_for_the_window_too() -> None:
    """After an unknown outcome, and after a call that was not made after all."""
    story = waiting().given(started(), unknown())
    story.when(fired(TimerKind.UNKNOWN, FIRST), at=CLOSES_AT).then(_second(FRIDAY, duplicate=True))
    story = waiting().given(started(), unknown())
    story.when(deferred(DeferReason.NOT_CALLED), at=CLOSES_AT).then(_second(FRIDAY))


def _second(at: int, *, duplicate: bool = False) -> SendScheduled:
    return scheduled(
        attempt(1, 2),
        number=2,
        due_at=at,
        expires_at=OPENS_AT + LIFETIME_US,
        possible_duplicate=duplicate,
    )


def test_a_mail_expires_whose_window_does_not_open_in_its_time() -> None:
    """Its next hour would be on Monday, and its time is over on Sunday."""
    (
        waiting()
        .given(deferred(DeferReason.TRANSIENT), _second(FRIDAY))
        .when(deferred(DeferReason.TRANSIENT, attempt(1, 2)), at=FRIDAY + HOUR_US)
        .then(
            SendExpired(target=0, attempt_id=attempt(1, 2)),
            MailCompleted(ended={"expired": 1}),
        )
    )


def _rescheduled(at: int, name: str = FIRST) -> SendRescheduled:
    return SendRescheduled(target=0, attempt_id=name, due_at=at, expires_at=at + LIFETIME_US)


def test_a_waiting_mail_is_moved_to_the_time_that_a_person_wants() -> None:
    """Earlier or later, whatever the schedule says."""
    for at in (after(60), MONDAY + 6 * HOUR_US):
        (
            waiting()
            .when(ordered(Command.SEND_AT, at=at), at=after(10))
            .then(
                SendTimeSet(at=at, by="ann"),
                _rescheduled(at),
                obeyed("its time is set: 1 attempt was waiting"),
            )
            .now(Status.SCHEDULED)
        )


def test_a_mail_is_sent_now() -> None:
    """The window is no hindrance, nor is the moment before which it was not to leave."""
    for schedule in (IN_MORNINGS, Schedule(not_before=OPENS_AT)):
        (
            waiting(schedule)
            .when(ordered(Command.SEND_NOW), at=after(10))
            .then(
                SendTimeSet(at=after(10), by="ann"),
                _rescheduled(after(10)),
                obeyed("it is sent now: 1 attempt was waiting"),
            )
        )


def test_a_time_in_the_past_is_now() -> None:
    """Nothing is ever due before it was decided."""
    story = waiting().when(ordered(Command.SEND_AT, at=after(-99)), at=after(10))
    assert story.decided[:2] == (SendTimeSet(at=after(10), by="ann"), _rescheduled(after(10)))


def test_retries_after_a_person_has_set_the_time_mind_no_window() -> None:
    """Who wants it now does not want it tomorrow at ten because SES had a hiccup."""
    story = waiting().when(ordered(Command.SEND_NOW), at=after(10))
    story.given(*story.decided).when(deferred(DeferReason.TRANSIENT), at=after(20))
    (second,) = story.decided
    assert isinstance(second, SendScheduled)
    assert second.due_at == after(20) + wait_us(DeferReason.TRANSIENT, 1, FIRST)


@pytest.mark.parametrize(
    "told",
    [(), (RouteDeferred(reason="timed out", number=1, retry_at=after(2)),)],
    ids=["just received", "look-up deferred"],
)
def test_the_time_can_be_set_before_the_route_is_known(told: tuple[Event, ...]) -> None:
    """It holds when the route is found, for all targets of it."""
    story = Story().given(received(), *told).when(ordered(Command.SEND_AT, at=after(5_000)))
    (
        story.then(
            SendTimeSet(at=after(5_000), by="ann"),
            obeyed("its time is set: 0 attempts were waiting"),
        )
        .when(fired(TimerKind.LOOKUP, number=len(told)), answer=found(IN_MORNINGS), at=after(100))
        .then(resolved(schedule=IN_MORNINGS), due(after(5_000), decision=2))
    )


def test_the_time_can_be_set_before_the_approval() -> None:
    """The mail stays held until a moderator lets it go; then it waits for that time."""
    held = MailHeld(rule="r", reason="", expires_at=after(9e9), on_expiry=OnExpiry.EXPIRE)
    story = Story().given(received(), resolved(schedule=IN_MORNINGS), held)
    (
        story.when(ordered(Command.SEND_AT, at=after(5_000)))
        .then(
            SendTimeSet(at=after(5_000), by="ann"),
            obeyed("its time is set: 0 attempts were waiting"),
        )
        .now(Status.HELD)
        .when(ordered(Command.APPROVE), at=after(100))
        .then(
            MailApproved(by="ann", why=""),
            due(after(5_000), decision=2),
            obeyed("the mail is approved"),
        )
    )


@pytest.mark.parametrize("command", [Command.SEND_AT, Command.SEND_NOW])
@pytest.mark.parametrize(
    ("told", "standing"),
    [
        ((accepted(),), "1 completed"),
        ((failed(),), "1 rejected"),
        ((started(),), "1 sending"),
        ((started(), unknown()), "1 unknown"),
    ],
)
def test_what_does_not_wait_any_more_can_not_be_moved(
    command: Command, told: tuple[Event, ...], standing: str
) -> None:
    """It is in the air, or has ended."""
    story = waiting().given(*told).when(ordered(command, at=MONDAY))
    assert story.decided[-1] == refused(f"nothing of the mail waits any more: {standing}")
    assert not [each for each in story.decided if isinstance(each, SendTimeSet | SendRescheduled)]


def test_only_the_targets_that_wait_are_moved() -> None:
    """Of two targets one has its mail already."""
    story = Story().given(
        received(),
        resolved("b@example.org", "c@example.org"),
        scheduled("attempt-1"),
        scheduled("attempt-2", target=1),
        accepted("attempt-1"),
    )
    story.when(ordered(Command.SEND_AT, at=MONDAY))
    moved = [each for each in story.decided if isinstance(each, SendRescheduled)]
    assert [each.target for each in moved] == [1]


def test_a_reopened_target_goes_by_the_schedule() -> None:
    """Retried outside of its hours it waits for them; retried and sent now, it doesn't."""
    story = waiting().given(failed(), MailCompleted(ended={"rejected": 1}))
    story.when(ordered(Command.RETRY), at=CLOSES_AT)
    again = scheduled(attempt(1, 2), number=2, due_at=FRIDAY, expires_at=FRIDAY + LIFETIME_US)
    story.then(TargetReopened(target=0, by="ann"), again, obeyed("1 targets are tried again"))
    story.when(ordered(Command.SEND_NOW, "command-2"), at=CLOSES_AT)
    assert story.decided[1] == _rescheduled(CLOSES_AT, attempt(1, 2))


def test_a_moved_mail_still_completes() -> None:
    """The attempt is the same one: its outcome is as good as before."""
    story = waiting().when(ordered(Command.SEND_NOW), at=after(10))
    story.then_kinds(SendTimeSet, SendRescheduled, type(obeyed("")))
    story.when(accepted()).then(MailCompleted(ended={"completed": 1})).now(Status.COMPLETED)


def test_a_route_tells_its_schedule() -> None:
    """What the alias said when the mail came in holds for it, whatever becomes of the alias."""
    story = Story().when(received(), answer=found(IN_MORNINGS))
    route = story.decided[0]
    assert isinstance(route, RouteResolved)
    assert route.schedule == IN_MORNINGS
    assert story.given(*story.decided).mail.sending.schedule == IN_MORNINGS
