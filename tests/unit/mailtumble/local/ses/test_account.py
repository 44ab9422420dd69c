"""Quotas, draws and settings of the account."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from mailtumble.local.ses.account import AccountSettings, ApiError, SendingAccount

SECOND = 1_000_000
DAY = 86_400 * SECOND


def _outcomes(account: SendingAccount, calls: list[tuple[int, int]]) -> list[str]:
    outcomes = []
    for now, recipients in calls:
        try:
            account.admit(now, recipients)
        except ApiError as refusal:
            outcomes.append(f"{refusal.code} {refusal.status} {refusal.message}")
        else:
            outcomes.append("accepted")
    return outcomes


def test_quotas_count_recipients_and_refusals_count_nothing() -> None:
    """Rate and daily quota are refused with one code and different messages."""
    account = SendingAccount(AccountSettings(rate=3, daily_quota=7, limiter="sliding"))
    too_fast = "TooManyRequestsException 429 Maximum sending rate exceeded."
    used_up = "TooManyRequestsException 429 Daily message quota exceeded."
    calls = [(0, 3), (1, 1), (SECOND, 3), (2 * SECOND, 2), (2 * SECOND, 1), (3 * SECOND, 1)]
    assert _outcomes(account, calls) == [
        "accepted", too_fast, "accepted", used_up, "accepted", used_up
    ]  # fmt: skip
    assert account.stats() == {
        "accepted": 3,
        "throttled": 1,
        "daily_refused": 2,
        "stopped": 0,
        "failed": 0,
        "rejected": 0,
        "peak_per_second": 3,
    }
    assert account.describe(3 * SECOND)["SendQuota"] == {
        "Max24HourSend": 7.0,
        "MaxSendRate": 3.0,
        "SentLast24Hours": 7.0,
    }
    assert _outcomes(account, [(DAY + 120 * SECOND, 1)]) == ["accepted"]


def test_a_quota_of_minus_one_is_no_quota() -> None:
    """GetAccount's -1 means unlimited."""
    account = SendingAccount(AccountSettings(rate=10, daily_quota=-1))
    assert _outcomes(account, [(n * SECOND, 5) for n in range(50)]) == ["accepted"] * 50


def test_draws_repeat_with_their_seed() -> None:
    """The same seed gives the same failures; a rate of 0 or 1 leaves nothing to chance."""
    settings = AccountSettings(error_rate=0.5, lost_reply_rate=1, seed=7)
    first, second = SendingAccount(settings), SendingAccount(settings)
    drawn = [first.fails_now() for _ in range(50)]
    assert drawn == [second.fails_now() for _ in range(50)]
    assert set(drawn) == {True, False}
    first.change(0, {"seed": 7})
    assert drawn == [first.fails_now() for _ in range(50)]
    assert first.loses_reply()


def test_settings_change_while_running() -> None:
    """A new rate is in force at once and is told; a new limiter begins afresh."""
    account = SendingAccount(AccountSettings(rate=1, limiter="fixed"))
    assert _outcomes(account, [(0, 1), (1, 1)])[1].startswith("TooMany")
    account.change(2, {"rate": 2})
    assert _outcomes(account, [(3, 1)]) == ["accepted"]
    assert account.describe(4)["SendQuota"]["MaxSendRate"] == 2.0
    account.change(5, {"limiter": "sliding", "daily_quota": 5})
    assert _outcomes(account, [(6, 2)]) == ["accepted"]


@pytest.mark.parametrize(
    "changes",
    [
        {"rate": 0},
        {"rate": -1.0},
        {"rate": float("nan")},
        {"rate": "14"},
        {"rate": True},
        {"daily_quota": -2},
        {"daily_quota": 1.5},
        {"limiter": "none"},
        {"latency_ms": -1},
        {"error_rate": 1.1},
        {"lost_reply_rate": -0.1},
        {"refuses": "everything"},
        {"seed": None},
        {"unheard_of": 1},
        {"seed": 2, "rate": 0},
    ],
)
def test_settings_that_cannot_be_meant_change_nothing(changes: dict[str, Any]) -> None:
    """A wrong name, type or range refuses the whole change."""
    account = SendingAccount(AccountSettings(seed=1))
    before = dataclasses.asdict(account.settings)
    with pytest.raises(ValueError, match=r"must be|no setting"):
        account.change(0, changes)
    assert dataclasses.asdict(account.settings) == before
