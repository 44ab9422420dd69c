"""What is rare by chance, and made frequent: pauses of each scope, orders for what waits."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from schemas.ids import FLEET_SUBJECT, address_subject, mail_subject
from schemas.values import SECOND_US, Command
from tests.simulation import orders, plans

if TYPE_CHECKING:
    from tests.simulation.world import World

PAUSED_SHARE: Final = 0.35
UNROUTED_SHARE: Final = 0.7
RELEASED_SHARE: Final = 0.12
SCOPES: Final = ("", "alias0@house.example", "@far.example")
ORDERED_SHARE: Final = 0.5
"""Of the mails that come in while all is paused: these wait, so that orders change something."""


def plan_rare(world: World) -> None:
    """Draw pauses, and what people order meanwhile."""
    draw = world.draw
    if draw.random() < PAUSED_SHARE:
        _plan_pause(world)
    if world.rules.moderation:
        # Nobody moderates these: the rule's clock decides.
        for _ in range(draw.choice((0, 1, 2))):
            plans.plan_mail(world, orders.HELD)
    if world.short_lived and draw.random() < UNROUTED_SHARE:
        world.after(0, partial(setattr, world.aliases, "out", True))  # noqa: FBT003
        world.after(30 + draw.random() * 10, partial(setattr, world.aliases, "out", False))  # noqa: FBT003
    if draw.random() < RELEASED_SHARE:
        _plan_release(world)


def _plan_release(world: World) -> None:
    """An address is suppressed by hand, and released soon after."""
    draw = world.draw
    subject = address_subject(orders.UNWANTED, "")
    world.suppressed.add(orders.UNWANTED)
    at_s = draw.random() * 15
    orders._at(world, at_s, Command.SUPPRESS, subject, detail=orders.UNWANTED)
    again_s = at_s + 2 + draw.random() * 10
    orders._at(world, again_s, Command.RELEASE, subject, detail=orders.UNWANTED)


def _plan_pause(world: World) -> None:
    draw = world.draw
    begin_s, lasts_s, scope = 1 + draw.random() * 10, 8 + draw.random() * 12, draw.choice(SCOPES)
    orders._at(world, begin_s, Command.PAUSE, FLEET_SUBJECT, detail=scope)
    orders._at(world, begin_s + lasts_s, Command.RESUME, FLEET_SUBJECT, detail=scope)
    for mail in world.sent_in:
        came_s = (mail.arrived_at - world.began_at) / SECOND_US
        if begin_s < came_s < begin_s + lasts_s and draw.random() < ORDERED_SHARE:
            what = draw.choice((Command.CANCEL, Command.EXPIRE, Command.SEND_NOW, Command.SEND_AT))
            at_s = came_s + 1 + draw.random() * (begin_s + lasts_s - came_s)
            orders._at(world, at_s, what, mail_subject(mail.mail_id), mail.mail_id)
            if what in orders.ENDINGS:
                again_s = at_s + draw.random() * 10
                orders._at(world, again_s, Command.RETRY, mail_subject(mail.mail_id), mail.mail_id)
