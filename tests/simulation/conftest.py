"""``pytest tests/simulation --seeds 5000``: more (or fewer) seeds than CI runs."""

from __future__ import annotations

import pytest

SEEDS = 1000


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the number of seeds be chosen."""
    parser.addoption("--seeds", type=int, default=SEEDS, help="seeds of the simulation")


@pytest.fixture
def seed_count(request: pytest.FixtureRequest) -> int:
    """How many seeds to run; the option is known only where this folder was asked for."""
    count: int = request.config.getoption("--seeds", SEEDS)
    return count
