"""Whatever happens to a mail and whatever people want of it, in any order: what always holds."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from processors import mail
from processors.moderation.rules import Rule
from processors.routing.decider import Answer, Found, NotFound, Unavailable
from schemas.events import (
    CommandAnswered,
    CommandGiven,
    Event,
    MailCompleted,
    MailReceived,
    RecordQuarantined,
    RecordRedriven,
    RouteReopened,
    RouteResolved,
    SendCancelled,
    SendExpired,
    SendHeldBack,
    SendScheduled,
    SendSuppressed,
    TargetReopened,
)
from schemas.values import (
    HOUR_US,
    SECOND_US,
    Command,
    DeferReason,
    ModerationAction,
    OnExpiry,
    Schedule,
    Status,
    TimerKind,
    UnknownPolicy,
)
from tests.event_strategies import events
from tests.samples import (
    RECEIVED_AT,
    RECIPIENT,
    SUBJECT,
    accepted,
    bounced,
    complained,
    deferred,
    delivered,
    failed,
    fired,
    ordered,
    received,
    rejected,
    started,
    unknown,
)

WINDOW = "Mon-Fri 10:00-11:00 Europe/Berlin"
QUARANTINED = RecordQuarantined(
    application="core",
    shard_id="s",
    sequence_number="1",
    partition_key=SUBJECT,
    reason="not msgpack",
    bucket="mail",
    object_key="quarantine/1",
)
RULES = st.builds(
    mail.Rules,
    lifetime_us=st.sampled_from([HOUR_US, 72 * HOUR_US]),
    on_unknown=st.sampled_from(UnknownPolicy),
    moderation=st.lists(
        st.builds(
            Rule,
            name=st.sampled_from(["one", "two"]),
            action=st.sampled_from(ModerationAction),
            tag=st.just("tag"),
            expires_after_us=st.just(HOUR_US),
            on_expiry=st.sampled_from(OnExpiry),
        ),
        max_size=2,
    ).map(tuple),
)
ANSWERS = st.one_of(
    st.builds(
        Found,
        st.just(RECIPIENT),
        st.just(1),
        st.just("shop"),
        st.sampled_from([("b@example.org",), ("c@example.org", "d@example.org")]),
        moderated=st.booleans(),
        schedule=st.builds(
            Schedule,
            delay_us=st.sampled_from([0, 90 * SECOND_US]),
            window=st.sampled_from(["", WINDOW]),
        ),
    ),
    st.sampled_from([NotFound(), Unavailable("timed out"), None]),
)
WAITS = st.sampled_from([0, SECOND_US, HOUR_US, 50 * HOUR_US])
COMMANDS = st.builds(
    ordered,
    st.sampled_from(Command),
    at=st.sampled_from([0, RECEIVED_AT, RECEIVED_AT + 100 * HOUR_US]),
    why=st.sampled_from(["", "because"]),
)


@dataclass
class Life:
    """One mail, every fact of which is decided; and what holds at each step."""

    rules: mail.Rules
    mail: mail.Mail = mail.INITIAL
    now: int = RECEIVED_AT
    steps: int = 0
    open: bool = True
    attempts: list[SendScheduled] = field(default_factory=list)

    def learn(self, fact: Event, answer: Answer | None) -> tuple[Event, ...]:
        """Fold a fact, decide twice on it, and fold what was decided."""
        self.steps += 1
        self.mail = mail.evolve(self.mail, fact)
        decided = self._decide(fact, answer)
        assert self._decide(fact, answer) == decided
        self._check_answer(fact, decided)
        for event in decided:
            self.mail = mail.evolve(self.mail, event)
            match event:
                case MailCompleted():
                    assert self.open, "completed twice"
                    self.open = False
                case RouteReopened() | TargetReopened():
                    self.open = True
                case SendScheduled():
                    self.attempts.append(event)
        return decided

    def _decide(self, fact: Event, answer: Answer | None) -> tuple[Event, ...]:
        asked = mail.asks(self.mail, fact)
        return mail.decide(
            self.mail,
            fact,
            answer if asked else None,
            decision_id=f"decision-{self.steps}",
            now=self.now,
            rules=self.rules,
        )

    def _check_answer(self, fact: Event, decided: tuple[Event, ...]) -> None:
        answers = [event for event in decided if isinstance(event, CommandAnswered)]
        assert len(answers) == isinstance(fact, CommandGiven)
        for answer in answers:
            assert answer.command_id == getattr(fact, "command_id", None)
            assert answer.answer
            assert answer.accepted or decided == (answer,), "a refusal has no consequences"


def _report(life: Life, data: st.DataObject) -> Event:
    """What a sender or SES tells of an attempt: of the current one or of an older one."""
    attempt = data.draw(st.sampled_from(life.attempts))
    about: Any = (attempt.attempt_id, attempt.target)
    ids = {"target": attempt.target, "attempt_id": attempt.attempt_id}
    told: list[Event] = [
        *(kind(*about) for kind in (accepted, bounced, complained, delivered, failed, rejected)),
        *(deferred(reason, about[0], 0, about[1]) for reason in DeferReason),
        started(about[0], 0, about[1]),
        unknown(about[0], 0, about[1]),
        fired(TimerKind.UNKNOWN, about[0], 0),
        SendExpired(**ids),
        SendCancelled(**ids),
        SendSuppressed(**ids, reason="by hand"),
        SendHeldBack(**ids, round=0, rule="breaker", reason="too much came back"),
    ]
    return data.draw(st.sampled_from(told))


def _fact(life: Life, data: st.DataObject) -> Event:
    """What may happen next, as core, sender and people are."""
    moderation = life.mail.moderation
    told: list[st.SearchStrategy[Event]] = [
        COMMANDS,
        st.sampled_from([QUARANTINED, RecordRedriven(quarantined="q", by="bea")]),
        st.builds(fired, st.just(TimerKind.LOOKUP), number=st.integers(0, 3)),
        st.just(fired(TimerKind.MODERATION, due_at=moderation.expires_at)),
        st.just(received(notification_key="another")),
    ]
    if life.attempts and data.draw(st.booleans()):
        return _report(life, data)
    return data.draw(st.one_of(told))


def _lived(data: st.DataObject) -> Life:
    """A mail's receipt and up to fifteen things after it."""
    life = Life(data.draw(RULES))
    life.learn(received(), data.draw(ANSWERS))
    for _ in range(data.draw(st.integers(0, 15))):
        life.now += data.draw(WAITS)
        life.learn(_fact(life, data), data.draw(ANSWERS))
        check_waiting(life)
    return life


def check_waiting(life: Life) -> None:
    """After each decision: what is open waits for something that will come."""
    targets = life.mail.sending.targets
    ended = all(target.has_ended for target in targets) if targets else life.mail.ended_unrouted
    if not life.open:
        assert ended, "completed with something open"
    if ended and not life.mail.route.parked:
        assert not life.open, "ended and not completed"
    for target in targets:
        match target.status:
            case Status.HELD:
                assert life.mail.moderation.held
            case Status.SCHEDULED | Status.SENDING:
                assert target.outstanding, "nobody will ever report"
            case Status.UNKNOWN:
                assert target.unknown_round >= 0
            case status:
                assert target.has_ended, f"it waits for nothing: {status}"


@settings(max_examples=300)
@given(st.data())
def test_a_mail_is_never_stuck_and_completes_once_for_each_opening(data: st.DataObject) -> None:
    """Every command has one answer; what is open waits for a report, a timer or a person."""
    life = _lived(data)
    names = [each.attempt_id for each in life.attempts]
    assert len(set(names)) == len(names)
    numbers: dict[int, int] = {}
    for each in life.attempts:
        assert each.number == numbers.get(each.target, 0) + 1
        numbers[each.target] = each.number
        assert each.due_at >= RECEIVED_AT


def _checked(event: Event) -> Event:
    """A window is checked where it comes in: what stands on the log can be read."""
    if not isinstance(event, RouteResolved):
        return event
    return replace(event, schedule=replace(event.schedule, window=WINDOW))


@given(st.lists(st.one_of(COMMANDS, events().map(_checked)), max_size=10), st.data())
def test_whatever_is_told_every_command_has_one_answer(
    told: list[Event], data: st.DataObject
) -> None:
    """However absurd: nothing ends the worker, and deciding twice gives the same."""
    life = Life(data.draw(RULES))
    for fact in told:
        life.now += data.draw(WAITS)
        # Absurd events complete and reopen as they like.
        life.open = True
        life.learn(fact, data.draw(ANSWERS))


@given(st.data())
def test_after_every_end_a_retry_leads_somewhere(data: st.DataObject) -> None:
    """A mail that ended otherwise than well is open again, or has ended anew, with an answer."""
    life = _lived(data)
    ended = not life.open or life.mail.route.parked
    if not ended or not isinstance(life.mail.received, MailReceived):
        return
    if all(target.status is Status.COMPLETED for target in life.mail.sending.targets) and (
        life.mail.sending.targets
    ):
        return
    decided = life.learn(ordered(Command.RETRY, "again"), data.draw(ANSWERS))
    (answer,) = (event for event in decided if isinstance(event, CommandAnswered))
    assert answer.accepted
    check_waiting(life)
