"""What people want of a mail that has no targets (yet), or waits for a moderator, as stories."""

from __future__ import annotations

from dataclasses import replace

import pytest

from processors.mail import Rules, asks
from processors.moderation.rules import Rule
from processors.routing.decider import Found, NotFound, Unavailable
from schemas.events import (
    CommandAnswered,
    Event,
    MailApproved,
    MailCompleted,
    MailExpired,
    MailHeld,
    MailRejected,
    RecordQuarantined,
    RouteDeferred,
    RouteExpired,
    RouteNotFound,
    RouteReopened,
    SendCancelRequested,
    SendParked,
    SendTimeSet,
    TargetReopened,
)
from schemas.values import DAY_US, Command, ModerationAction, OnExpiry, Status, TimerKind
from tests.samples import (
    RECIPIENT,
    SUBJECT,
    accepted,
    after,
    fired,
    obeyed,
    ordered,
    received,
    refused,
    resolved,
    scheduled,
)
from tests.story import Story, attempt

FOUND = Found(RECIPIENT, 1, "shop", ("bob@example.org",))
OUTAGE = Unavailable("timed out")
LATER = after(4 * 24 * 3600)
"""The mail's first time is long over."""
NAMES = ("sales@example.com", "@example.com")
QUARANTINED = RecordQuarantined(
    application="core",
    shard_id="shardId-000000000000",
    sequence_number="1",
    partition_key=SUBJECT,
    reason="not msgpack",
    bucket="mail",
    object_key="quarantine/1",
)
HELD = MailHeld(rule="r", reason="look", expires_at=after(86_400), on_expiry=OnExpiry.APPROVE)
REOPENED = RouteReopened(by="ann", expires_at=LATER + 3 * DAY_US)
NEXT = scheduled(attempt(1), due_at=LATER, expires_at=LATER + 3 * DAY_US)

ENDED: list[tuple[tuple[Event, ...], Status]] = [
    ((RouteNotFound(tried=NAMES), MailCompleted(ended={"unroutable": 1})), Status.UNROUTABLE),
    ((RouteExpired(reason="out"), MailCompleted(ended={"expired": 1})), Status.EXPIRED),
    ((MailExpired(by="bea", why=""), MailCompleted(ended={"expired": 1})), Status.EXPIRED),
    ((MailRejected(by="bea", why=""), MailCompleted(ended={"rejected": 1})), Status.REJECTED),
    ((QUARANTINED,), Status.PARKED),
]


@pytest.mark.parametrize(("told", "status"), ENDED)
def test_a_mail_that_ended_without_a_route_is_looked_up_again(
    told: tuple[Event, ...], status: Status
) -> None:
    """Its time starts anew, and it completes like any other: once for each opening.

    What is in quarantine may be its route, by which the sender has sent it.
    """
    story = Story().given(received(), *told).now_mail(status)
    assert asks(story.mail, ordered(Command.RETRY)) == NAMES
    attempted = replace(NEXT, possible_duplicate=status is Status.PARKED)
    (
        story.when(ordered(Command.RETRY), answer=FOUND, at=LATER)
        .then(REOPENED, resolved(), attempted, obeyed("the mail is looked up again"))
        .now_mail(Status.SCHEDULED)
        .when(accepted(attempt(1)))
        .then(MailCompleted(ended={"completed": 1}))
        .now_mail(Status.COMPLETED)
    )


@pytest.mark.parametrize(("told", "status"), ENDED)
def test_a_mail_that_nobody_wants_ends_again(told: tuple[Event, ...], status: Status) -> None:
    """The alias is still not there: unroutable, and told as such once more."""
    (
        Story()
        .given(received(), *told)
        .now_mail(status)
        .when(ordered(Command.RETRY), answer=NotFound(), at=LATER)
        .then(
            REOPENED,
            RouteNotFound(tried=NAMES),
            MailCompleted(ended={"unroutable": 1}),
            obeyed("the mail is looked up again"),
        )
        .now_mail(Status.UNROUTABLE)
    )


def test_a_reopened_look_up_has_its_own_time() -> None:
    """An outage defers it until the new time is over; then the mail has expired again."""
    story = Story().given(received(), RouteExpired(reason="out"))
    story.when(ordered(Command.RETRY), answer=OUTAGE, at=LATER).then(
        REOPENED,
        RouteDeferred(reason="timed out", number=1, retry_at=LATER + 2_000_000),
        obeyed("the mail is looked up again"),
    )
    story.now_mail(Status.DEFERRED)
    last = LATER + 3 * DAY_US - 1_000_000
    (
        story.when(fired(TimerKind.LOOKUP, number=1), answer=OUTAGE, at=last)
        .then(RouteExpired(reason="timed out"), MailCompleted(ended={"expired": 1}))
        .now_mail(Status.EXPIRED)
    )


def test_a_reopened_mail_that_is_found_late_has_its_own_time_too() -> None:
    """Its attempts' time counts from the reopening, not from a receipt that is long past."""
    story = Story().given(received(), RouteExpired(reason="out"))
    story.when(ordered(Command.RETRY), answer=OUTAGE, at=LATER)
    story.given(*story.decided)
    story.when(fired(TimerKind.LOOKUP, number=1), answer=FOUND, at=LATER + 2_000_000)
    story.then(
        resolved(),
        scheduled(attempt(2), due_at=LATER + 2_000_000, expires_at=LATER + 3 * DAY_US),
    )


def test_the_timer_of_the_look_up_before_says_nothing() -> None:
    """The mail was cancelled while it was deferred, and its timer still stood."""
    story = Story().given(
        received(),
        RouteDeferred(reason="out", number=1, retry_at=after(2)),
        MailRejected(by="bea", why=""),
    )
    story.when(ordered(Command.RETRY), answer=OUTAGE, at=after(1))
    story.given(*story.decided)
    story.when(fired(TimerKind.LOOKUP, number=1), answer=FOUND, at=after(2)).then_nothing()
    story.now_mail(Status.DEFERRED)


def test_while_it_is_looked_up_there_is_nothing_to_retry() -> None:
    """The timer does that."""
    story = Story().given(received(), RouteDeferred(reason="out", number=1, retry_at=after(2)))
    assert asks(story.mail, ordered(Command.RETRY)) == ()
    story.when(ordered(Command.RETRY)).then_kinds(CommandAnswered)
    (answer,) = story.decided
    assert isinstance(answer, CommandAnswered)
    assert not answer.accepted


@pytest.mark.parametrize("told", [(), (RouteDeferred(reason="o", number=1, retry_at=after(2)),)])
@pytest.mark.parametrize(
    ("command", "ended", "status"),
    [
        (Command.EXPIRE, MailExpired(by="ann", why="too late"), Status.EXPIRED),
        (Command.CANCEL, MailRejected(by="ann", why="too late"), Status.REJECTED),
    ],
)
def test_a_mail_that_is_not_routed_is_ended(
    told: tuple[Event, ...], command: Command, ended: Event, status: Status
) -> None:
    """At once: there is no sender to ask; the look-up's timer finds it settled."""
    story = Story().given(received(), *told).when(ordered(command, why="too late"))
    said = {Command.EXPIRE: "the mail is expired", Command.CANCEL: "the mail is cancelled"}
    (
        story.then(ended, MailCompleted(ended={str(status): 1}), obeyed(said[command]))
        .now_mail(status)
        .when(fired(TimerKind.LOOKUP, number=len(told)), answer=FOUND, at=after(2))
        .then_nothing()
        .now_mail(status)
    )


@pytest.mark.parametrize(
    "command", [Command.EXPIRE, Command.CANCEL, Command.SEND_AT, Command.SEND_NOW]
)
def test_a_mail_that_ended_without_a_route_can_only_be_retried(command: Command) -> None:
    """It has no targets to do anything with."""
    story = Story().given(received(), RouteNotFound(tried=NAMES), MailCompleted(ended={}))
    story.when(ordered(command)).then(refused("the mail has no targets: it is unroutable"))


@pytest.mark.parametrize("command", Command)
def test_of_a_mail_that_is_not_known_nothing_can_be_wanted(command: Command) -> None:
    """Its receipt lies in quarantine, or there never was one."""
    unknown = refused("nothing is known of the mail but its id")
    Story().when(ordered(command)).then(unknown)
    Story().given(QUARANTINED).when(ordered(command)).then(unknown).now_mail(Status.PARKED)


def test_a_held_mail_that_is_parked_is_not_held_any_more() -> None:
    """Nobody knows what its quarantined record said: moderators and their clock are refused."""
    story = Story().given(received(), resolved(), HELD).when(QUARANTINED)
    story.then_kinds(SendParked, MailCompleted).now(Status.PARKED)
    story.when(ordered(Command.APPROVE)).then(refused("the mail is not held: it is parked"))
    story.when(ordered(Command.REJECT)).then(refused("the mail is not held: it is parked"))
    story.when(ordered(Command.EXPIRE)).then(refused("the mail has ended: 1 parked"))
    story.when(fired(TimerKind.MODERATION, due_at=after(86_400))).then_nothing()
    story.now(Status.PARKED)


def test_retried_it_goes_back_to_the_moderators() -> None:
    """Not past them; and it has at least a day there. What can't be read may be an approval."""
    story = Story().given(received(), resolved(), HELD).when(QUARANTINED)
    story.then_kinds(SendParked, MailCompleted)
    again = MailHeld(rule="r", reason="look", expires_at=LATER + DAY_US, on_expiry=OnExpiry.APPROVE)
    (
        story.when(ordered(Command.RETRY), at=LATER)
        .then(TargetReopened(target=0, by="ann"), again, obeyed("1 targets are tried again"))
        .now(Status.HELD)
        .when(ordered(Command.APPROVE, "command-2"), at=LATER)
        .then(
            MailApproved(by="ann", why=""),
            replace(NEXT, attempt_id=attempt(3), possible_duplicate=True),
            obeyed("the mail is approved", "command-2"),
        )
    )


def test_what_a_moderator_refused_a_person_can_still_send() -> None:
    """By retrying it: that is what retrying means; no rule is asked again."""
    rules = Rules(moderation=(Rule(name="all", action=ModerationAction.REJECT),))
    story = Story(rules).when(received(), answer=FOUND)
    story.given(*story.decided).now(Status.REJECTED)
    story.when(ordered(Command.RETRY), at=LATER)
    story.then(
        TargetReopened(target=0, by="ann"),
        scheduled(attempt(2), due_at=LATER, expires_at=LATER + 3 * DAY_US),
        obeyed("1 targets are tried again"),
    )


def test_a_quarantine_after_a_call_off_parks_all_the_same() -> None:
    """The sender is asked once more, and whatever it answers, the target has ended."""
    story = Story().given(received(), resolved(), scheduled()).when(ordered(Command.CANCEL))
    story.given(*story.decided).when(QUARANTINED)
    story.then_kinds(SendCancelRequested, SendParked, MailCompleted).now(Status.PARKED)


def test_a_time_that_was_set_before_the_mail_ended_is_still_wanted_when_it_is_retried() -> None:
    """Unless it is over, when the mail is due at once."""
    story = Story().given(
        received(), SendTimeSet(at=LATER + DAY_US, by="bea"), RouteNotFound(tried=NAMES)
    )
    story.when(ordered(Command.RETRY), answer=FOUND, at=LATER)
    due_at = LATER + DAY_US
    assert story.decided[2] == scheduled(attempt(1), due_at=due_at, expires_at=due_at + 3 * DAY_US)


REFUSALS = [
    (MailRejected(by="ann", why="spam"), Status.REJECTED, "rejected by ann"),
    (MailRejected(by="the rule spam", why=""), Status.REJECTED, "rejected by the rule spam"),
    (MailExpired(by="the rule r", why="too late"), Status.EXPIRED, "expired by the rule r"),
]


@pytest.mark.parametrize(("ended", "status", "told"), REFUSALS)
@pytest.mark.parametrize("routed", [True, False])
def test_in_bulk_a_mail_that_was_refused_is_not_tried_again(
    ended: Event, status: Status, told: str, *, routed: bool
) -> None:
    """Whoever chooses mails by status does not go past the moderators; who names one may."""
    known = (resolved("b@example.org"), HELD) if routed else ()
    story = Story().given(received(), *known, ended, MailCompleted(ended={str(status): 1}))
    story.when(ordered(Command.RETRY, detail=str(status)), at=LATER, answer=FOUND)
    story.then(refused(f"left out: the mail was {told}")).now_mail(status)
    story.when(ordered(Command.RETRY, "command-2"), at=LATER, answer=FOUND)
    story.given(*story.decided).now_mail(Status.SCHEDULED)


def test_in_bulk_a_mail_that_does_not_stand_so_any_more_is_not_looked_up() -> None:
    """It was unroutable when it was chosen; meanwhile somebody else had it looked up again."""
    story = Story().given(received(), RouteExpired(reason="timed out"))
    story.when(ordered(Command.RETRY, detail="unroutable"), at=LATER, answer=FOUND)
    assert story.decided[-1] == refused("the mail is not unroutable: it is expired")
    story.given(*story.decided).now_mail(Status.EXPIRED)
