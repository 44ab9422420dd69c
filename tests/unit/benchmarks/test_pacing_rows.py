"""A row of benchmarks/pacing.py is not as asked where it shows something wrong, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

Script = Callable[[str], ModuleType]

AS_ASKED = {
    "sender": "whole sender",
    "limiter": "sliding",
    "senders": 4,
    "per_s": "80",
    "fraction": 0.952,
    "accepted": 2_400,
    "throttled": 0,
    "used": 0.951,
    "least": 0.95,
}


@pytest.mark.parametrize(
    ("changes", "holds"),
    [
        ({}, True),
        ({"used": 0.949}, False),
        ({"throttled": 1}, False),
        ({"throttled": 9, "refusable_us": 3, "refused_for_us": 3}, True),
        ({"throttled": 9, "refusable_us": 3, "refused_for_us": 4}, False),
        ({"throttled": 9, "refusable_us": None}, True),
        ({"lost": 1}, False),
        ({"unmarked": 1}, False),
        ({"doubled": 3}, True),
        ({"doubled": 0}, False),  # nothing was in the air: it says nothing of the marks
    ],
)
def test_a_row_holds_where_all_is_as_asked(
    script: Script, changes: dict[str, Any], *, holds: bool
) -> None:
    """Use, refusals, lost mails, doubled ones that the log has not marked."""
    assert script("_outcome").Outcome(**{**AS_ASKED, **changes}).holds() is holds


def test_a_fleet_that_never_follows_a_doubled_rate_is_told_apart(script: Script) -> None:
    """It would use 0.952 of 40 a second all along; one that follows within 5 s uses enough."""
    outcome, allowed = script("_outcome"), (40 + 80) * 15
    least = outcome.least_after_change(40, 80, 30)
    assert 0.952 * 40 * 30 / allowed < least
    assert 0.952 * (40 * 20 + 80 * 10) / allowed > least
    assert 0.952 * (40 * 22 + 80 * 8) / allowed < least


def test_a_fleet_that_stands_still_after_a_cut_is_told_apart(script: Script) -> None:
    """One cut, to 0.7 of half the rate, is what a halved rate may cost."""
    outcome, allowed = script("_outcome"), (80 + 40) * 15
    least = outcome.least_after_change(80, 40, 30)
    assert 0.952 * (80 * 15 + 0.7 * 40 * 12) / allowed > least
    assert 0.952 * (80 * 15 + 0.5 * 40 * 12) / allowed < least


def test_what_the_dead_had_in_hand_may_be_lost(script: Script) -> None:
    """Two seconds of a third, of 30 s; not all that it would have sent."""
    least = script("_outcome").least_after_deaths(1, 3, 30)
    assert least == pytest.approx(0.95 * (1 - 2 / 90))
    assert least > 0.952 * (15 + 15 * 2 / 3) / 30
