"""``mailtumble local``: what can't be meant is told before anything is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mailtumble.local import stack

if TYPE_CHECKING:
    from tests.unit.mailtumble.cli.conftest import Exit


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--rate", "0", "rate must be above 0"),
        ("--daily-quota", "-2", "daily_quota must be -1 (no limit) or more"),
        ("--latency-ms", "-1", "latency_ms must be 0 to"),
        ("--error-rate", "2", "error_rate must be 0 to 1"),
        ("--lost-reply-rate", "-0.1", "lost_reply_rate must be 0 to 1"),
        ("--refuses", "everything", "refuses must be empty, disabled, paused, suspended, or"),
        ("--smtp-port", "70000", "70000 is not in the range"),
        ("--limiter", "none", "'none' is not one of 'fixed', 'sliding', 'debt'"),
    ],
)
def test_a_setting_of_the_local_ses_is_checked_first(
    fail: Exit, monkeypatch: pytest.MonkeyPatch, option: str, value: str, told: str
) -> None:
    """Else it was said that some port might be taken, after all else had been started."""
    monkeypatch.setattr(stack, "LocalStack", None)
    code, said = fail("local", option, value)
    assert code == 2
    assert told in said
