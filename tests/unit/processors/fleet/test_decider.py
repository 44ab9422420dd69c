"""Pauses as a story: of everybody or of one tenant, each by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.fleet import decider as fleet
from processors.fleet.decider import EVERYBODY, INITIAL, Fleet, Pause
from schemas.events import (
    CommandAnswered,
    CommandGiven,
    Event,
    QuotaObserved,
    SendingPaused,
    SendingResumed,
)
from schemas.structure import from_plain, to_plain
from schemas.values import Command
from tests.event_strategies import events
from tests.samples import obeyed, ordered, refused

SHOP = "shop"


def paused(tenant: str, by: str = "ann", why: str = "") -> SendingPaused:
    """Nothing more leaves."""
    return SendingPaused(scope=tenant, since=0, by=by, why=why)


def resumed(tenant: str) -> SendingResumed:
    """Mail leaves again."""
    return SendingResumed(scope=tenant, by="ann", why="")


def told(command: Command, tenant: str, why: str = "") -> CommandGiven:
    """Ann wants something of a tenant, or of all."""
    return ordered(command, detail=tenant, why=why)


def fold(*told_: Event) -> Fleet:
    """The state after all this."""
    state = INITIAL
    for event in told_:
        state = fleet.evolve(state, event)
    return state


def decided(command: CommandGiven, *before: Event) -> tuple[Event, ...]:
    """What follows from a command."""
    return fleet.decide(fold(*before, command), command)


@pytest.mark.parametrize(
    ("tenant", "whose"),
    [(EVERYBODY, "of the whole fleet"), (SHOP, "of shop"), ("@far.example", "to far.example")],
)
def test_sending_is_paused_and_goes_on(tenant: str, whose: str) -> None:
    """Each time with an answer that says whose."""
    assert decided(told(Command.PAUSE, tenant, "spam run")) == (
        paused(tenant, why="spam run"),
        obeyed(f"sending {whose} is paused"),
    )
    state = fold(paused(tenant, why="spam run"))
    assert state.paused == {tenant: Pause("ann: spam run")}
    assert decided(told(Command.RESUME, tenant), paused(tenant)) == (
        resumed(tenant),
        obeyed(f"sending {whose} goes on"),
    )
    assert fold(paused(tenant), resumed(tenant)) == INITIAL


@pytest.mark.parametrize(
    ("tenant", "whose"),
    [(EVERYBODY, "of the whole fleet"), (SHOP, "of shop"), ("@far.example", "to far.example")],
)
def test_the_second_one_is_refused(tenant: str, whose: str) -> None:
    """And told who came first, and why."""
    before = paused(tenant, by="bea", why="spam run")
    assert decided(told(Command.PAUSE, tenant), before) == (
        refused(f"sending {whose} is paused already, by bea: spam run"),
    )
    assert decided(told(Command.RESUME, tenant), before, resumed(tenant)) == (
        refused(f"sending {whose} is not paused"),
    )
    assert decided(told(Command.RESUME, tenant)) == (refused(f"sending {whose} is not paused"),)


def test_what_is_drained_leaves_save_what_came_later() -> None:
    """Since the moment of the command; a drain may be followed by a pause, not the other way."""
    drain = ordered(Command.DRAIN, detail=SHOP, at=7)
    drained = SendingPaused(scope=SHOP, since=7, by="ann", why="")
    answer = "sending of shop is drained: what waits leaves, what comes waits"
    assert decided(drain) == (drained, obeyed(answer))
    assert fold(drained).paused[SHOP] == Pause("ann", since=7)
    assert decided(drain, drained) == (refused("sending of shop is drained already, by ann"),)
    assert decided(told(Command.PAUSE, SHOP), drained) == (
        paused(SHOP),
        obeyed("sending of shop is paused"),
    )
    assert decided(drain, paused(SHOP)) == (refused("sending of shop is paused already, by ann"),)
    assert fold(drained, resumed(SHOP)) == INITIAL


def test_a_tenants_pause_is_its_own() -> None:
    """Resuming everybody does not resume a tenant that is paused by itself, nor another one."""
    state = fold(paused(EVERYBODY), paused(SHOP), paused("news"), resumed(EVERYBODY))
    assert set(state.paused) == {SHOP, "news"}
    assert set(fold(paused(EVERYBODY), paused(SHOP), resumed(SHOP)).paused) == {EVERYBODY}


@pytest.mark.parametrize(
    "command",
    [each for each in Command if each not in {Command.PAUSE, Command.DRAIN, Command.RESUME}],
)
def test_a_fleet_can_not_be_told_what_is_meant_for_others(command: Command) -> None:
    """It is no mail and no address."""
    assert decided(told(command, EVERYBODY)) == (refused(f"a fleet can't {command}"),)


def test_a_new_quota_is_no_command() -> None:
    """It stands on the same subject, and is only counted."""
    observed = QuotaObserved(max_send_rate=14.0, max_24h=-1)
    assert fleet.decide(fold(paused(SHOP), observed), observed) == ()
    assert fold(paused(SHOP), observed) == replace(fold(paused(SHOP)), quotas=1)


@given(st.lists(events(), max_size=10), events())
def test_anything_can_be_told_of_the_fleet(before: list[Event], fact: Event) -> None:
    """Nothing raises; deciding twice is the same; every command has one answer; it is stored."""
    state = fold(*before, fact)
    said = fleet.decide(state, fact)
    assert fleet.decide(state, fact) == said
    answers = [event for event in said if isinstance(event, CommandAnswered)]
    assert len(answers) == isinstance(fact, CommandGiven)
    assert from_plain(Fleet, to_plain(state)) == state
