"""Conditions of the attempt's folds that ordinary histories do not reach."""

from __future__ import annotations

from dataclasses import replace

import pytest

from processors.sending import dispatch, targets
from processors.sending.dispatch import own_address
from processors.sending.targets import TargetState
from schemas.events import Event, SendCancelled, SendHeldBack
from schemas.values import Status
from tests.samples import received, resolved, scheduled, started

FIRST = "attempt-1"
HELD_IN_ROUND_1 = SendHeldBack(
    target=0, attempt_id=FIRST, round=1, rule="breaker", reason="too many bounces"
)


def target(*events: Event) -> TargetState:
    """Return the only target after these events."""
    state = targets.INITIAL
    for event in (resolved(), scheduled(), *events):
        state = targets.evolve(state, event)
    (only,) = state.targets
    return only


@pytest.mark.parametrize("number", [0, 1])
def test_a_late_start_of_a_round_that_was_held_back_changes_nothing(number: int) -> None:
    """The message still waits for a moderator, and no call is out."""
    held = target(HELD_IN_ROUND_1)
    assert (held.status, held.outstanding) == (Status.HELD, False)
    assert target(HELD_IN_ROUND_1, started(FIRST, number)) == held


def test_a_start_of_a_later_round_shows_that_the_held_round_was_not_the_last() -> None:
    """The sender is calling SES, so an outcome has to follow."""
    sending = target(HELD_IN_ROUND_1, started(FIRST, 2))
    assert (sending.status, sending.outstanding, sending.round) == (Status.SENDING, True, 2)


def test_a_call_that_is_out_stays_out_when_the_start_is_repeated_for_an_older_round() -> None:
    """An older round says nothing about the present call."""
    sending = target(started(FIRST, 2), started(FIRST, 1))
    assert (sending.status, sending.outstanding, sending.round) == (Status.SENDING, True, 2)


def test_a_cancelled_attempt_says_so_where_nobody_gave_a_reason() -> None:
    """The view shows the reason, so it is never empty."""
    assert target(SendCancelled(target=0, attempt_id=FIRST)).reason == "it was called off"


@pytest.mark.parametrize(
    ("alias", "address"),
    [
        ("info@example.com", "info@example.com"),
        ("@example.com", "anybody@example.com"),
    ],
)
def test_a_message_leaves_from_its_alias_or_from_its_recipient_in_a_whole_domain(
    alias: str, address: str
) -> None:
    """A whole domain is no address to send from."""
    state = dispatch.INITIAL
    for event in (received(recipient="anybody@example.com"), replace(resolved(), alias=alias)):
        state = dispatch.evolve(state, event)
    assert own_address(state) == address


def test_a_whole_domain_is_all_that_is_known_before_the_message_itself() -> None:
    """The record of the message may be in quarantine."""
    state = dispatch.evolve(dispatch.INITIAL, replace(resolved(), alias="@example.com"))
    assert own_address(state) == "@example.com"
