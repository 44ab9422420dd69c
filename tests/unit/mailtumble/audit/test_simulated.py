"""Whatever befell the workers, a verification of what they did finds nothing wrong."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from mailtumble.audit.verification import Verdict, Verification
from schemas.values import SECOND_US
from tests.fakes import VirtualClock
from tests.simulation.world import GENERATION, World

if TYPE_CHECKING:
    from collections.abc import Iterator

MOMENTS_S = (5, 15, 30, 45)
"""After the world's beginning: it is verified then as it stands, crashes and all."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Workers that die tell a lot."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def verified(world: World) -> Verdict:
    """The world stands still meanwhile."""
    clock = VirtualClock(world.clock.now())
    return Verification(world.stream, world.store, GENERATION, clock).run()


@pytest.mark.parametrize("seed", range(12))
def test_no_alarm_is_false(seed: int) -> None:
    """In the middle of things, and at the end."""
    world = World(seed)
    verdicts: list[Verdict] = []
    for moment in MOMENTS_S:
        when = world.began_at + moment * SECOND_US
        world.scheduler.at(when, lambda: verdicts.append(verified(world)))
    world.run()
    verdicts.append(verified(world))
    assert not world.errors
    for verdict in verdicts:
        assert verdict.ok, (verdict.sum, verdict.differences)
        assert (verdict.moving, verdict.unchecked) == (0, 0)
    assert verdicts[-1].sum.open == {}
    assert verdicts[-1].records == len(world.stream.records())
