"""A thousand worlds full of faults: no mail lost, none doubled but where nobody could know."""

from __future__ import annotations

import logging
from collections import Counter
from multiprocessing import get_context

from tests.simulation.faults import KINDS, SITES
from tests.simulation.judge import verdict
from tests.simulation.world import World

SEEDS = 1_000
PROCESSES = 2
RARE = {"dynamodb transact drop"}
"""Reached only where a claim had been made unheard of: too seldom to meet each kind every time."""

Met = Counter[tuple[str, str]]


def _judged(seed: int) -> tuple[int, list[str], Met, set[str]]:
    """Run one seed: the judge's complaints, the faults that calls met, and the call sites."""
    logging.disable(logging.CRITICAL)
    world = World(seed)
    world.run()
    complaints = [*verdict(world), *world.errors]
    return seed, complaints, world.faults.met, set(world.faults.calls)


def test_no_seed_loses_or_doubles_a_mail() -> None:
    """The judge has nothing to say, and every call site met every kind of crash."""
    met: Met = Counter()
    sites: set[str] = set()
    failed: dict[int, list[str]] = {}
    with get_context("spawn").Pool(PROCESSES) as pool:
        for seed, complaints, some, called in pool.imap_unordered(
            _judged, range(SEEDS), chunksize=10
        ):
            met.update(some)
            sites |= called
            if complaints:
                failed[seed] = complaints
    for site in SITES:
        print(f"{site:30}", *(f"{kind} {met[site, kind]:5}" for kind in KINDS))  # noqa: T201
    assert not failed, failed
    assert sites == set(SITES)
    assert [
        (site, kind) for site in SITES if site not in RARE for kind in KINDS if not met[site, kind]
    ] == []
