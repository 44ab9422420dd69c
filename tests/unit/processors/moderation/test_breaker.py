"""The breaker: too much that came back holds the next mail, and the reason has the numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors import mail
from processors.kernel import NO_RETURNS, Returns
from processors.mail import Rules
from processors.moderation.breaker import RULE, Breaker, source_of
from processors.moderation.rules import Rule
from processors.routing.decider import Found
from schemas.events import Event, MailHeld, MailRejected, ModerationDecided, SendScheduled
from schemas.values import DAY_US, HOUR_US, Command, ModerationAction, OnExpiry, Status
from tests.samples import RECEIVED_AT, RECIPIENT, ordered, received

FOUND = Found(RECIPIENT, 1, "shop", ("bob@example.org",))
BAD = Returns(answered=40, returned=3)
FEW = Returns(answered=19, returned=19)
FINE = Returns(answered=40, returned=2)


def decided(found: Found, rules: Rules | None = None) -> tuple[Event, ...]:
    """What follows from a mail that was looked up so."""
    state = mail.evolve(mail.INITIAL, received())
    return mail.decide(
        state, received(), found, decision_id="d", now=RECEIVED_AT, rules=rules or Rules()
    )


@pytest.mark.parametrize(
    ("of_alias", "of_source", "told"),
    [
        (
            BAD,
            NO_RETURNS,
            "3 of 40 mails to this alias came back within 24 h: 7.5 %, more than 5 %",
        ),
        (FINE, BAD, "3 of 40 mails of this sender came back within 24 h: 7.5 %, more than 5 %"),
    ],
)
def test_what_comes_back_too_often_holds_the_next_mail(
    of_alias: Returns, of_source: Returns, told: str
) -> None:
    """The reason has the numbers, and the log keeps them: a replay asks nobody again."""
    found = replace(FOUND, of_alias=of_alias, of_source=of_source)
    _, said, held = decided(found)
    assert said == ModerationDecided(action=ModerationAction.HOLD, rule=RULE, reason=told, tags=())
    assert held == MailHeld(
        rule=RULE, reason=told, expires_at=RECEIVED_AT + 3 * DAY_US, on_expiry=OnExpiry.EXPIRE
    )


@pytest.mark.parametrize("returns", [NO_RETURNS, FEW, FINE, Returns(1000, 50)])
def test_few_attempts_and_few_returns_hold_nothing(returns: Returns) -> None:
    """5 % is not more than 5 %; of 19 mails it would be one."""
    events = decided(replace(FOUND, of_alias=returns, of_source=returns))
    assert any(isinstance(event, SendScheduled) for event in events)


def test_an_approved_mail_passes_and_is_not_held_again() -> None:
    """As for any held mail."""
    state = mail.evolve(mail.INITIAL, received())
    state = mail.fold(state, decided(replace(FOUND, of_alias=BAD)))
    assert state.status is Status.HELD
    approve = ordered(Command.APPROVE)
    events = mail.decide(state, approve, None, decision_id="e", now=RECEIVED_AT, rules=Rules())
    assert any(isinstance(event, SendScheduled) for event in events)
    assert not any(isinstance(event, MailHeld) for event in events)


def test_switched_off_it_holds_nothing() -> None:
    """Whatever came back."""
    events = decided(replace(FOUND, of_alias=BAD), Rules(breaker=None))
    assert any(isinstance(event, SendScheduled) for event in events)


def test_a_rule_that_passes_mail_does_not_pass_the_breaker() -> None:
    """It speaks for the content; tags stay."""
    rules = Rules(
        moderation=(
            Rule(name="lists", action=ModerationAction.TAG, tag="list"),
            Rule(name="friends", action=ModerationAction.PASS),
        )
    )
    _, said, held = decided(replace(FOUND, of_alias=BAD), rules)
    assert isinstance(said, ModerationDecided)
    assert (said.rule, said.tags) == (RULE, ("list",))
    assert isinstance(held, MailHeld)


@pytest.mark.parametrize(
    "rule",
    [
        Rule(name="virus", action=ModerationAction.REJECT),
        Rule(name="strangers", action=ModerationAction.HOLD),
    ],
)
def test_a_rule_that_stops_mail_comes_first(rule: Rule) -> None:
    """It has the better reason."""
    _, said, after, *_ = decided(replace(FOUND, of_alias=BAD), Rules(moderation=(rule,)))
    assert isinstance(said, ModerationDecided)
    assert said.rule == rule.name
    assert isinstance(after, MailHeld | MailRejected)


@given(
    st.integers(0, 2000),
    st.integers(0, 2000),
    st.integers(1, 200),
    st.floats(0, 100, allow_nan=False),
)
def test_it_trips_by_the_share_and_never_by_few(
    answered: int, returned: int, least: int, percent: float
) -> None:
    """And what may not trip with the fewest attempts does not trip with more."""
    breaker = Breaker(answered_min=least, percent_max=percent)
    trips = breaker.trips(Returns(answered, returned))
    assert trips == (answered >= least and returned * 100 > percent * answered)
    assert breaker.may_trip(returned) or not trips


def test_the_window_is_told_in_hours() -> None:
    """Whatever it is."""
    breaker = Breaker(window_us=HOUR_US * 3 // 2, answered_min=1, percent_max=0.5)
    _, said, _ = decided(replace(FOUND, of_source=Returns(3, 1)), Rules(breaker=breaker))
    assert isinstance(said, ModerationDecided)
    assert said.reason == (
        "1 of 3 mails of this sender came back within 1.5 h: 33.3 %, more than 0.5 %"
    )


@pytest.mark.parametrize(
    ("sender", "source"),
    [
        ("Ann@Example.NET", "ann@example.net"),
        ("list+bob=example.org@news.example", "list@news.example"),
        ("a+b+c@d", "a@d"),
        ("", ""),
        ("<>", ""),
        ("@example.net", ""),
        ('"a@b"@example.net', '"a@b"@example.net'),
    ],
)
def test_a_source_is_the_address_without_its_detail(sender: str, source: str) -> None:
    """A list that writes the reader into its sender is one; the null sender is nobody."""
    assert source_of(sender) == source
