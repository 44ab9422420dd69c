"""Moderation as a story: the rules hold, a moderator decides, or in the end the clock does."""

from __future__ import annotations

import pytest

from processors.kernel import Timer
from processors.mail import Rules, timers
from processors.moderation.rules import Rule
from processors.routing.decider import Found
from schemas.events import (
    Event,
    MailApproved,
    MailCompleted,
    MailExpired,
    MailHeld,
    MailRejected,
    ModerationDecided,
    RouteResolved,
    SendScheduled,
    TimerFired,
)
from schemas.values import DAY_US, Command, ModerationAction, OnExpiry, Status, TimerKind
from tests.samples import (
    RECEIVED_AT,
    RECIPIENT,
    SUBJECT,
    after,
    fact,
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
TWO = Found(RECIPIENT, 1, "shop", ("bob@example.org", "eve@example.org"))
MODERATED = Found(RECIPIENT, 1, "shop", ("bob@example.org",), moderated=True)
PASS = Rule(name="friends", action=ModerationAction.PASS, reason="known", senders=("ann@*",))
TAG = Rule(name="lists", action=ModerationAction.TAG, tag="list")
REJECT = Rule(name="spam", action=ModerationAction.REJECT, reason="SES calls it spam")
HOLD = Rule(
    name="strangers", action=ModerationAction.HOLD, reason="unknown", expires_after_us=DAY_US
)
HELD_UNTIL = RECEIVED_AT + DAY_US


def decided_by(rule: Rule, *tags: str) -> ModerationDecided:
    """What the rules say of the mail."""
    return ModerationDecided(action=rule.action, rule=rule.name, reason=rule.reason, tags=tags)


def is_held(on_expiry: OnExpiry = OnExpiry.EXPIRE) -> MailHeld:
    """It waits for a day."""
    return MailHeld(rule="strangers", reason="unknown", expires_at=HELD_UNTIL, on_expiry=on_expiry)


def held(*addresses: str, on_expiry: OnExpiry = OnExpiry.EXPIRE) -> Story:
    """A mail that waits for a moderator."""
    return Story().given(received(), resolved(*addresses), decided_by(HOLD), is_held(on_expiry))


def deadline(at: int = HELD_UNTIL) -> TimerFired:
    """The moderator's time is over."""
    return fired(TimerKind.MODERATION, due_at=at)


def test_a_decision_names_the_version_of_the_rules_and_the_rules_line() -> None:
    """So that history can tell which text decided; for the built-in rule there is no line."""
    rule = Rule(name="spam", action=ModerationAction.REJECT, reason="spam", line=12)
    story = Story(Rules(moderation=(rule,), rules_digest="ab12")).when(received(), answer=FOUND)
    (said,) = [event for event in story.decided if isinstance(event, ModerationDecided)]
    assert (said.rules_digest, said.rule_line) == ("ab12", 12)
    story = Story(Rules(moderation=(), rules_digest="ab12")).when(received(), answer=MODERATED)
    (said,) = [event for event in story.decided if isinstance(event, ModerationDecided)]
    assert (said.rules_digest, said.rule_line) == ("ab12", 0)


def test_a_mail_that_no_rule_speaks_of_passes_in_silence() -> None:
    """No event tells that nothing was to be said."""
    rules = Rules(moderation=(Rule(name="big", action=ModerationAction.HOLD, larger_than=9999),))
    Story(rules).when(received(), answer=FOUND).then_kinds(RouteResolved, SendScheduled)


def test_a_rule_that_passes_is_named() -> None:
    """The mail goes on in the same decision, past the rules behind it."""
    (
        Story(Rules(moderation=(PASS, REJECT)))
        .when(received(), answer=FOUND)
        .then(resolved(), decided_by(PASS), scheduled(attempt(1)))
        .now(Status.SCHEDULED)
    )


def test_tags_stay_with_a_mail_that_passes() -> None:
    """A tag alone decides nothing, and is told with what does: here that nothing else fits."""
    story = Story(Rules(moderation=(TAG,))).when(received(), answer=FOUND)
    silent = ModerationDecided(action=ModerationAction.PASS, rule="", reason="", tags=("list",))
    story.then(resolved(), silent, scheduled(attempt(1)))
    assert story.mail.moderation.tags == ("list",)


def test_a_rule_rejects_at_once() -> None:
    """Route, verdict and end in one decision; nothing is ever scheduled."""
    (
        Story(Rules(moderation=(TAG, REJECT)))
        .when(received(), answer=TWO)
        .then(
            resolved("bob@example.org", "eve@example.org"),
            decided_by(REJECT, "list"),
            MailRejected(by="the rule spam", why="SES calls it spam"),
            MailCompleted(ended={"rejected": 2}),
        )
        .now(Status.REJECTED, Status.REJECTED)
        .now_mail(Status.REJECTED)
    )


def test_a_rule_holds() -> None:
    """Every target waits, for as long as the rule says; a timer is set for that."""
    story = Story(Rules(moderation=(TAG, HOLD))).when(received(), answer=TWO)
    (
        story.then(
            resolved("bob@example.org", "eve@example.org"), decided_by(HOLD, "list"), is_held()
        )
        .now(Status.HELD, Status.HELD)
        .now_mail(Status.HELD)
    )
    assert timers(fact(is_held())) == (Timer(SUBJECT, TimerKind.MODERATION, "", 0, HELD_UNTIL),)


def test_the_mail_of_a_moderated_alias_is_held() -> None:
    """Whatever rules there are, unless one decides; and the route tells that it is moderated."""
    story = Story().when(received(), answer=MODERATED)
    story.then_kinds(RouteResolved, ModerationDecided, MailHeld).now(Status.HELD)
    assert story.decided[0] == resolved(moderated=True)
    assert story.mail.moderation.rule == "moderated alias"
    (
        Story(Rules(moderation=(PASS,)))
        .when(received(), answer=MODERATED)
        .then_kinds(RouteResolved, ModerationDecided, SendScheduled)
    )


def test_an_approved_mail_goes() -> None:
    """All of its targets are scheduled; their time counts from the approval."""
    (
        held("bob@example.org", "eve@example.org")
        .when(ordered(Command.APPROVE, why="a customer"), at=after(3600))
        .then(
            MailApproved(by="ann", why="a customer"),
            *(
                scheduled(
                    attempt(1, target=index),
                    target=index,
                    address=address,
                    due_at=after(3600),
                    expires_at=after(3600) + 3 * DAY_US,
                )
                for index, address in enumerate(("bob@example.org", "eve@example.org"))
            ),
            obeyed("the mail is approved"),
        )
        .now(Status.SCHEDULED, Status.SCHEDULED)
    )


def test_a_rejected_mail_ends() -> None:
    """It never had an attempt."""
    (
        held()
        .when(ordered(Command.REJECT, why="spam"))
        .then(
            MailRejected(by="ann", why="spam"),
            MailCompleted(ended={"rejected": 1}),
            obeyed("the mail is rejected"),
        )
        .now_mail(Status.REJECTED)
    )


BY_CLOCK: list[tuple[OnExpiry, type[Event], Status]] = [
    (OnExpiry.EXPIRE, MailExpired, Status.EXPIRED),
    (OnExpiry.REJECT, MailRejected, Status.REJECTED),
    (OnExpiry.APPROVE, MailApproved, Status.SCHEDULED),
]


@pytest.mark.parametrize(("policy", "kind", "status"), BY_CLOCK)
def test_what_nobody_decides_about_the_rules_policy_does(
    policy: OnExpiry, kind: type[Event], status: Status
) -> None:
    """When the moderator's time is over: the rule speaks, and the mail ends or goes."""
    story = held(on_expiry=policy).when(deadline(), at=HELD_UNTIL)
    first, last = story.decided
    assert first == kind(by="the rule strangers", why="nobody decided in time")  # type: ignore[call-arg]
    story.then(first, last).now(status)
    if status is Status.SCHEDULED:
        assert last == scheduled(attempt(1), due_at=HELD_UNTIL, expires_at=HELD_UNTIL + 3 * DAY_US)
    else:
        assert last == MailCompleted(ended={str(status): 1})


@pytest.mark.parametrize("policy", OnExpiry)
def test_the_deadline_of_a_mail_that_was_decided_about_says_nothing(policy: OnExpiry) -> None:
    """It still fires, and finds nothing to do; neither does it come twice."""
    for command in (Command.APPROVE, Command.REJECT):
        story = held(on_expiry=policy).when(ordered(command))
        story.given(*story.decided).when(deadline(), at=HELD_UNTIL).then_nothing()
    story = held(on_expiry=policy).when(deadline(), at=HELD_UNTIL)
    story.given(*story.decided).when(deadline(), at=HELD_UNTIL + 1).then_nothing()


def test_a_deadline_that_is_not_this_one_says_nothing() -> None:
    """Only the time that was told when the mail was held counts."""
    held().when(deadline(HELD_UNTIL - 1), at=HELD_UNTIL).then_nothing().now(Status.HELD)


FIRST: list[tuple[Event, str]] = [
    (ordered(Command.APPROVE, by="bea"), "approved by bea"),
    (ordered(Command.REJECT, by="bea"), "rejected by bea"),
    (ordered(Command.EXPIRE, by="bea"), "expired by bea"),
    (ordered(Command.CANCEL, by="bea"), "rejected by bea"),
    (deadline(), "expired by the rule strangers"),
]


@pytest.mark.parametrize(("first", "standing"), FIRST)
@pytest.mark.parametrize("second", [Command.APPROVE, Command.REJECT])
def test_the_second_decision_is_refused_and_told_who_came_first(
    first: Event, standing: str, second: Command
) -> None:
    """A refusal is an answer: nothing else follows."""
    story = held().when(first, at=HELD_UNTIL)
    (
        story.given(*story.decided)
        .when(ordered(second, "command-2"))
        .then(refused(f"the mail is not held: {standing}", "command-2"))
    )


def test_a_rules_rejection_is_told_too() -> None:
    """A moderator who comes too late for the rules hears which one it was."""
    story = Story(Rules(moderation=(REJECT,))).when(received(), answer=FOUND)
    (
        story.given(*story.decided)
        .when(ordered(Command.APPROVE))
        .then(refused("the mail is not held: rejected by the rule spam"))
    )


@pytest.mark.parametrize("command", [Command.APPROVE, Command.REJECT])
def test_a_mail_that_was_never_held_is_not_decided_about(command: Command) -> None:
    """Nor is one of which nothing is known."""
    story = Story().given(received(), resolved(), scheduled())
    story.when(ordered(command)).then(refused("the mail is not held: no rule holds it"))
    (
        Story()
        .when(ordered(command))
        .then(refused("nothing is known of the mail but its id"))
        .now_mail(Status.RECEIVED)
    )


@pytest.mark.parametrize(
    ("command", "event", "status"),
    [
        (Command.EXPIRE, MailExpired(by="ann", why="too late"), Status.EXPIRED),
        (Command.CANCEL, MailRejected(by="ann", why="too late"), Status.REJECTED),
    ],
)
def test_a_held_mail_can_be_ended_like_any_other(
    command: Command, event: Event, status: Status
) -> None:
    """Expired or cancelled, with the reason that was given."""
    (
        held()
        .when(ordered(command, why="too late"))
        .then_kinds(type(event), MailCompleted, type(obeyed("")))
        .now(status)
    )
    story = held().when(ordered(command, why="too late"))
    assert story.decided[0] == event


def test_a_mail_is_moderated_once() -> None:
    """A second receipt, or a redrive, of a mail that was approved does not hold it again."""
    rules = Rules(moderation=(HOLD,))
    story = Story(rules).when(received(), answer=FOUND)
    story.given(*story.decided).when(ordered(Command.APPROVE))
    story.given(*story.decided).now(Status.SCHEDULED)
    story.when(received(notification_key="another"), answer=FOUND).then_nothing()
    story.now(Status.SCHEDULED)


@pytest.mark.parametrize("command", [Command.EXPIRE, Command.CANCEL])
def test_a_mail_that_was_ended_before_its_route_was_known_is_moderated_when_it_is_retried(
    command: Command,
) -> None:
    """No rule has seen it yet; a person's end of it was none of moderation's business."""
    for rules, status in ((Rules(moderation=(HOLD,)), Status.HELD), (Rules(), Status.SCHEDULED)):
        story = Story(rules).given(received()).when(ordered(command))
        story.given(*story.decided).when(ordered(Command.RETRY, "command-2"), answer=FOUND)
        story.given(*story.decided).now(status)
