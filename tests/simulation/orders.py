"""What moderators and operators do meanwhile: two at once, too late, or for what isn't there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from mailtumble.worker import core
from mailtumble.worker.application import Fact
from mailtumble.worker.records import outgoing
from processors.moderation.breaker import Breaker
from processors.moderation.rules import Rule
from schemas.events import CommandGiven, RouteResolved
from schemas.ids import FLEET_SUBJECT, address_subject, mail_subject
from schemas.values import (
    MINUTE_US,
    SECOND_US,
    Command,
    ModerationAction,
    OnExpiry,
    Schedule,
)

if TYPE_CHECKING:
    import random

    from tests.simulation.world import World

HELD: Final = "alias1@house.example"
"""Whose mail is held, where there is moderation."""

BREAKER: Final = Breaker(answered_min=2, percent_max=20.0, expires_after_us=20 * SECOND_US)
"""In some worlds, where a bounce of two or three holds what comes next; nobody decides of that."""

DAY_MINUTES: Final = 24 * 60

MODERATED_SHARE: Final = 0.5
ORDERED_SHARE: Final = 0.2
PAUSED_SHARE: Final = 0.3
SUPPRESSED_SHARE: Final = 0.15
SCHEDULED_SHARE: Final = 0.3
DRUMMED_SHARE: Final = 0.25
POISONED_SHARE: Final = 0.12
DRUM_BEATS: Final = 16
PAUSED_SCOPES: Final = ("", "alias0@house.example", "@far.example")
DRUMMED_SCOPE: Final = "nobody@house.example"
"""A tenant without mail."""
AGAIN_SHARE: Final = 0.4
UNWANTED: Final = "fine.t0.0.0@far.example"
ENDINGS: Final = (Command.CANCEL, Command.EXPIRE)


@dataclass(frozen=True)
class Given:
    """A command: of which kind, and about which subject."""

    command: Command
    subject: str


def moderation(draw: random.Random, *, always: bool) -> tuple[Rule, ...]:
    """In some worlds one alias's mail is held, by a rule that looks into headers, too."""
    if draw.random() >= MODERATED_SHARE and not always:
        return ()
    tag = Rule(name="tagged", action=ModerationAction.TAG, tag="a", headers=(("From", "*"),))
    hold = Rule(
        name="held",
        action=ModerationAction.HOLD,
        reason="a drawn lot",
        recipients=(HELD,),
        expires_after_us=int(draw.uniform(5, 40) * SECOND_US),
        on_expiry=draw.choice((OnExpiry.APPROVE, *OnExpiry)),
    )
    return (tag, hold)


def plan_orders(world: World) -> None:
    """Draw what people do."""
    _plan_schedules(world)
    if world.draw.random() < DRUMMED_SHARE:
        _plan_drumming(world)
    if world.draw.random() < POISONED_SHARE:
        _plan_poisoned_decision(world)
    for mail in list(world.sent_in):
        at_s = (mail.arrived_at - world.began_at) / SECOND_US + world.draw.random() * 25
        if world.rules.moderation and mail.alias == HELD:
            _plan_moderation(world, mail.mail_id, at_s)
        elif world.draw.random() < ORDERED_SHARE:
            _plan_order(world, mail.mail_id, at_s)
    if world.draw.random() < PAUSED_SHARE:
        _plan_pause(world)
    if world.draw.random() < SUPPRESSED_SHARE:
        _plan_suppression(world)


def _plan_moderation(world: World, mail: str, at_s: float) -> None:
    """Two moderators within a second; or one, or none."""
    draw = world.draw
    both = (Command.APPROVE, Command.REJECT)
    for what in draw.sample(both, draw.choice((0, 0, 1, 2, 2))):
        _at(world, at_s + draw.random(), what, mail_subject(mail), mail)


def _plan_order(world: World, mail: str, at_s: float) -> None:
    draw = world.draw
    what = draw.choice((*ENDINGS, Command.RETRY, Command.SEND_NOW, Command.SEND_AT))
    _at(world, at_s, what, mail_subject(mail), mail)
    if what in ENDINGS and draw.random() < AGAIN_SHARE:
        _at(world, at_s + draw.random() * 5, Command.RETRY, mail_subject(mail), mail)


def _plan_pause(world: World) -> None:
    """Pause everybody, a tenant or a destination; or let drain what has arrived."""
    draw = world.draw
    at_s, scope = 2 + draw.random() * 20, draw.choice(PAUSED_SCOPES)
    what = draw.choice((Command.PAUSE, Command.PAUSE, Command.DRAIN))
    _at(world, at_s, what, FLEET_SUBJECT, detail=scope)
    _at(world, at_s + 1 + draw.random() * 15, Command.RESUME, FLEET_SUBJECT, detail=scope)


def _plan_drumming(world: World) -> None:
    """Give one command after the other about one subject, quicker than core answers them.

    A core that dies in between has answered the first of them, and its successor reads them all.
    """
    at_s = 2 + world.draw.random() * 30
    for beat in range(DRUM_BEATS):
        what = (Command.PAUSE, Command.RESUME)[beat % 2]
        _at(world, at_s, what, FLEET_SUBJECT, detail=DRUMMED_SCOPE)
        at_s += world.draw.random() * 0.4


def _plan_poisoned_decision(world: World) -> None:
    """Let core die at its own decision about a message, of which more decisions are wanted."""
    draw = world.draw
    mail = draw.choice(world.sent_in)
    world.harmed.add(mail.mail_id)
    world.poison.planned.setdefault(mail_subject(mail.mail_id), (core.NAME, RouteResolved))
    at_s = (mail.arrived_at - world.began_at) / SECOND_US + draw.random() * 10
    for what in (Command.SEND_NOW, Command.RETRY, Command.CANCEL):
        _at(world, at_s, what, mail_subject(mail.mail_id), mail.mail_id)
        at_s += draw.random() * 10


def _plan_schedules(world: World) -> None:
    """Some aliases send later: not before a moment, after a delay, or from the next minute on."""
    draw = world.draw
    for number in range(3):
        if draw.random() < SCHEDULED_SHARE:
            hour, minute = divmod(world.began_at // MINUTE_US % DAY_MINUTES + 1, 60)
            schedule = draw.choice(
                (
                    Schedule(not_before=world.began_at + int(draw.uniform(5, 35) * SECOND_US)),
                    Schedule(delay_us=int(draw.uniform(3, 15) * SECOND_US)),
                    Schedule(window=f"daily {hour:02}:{minute:02}-24:00 UTC"),
                )
            )
            world.aliases.schedules[f"alias{number}@house.example"] = schedule


def _plan_suppression(world: World) -> None:
    draw = world.draw
    subject = address_subject(UNWANTED, "")
    world.suppressed.add(UNWANTED)
    at_s = draw.random() * 20
    _at(world, at_s, Command.SUPPRESS, subject, detail=UNWANTED)
    if draw.random() < AGAIN_SHARE:
        _at(world, at_s + draw.random() * 10, Command.RELEASE, subject, detail=UNWANTED)


def _at(
    world: World, at_s: float, what: Command, subject: str, mail: str = "", detail: str = ""
) -> None:
    name = f"{world.draw.getrandbits(64):016x}"
    world.commands[name] = Given(what, subject)
    if mail:
        world.ordered.setdefault(mail, set()).add(what)
    world.after(at_s, partial(_give, world, name, what, subject, detail))


def _give(world: World, name: str, what: Command, subject: str, detail: str) -> None:
    """Onto the stream, as the command line does it; now and then twice."""
    now = world.clock.now()
    later = now + int(world.draw.random() * 10 * SECOND_US)
    at = {Command.SEND_AT: later, Command.DRAIN: now}.get(what, 0)
    event = CommandGiven(command_id=name, command=what, by="somebody", why="", at=at, detail=detail)
    record = outgoing(Fact(name, subject, name, "operator", (event,)), now)
    for _ in range(1 + (world.draw.random() < 0.1)):
        world.stream.append([record])
