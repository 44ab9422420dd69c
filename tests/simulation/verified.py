"""What ``mailtumble verify`` says of a world: its tables against the stream, and its deadlines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtumble.audit.sender import Limits
from mailtumble.audit.verification import Verdict, Verification
from mailtumble.sender.claims import ClaimTimes
from schemas.values import SECOND_US
from tests.fakes.clock import VirtualClock
from tests.simulation import upkeep

if TYPE_CHECKING:
    from tests.simulation.world import World


def verified(world: World) -> Verdict:
    """Verify a world, which stands still meanwhile: nobody reads on."""
    _, kept_us = upkeep.KEPT["claims"]
    # A claim is made that long before its send_before, and expires in whole seconds.
    limits = Limits(claims_kept_us=kept_us - ClaimTimes().send_us - SECOND_US)
    clock = VirtualClock(world.clock.now())
    return Verification(world.stream, world.store, world.generation, clock, limits=limits).run()


def verification_complaints(world: World) -> list[str]:
    """Return all that a verification finds wrong with a world, at rest or in the middle of things.

    Readers that stand still are no fault here; what has not been read is not held against anybody.
    """
    return [f"verify: {each}" for each in verified(world).complaints()]
