"""Every safeguard is needed: the judge complains about a product that runs without it."""

from __future__ import annotations

import pytest

from tests.simulation.mutations import MUTATIONS
from tests.simulation.runner import Result, run_seed

SEEDS = 500


@pytest.mark.parametrize("mutant", sorted(MUTATIONS))
def test_the_judge_notices_what_is_taken_away(mutant: str) -> None:
    """Some seed fails by the judge's complaints alone, without an exception that ends a worker."""
    caught = _first_caught(mutant)
    assert caught is not None, f"no complaint in {SEEDS} seeds without {mutant}"
    assert run_seed(caught.seed).good


def _first_caught(mutant: str) -> Result | None:
    for seed in range(SEEDS):
        result = run_seed(seed, mutant)
        if result.complaints and not result.exceptions:
            return result
    return None
