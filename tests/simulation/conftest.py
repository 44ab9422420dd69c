"""``pytest tests/simulation --seeds 5000``: more (or fewer) seeds than ``make test`` runs."""

from __future__ import annotations

import os

import pytest


@pytest.fixture
def seed_count(request: pytest.FixtureRequest) -> int:
    """How many seeds to run."""
    count: int = request.config.getoption("--seeds")
    return count


@pytest.fixture
def processes() -> int:
    """How many processes run the seeds: one where other tests run beside this one."""
    return 1 if "PYTEST_XDIST_WORKER" in os.environ else 2
