"""Stops as a story: told once when they begin and when they end, and probed gently meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.sending.lanes import Lane
from processors.sending.stops import (
    ACCOUNT,
    DISABLED,
    NEVER,
    PROBE_FIRST_US,
    PROBE_GROWS_MAX,
    UNTRIED_US,
    Stop,
    TriesSince,
    begun,
    due_probes,
    ended_by,
    idle,
    scope_of,
    silent,
)
from schemas.events import Event
from schemas.values import NO_CALL, SECOND_US, DeferReason
from tests.samples import accepted, deferred, failed, unknown

NOW = 1_760_000_000_000_000
LANE = Lane("shop", "example.com", "far.example")


def stop(scope: str = ACCOUNT, why: str = "suspended") -> Stop:
    """One that begins now."""
    found = begun({}, scope, why, NOW)
    assert found is not None
    return found


@pytest.mark.parametrize("reason", DeferReason)
def test_what_a_refusal_stops(reason: DeferReason) -> None:
    """Everything, the domain that the mail was to go out from, or nothing."""
    wanted = {DeferReason.STOPPED: ACCOUNT, DeferReason.UNVERIFIED: "example.com"}
    assert scope_of(reason, "example.com") == wanted.get(reason)


def test_a_stop_begins_once() -> None:
    """However many calls were refused; one of a domain within one of everything is none."""
    standing = {ACCOUNT: stop()}
    assert begun(standing, ACCOUNT, "suspended", NOW + 1) is None
    assert begun(standing, "example.com", "no MX", NOW + 1) is None
    assert begun({"example.com": stop("example.com")}, ACCOUNT, "suspended", NOW) is not None


def test_it_covers_the_mail_of_its_scope() -> None:
    """By the domain that it goes out from, not by the one it goes to."""
    assert stop().covers(LANE)
    assert stop("example.com").covers(LANE)
    assert not stop("far.example").covers(LANE)


def test_single_mails_try_less_and_less_often() -> None:
    """After 5 s first, then twice as long each time, a minute at the most."""
    probed, now, waits = stop(), NOW, []
    for _ in range(7):
        waits.append((probed.probe_at - now) // SECOND_US)
        now = probed.probe_at
        assert due_probes({ACCOUNT: probed}, now - 1) == []
        assert due_probes({ACCOUNT: probed}, now) == [probed]
        probed = probed.probed(now)
    assert waits == [5, 10, 20, 40, 60, 60, 60]
    assert PROBE_FIRST_US * PROBE_GROWS_MAX == 60 * SECOND_US


def test_the_waits_follow_the_setting() -> None:
    """The first is as set; the longest is twelve times that."""
    probed, now, waits = begun({}, ACCOUNT, "suspended", NOW, SECOND_US), NOW, []
    for _ in range(6):
        assert probed is not None
        waits.append((probed.probe_at - now) // SECOND_US)
        now = probed.probe_at
        probed = probed.probed(now, SECOND_US)
    assert waits == [1, 2, 4, 8, 12, 12]


def test_nothing_is_tried_where_getaccount_says_that_sending_is_off() -> None:
    """It will say so when it is on; until then an acceptance ends nothing either."""
    off = stop(why=DISABLED)
    assert off.probe_at == NEVER
    assert due_probes({ACCOUNT: off}, NOW + 10**12) == []
    assert ended_by({ACCOUNT: off}, LANE, NOW + 1) == ()


def test_an_acceptance_ends_what_covers_it() -> None:
    """Of a call that left after the stop: one in the air before says nothing."""
    standing = {each.scope: each for each in (stop(), stop("example.com"), stop("other.example"))}
    assert ended_by(standing, LANE, NOW) == ()
    assert {each.scope for each in ended_by(standing, LANE, NOW + 1)} == {ACCOUNT, "example.com"}


def test_while_the_account_stands_still_domains_are_not_tried() -> None:
    """One probe tells of both."""
    standing = {"example.com": stop("example.com"), ACCOUNT: stop().probed(NOW)}
    assert due_probes(standing, NOW + PROBE_FIRST_US) == []


@pytest.mark.parametrize(
    ("outcome", "after"),
    [
        (unknown(), 4),
        (deferred(DeferReason.TRANSIENT), 4),
        (replace(deferred(DeferReason.TRANSIENT), called_at=NO_CALL), 3),
        (replace(failed(), called_at=NO_CALL), 3),
        (deferred(DeferReason.NOT_CALLED), 3),
        (deferred(DeferReason.THROTTLED), 0),
        (failed(), 0),
        (accepted(), 0),
    ],
)
def test_calls_in_a_row_that_ses_does_not_answer(outcome: Event, after: int) -> None:
    """Any answer ends the row; what SES was not called for says nothing."""
    assert silent(3, outcome) == after


def test_a_stop_that_no_mail_waits_for_is_over() -> None:
    """A turn to try a mail came an hour ago, and nobody had one.

    GetAccount's own stop has none; and while the account stands still, no domain is tried.
    """
    one, off = stop("example.com"), stop(why=DISABLED)
    over_at = one.probe_at + UNTRIED_US
    tries = TriesSince(0, 0)
    assert idle({"example.com": one}, over_at - 1, tries) == []
    assert idle({"example.com": one}, over_at, tries) == [one]
    assert idle({ACCOUNT: off, "example.com": one}, over_at, tries) == []


@given(st.integers(0, 2 * UNTRIED_US), st.integers(0, 2 * UNTRIED_US))
def test_nobody_had_mail_only_where_somebody_would_have_tried_it(wait: int, later: int) -> None:
    """A sender that begins now, or lets go now what people held, has tried nothing yet."""
    account, domain = stop(), stop("example.com")
    at = account.probe_at + UNTRIED_US + later
    tries = TriesSince(at - wait, at)
    assert idle({"example.com": domain}, at, tries) == []
    over = idle({ACCOUNT: account, "example.com": domain}, at, tries)
    assert over == ([account] if wait >= UNTRIED_US else [])
