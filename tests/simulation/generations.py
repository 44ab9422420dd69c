"""Build a new generation of core's projections beside the live one, then make it live."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from mailtumble.sender import application as sender
from mailtumble.worker import core

if TYPE_CHECKING:
    from tests.simulation.world import World

CHANGED_SHARE: Final = 0.2
NEXT: Final = "g2"
LOOK_S: Final = 2.0


def plan_generation(world: World) -> None:
    """Plan a new generation of core's projections in some worlds."""
    if world.draw.random() >= CHANGED_SHARE:
        return
    world.generation_change_s = 5 + world.draw.random() * 35
    world.after(world.generation_change_s, partial(_change, world))


def _change(world: World) -> None:
    """Build the next generation until it has read everything, then make it the live one."""
    world.building = NEXT
    new = f"{core.NAME}@{NEXT}"
    world.supervisor.start(new)
    while not world.is_read(f"{core.NAME}#{NEXT}"):
        world.clock.sleep(LOOK_S)
    world.generation, world.building = NEXT, None
    world.supervisor.retire(core.NAME)
    # The sender reads pauses and suppressions of the live generation.
    world.supervisor.stop(sender.NAME)
    world.faults.note("generation changed")
