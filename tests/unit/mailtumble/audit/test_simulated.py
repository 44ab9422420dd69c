"""Whatever befell the workers, a verification of what they did finds nothing wrong."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from schemas.values import SECOND_US
from tests.simulation.verified import verified
from tests.simulation.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailtumble.audit.verification import Verdict

MOMENTS_S = (5, 15, 30, 45)
"""After the world's beginning: it is verified then as it stands, crashes and all."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Workers that die tell a lot."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


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
    forgets = world.faults.noted["record past its retention"] > 0
    for verdict in verdicts:
        assert verdict.complaints() == []
        assert verdict.moving == 0
        assert forgets or verdict.unchecked == 0
    assert verdicts[-1].ok
    assert verdicts[-1].sum.open == {}
    assert verdicts[-1].records == len(world.stream.records())
