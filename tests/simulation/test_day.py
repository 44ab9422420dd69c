"""The end of a daily quota costs no refusal, and the fleet goes on by itself."""

from __future__ import annotations

import pytest

from mailtumble.local.ses.limiters import LIMITERS
from tests.simulation.day import QUOTA, RESERVE, run


@pytest.mark.parametrize("limiter", LIMITERS)
def test_a_day_ends_and_another_begins(limiter: str) -> None:
    """All but the reserve is sent, nothing is refused, and 24 hours later more is sent at once."""
    day = run(limiter)
    assert day.sent == QUOTA * (1 - RESERVE)
    assert day.refused == 0
    assert -1 <= day.resumed_s <= 5
