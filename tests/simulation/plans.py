"""What is drawn for a seed: aliases and how they change, mails, and what goes wrong when."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from operator import methodcaller
from typing import TYPE_CHECKING, Final

import msgpack

from mailtumble.archive import shard as archive
from mailtumble.ports.stream import OutgoingRecord
from mailtumble.sender import application as sender
from mailtumble.worker import core
from schemas.events import MailReceived, RouteResolved, SendScheduled
from schemas.ids import mail_id, mail_subject
from schemas.values import SECOND_US
from tests.simulation.notifications import received

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tests.simulation.world import World

NEVER: Final = "never"
"""Part of an address that SES refuses for good."""

BOUNCES: Final = "bounce"
COMPLAINS: Final = "complain"
VIRUS: Final = "virus"
SLOW: Final = "slow"
FINE: Final = "fine"

ADDRESSES: Final = (*(FINE,) * 6, BOUNCES, BOUNCES, COMPLAINS, VIRUS, SLOW, NEVER)
"""Kinds of addresses, as often as they come."""


POISONED_SHARE: Final = 0.2
LARGE_SHARE: Final = 0.03
LARGE_SUBJECT: Final = "large " * 10_000
LOSSY_SHARE: Final = 0.35
FROZEN_SHARE: Final = 0.5
FROZEN_SITES: Final = (
    "ses send",
    "ses send",
    "dynamodb transact claim",
    "dynamodb transact claim",
    "dynamodb transact claim",
    "s3 get",
)
"""Where the sender is between a claim and its outcome."""


@dataclass(frozen=True)
class SentIn:
    """A mail that SES took in for an alias."""

    mail_id: str
    alias: str
    arrived_at: int


def feedback_kinds(draw: random.Random, recipient: str) -> list[str]:
    """What SES tells of a mail to this recipient."""
    kinds = ["Send"] if draw.random() < 0.5 else []
    if VIRUS in recipient:
        return [*kinds, "Reject"]
    if BOUNCES in recipient:
        return [*kinds, "Bounce"]
    if SLOW in recipient:
        kinds.append("DeliveryDelay")
    kinds.append("Delivery")
    if COMPLAINS in recipient:
        kinds.append("Complaint")
    return kinds


def plan_mails(world: World) -> None:
    """Some aliases, each with a mail or two; now and then one that nobody can stomach."""
    draw = world.draw
    for number in range(draw.randint(2, 5)):
        alias = f"alias{number}@house.example"
        _plan_alias(world, alias, number)
        for _ in range(draw.choice((1, 1, 2))):
            plan_mail(world, alias)
    if draw.random() < POISONED_SHARE:
        _plan_poison(world)


def _plan_alias(world: World, alias: str, number: int) -> None:
    """An alias whose targets change, that comes late, or goes; seldom it never exists."""
    draw = world.draw
    if draw.random() < 0.07:
        return
    at_s = 0.0 if draw.random() < 0.85 else draw.random() * 15
    for version in range(draw.choice((1, 1, 2, 3))):
        targets = tuple(
            f"{draw.choice(ADDRESSES)}.t{number}.{version}.{index}@far.example"
            for index in range(draw.choice((1, 1, 2, 3)))
        )
        gone = version > 0 and draw.random() < 0.1
        route = () if gone else targets
        world.after(at_s, partial(world.aliases.change, alias, route))
        at_s += draw.random() * 15


def _plan_poison(world: World) -> None:
    """A mail at whose receipt, or at core's decision about it, one application dies."""
    draw = world.draw
    mail = plan_mail(world, "alias0@house.example")
    world.harmed.add(mail)
    at = draw.choice((MailReceived, RouteResolved, SendScheduled, SendScheduled))
    world.poison.planned[mail_subject(mail)] = (draw.choice((core.NAME, sender.NAME)), at)


def plan_mail(world: World, alias: str) -> str:
    """A mail that SES takes in, and tells of once or twice; its id."""
    draw = world.draw
    name = f"{draw.getrandbits(64):016x}"
    at_s = 1 + draw.random() * 20
    arrived_at = world.began_at + int(at_s * SECOND_US)
    world.objects.put(world.bucket, f"inbound/{name}", b"From: a@b.example\r\n\r\nhello\r\n")
    mail = mail_id(name, alias)
    world.sent_in.append(SentIn(mail, alias, arrived_at))
    subject = LARGE_SUBJECT if draw.random() < LARGE_SHARE else "hello"
    body = received(name, alias, subject, world.bucket, arrived_at)
    for _ in range(1 + (draw.random() < 0.2)):
        world.after(at_s, partial(world.queue.send, [body]))
        at_s += draw.random() * 5
    if draw.random() < 0.02:
        world.harmed.add(mail)
        world.after(at_s + draw.random() * 10, partial(_plant, world, mail_subject(mail)))
    return mail


def plan_trouble(world: World) -> None:
    """Zombies, pauses, lag, outages, splits, merges, repeats and garbage."""
    _plan_pauses(world)
    draw = world.draw
    if draw.random() < 0.4:
        _between(world, 0, 15, 15, partial(setattr, world.aliases, "out"))
    if draw.random() < 0.25:
        _between(world, 2, 20, 12, partial(setattr, world.provider, "paused"))
    if draw.random() < 0.3:
        world.after(3 + draw.random() * 25, partial(_split, world))
    if draw.random() < 0.25:
        world.after(25 + draw.random() * 10, partial(_merge, world))
    for _ in range(draw.choice((0, 2, 5))):
        world.after(5 + draw.random() * 35, partial(_repeat, world))
    if draw.random() < 0.1:
        world.after(draw.random() * 30, partial(_plant, world, f"nobody:{draw.random()}"))


def _plan_pauses(world: World) -> None:
    draw = world.draw
    _plan_freezes(world)
    if draw.random() < LOSSY_SHARE:
        world.faults.loses = {"ses send": 0.2}
    for kind in (core.NAME, sender.NAME, archive.NAME):
        for _ in range(draw.choice((0, 1, 1, 2))):
            at_s, pause_s = 2 + draw.random() * 35, 1 + draw.random() * draw.choice((5, 15, 40))
            _pause(world, kind, at_s, pause_s, replaced=draw.random() < 0.8)
        if draw.random() < 0.2:
            act = methodcaller("stop", kind)
            world.after(draw.random() * 40, partial(world.disturb, act, kind))
        if draw.random() < 0.2:
            lag_us = int(draw.random() * 20 * SECOND_US)
            world.after(draw.random() * 35, partial(world.faults.lag, kind, lag_us))


def _plan_freezes(world: World) -> None:
    """In some worlds the sender is paused right where it hurts most: between claim and outcome."""
    if world.draw.random() < FROZEN_SHARE:
        world.faults.freezes = {world.draw.choice(FROZEN_SITES): 0.4}


def _pause(world: World, kind: str, at_s: float, pause_s: float, *, replaced: bool) -> None:
    """Stop a worker like by SIGSTOP; where it is replaced meanwhile, it wakes up as a zombie."""
    name = "make_zombie" if replaced else "pause"
    act = methodcaller(name, kind, int(pause_s * SECOND_US))
    world.after(at_s, partial(world.disturb, act, kind))
    if world.draw.random() < 0.5:
        # It goes on with what it has in memory, and reads late that it is not alone.
        lag_us = int(world.draw.uniform(1, 12) * SECOND_US)
        world.after(at_s + pause_s, partial(world.faults.lag, kind, lag_us))
    # Whoever has been paused shall have woken up, and done its harm, before the end.
    world.after(at_s + pause_s + 3, lambda: None)


def _between(
    world: World, first_s: float, last_s: float, longest_s: float, switch: Callable[[bool], None]
) -> None:
    begin_s = world.draw.uniform(first_s, last_s)
    world.after(begin_s, partial(switch, True))  # noqa: FBT003 - on
    end_s = begin_s + 1 + world.draw.random() * longest_s
    world.after(end_s, partial(switch, False))  # noqa: FBT003 - and off


def _split(world: World) -> None:
    shard = world.draw.choice([each for each in world.stream.shards() if not each.closed])
    width = shard.last_hash_key - shard.first_hash_key
    at = shard.first_hash_key + int(width * world.draw.uniform(0.2, 0.8))
    world.stream.split(shard.id, at)


def _merge(world: World) -> None:
    openings = sorted(
        (each for each in world.stream.shards() if not each.closed),
        key=lambda each: each.first_hash_key,
    )
    first = world.draw.randrange(len(openings) - 1)
    world.stream.merge(openings[first].id, openings[first + 1].id)


def _repeat(world: World) -> None:
    """A producer's retry: a record stands there once more, perhaps much later."""
    records = world.stream.all_records()
    if records:
        world.stream.repeat(world.draw.choice(list(records)).sequence_number)


def _plant(world: World, subject: str) -> None:
    """Bytes that no reader can use."""
    mark = world.draw.getrandbits(32)
    envelope = {
        "id": f"planted-{mark}",
        "subject": subject,
        "cause": "nobody",
        "after": None,
        "recorded_at": world.clock.now(),
        "decider": "stranger",
        "rule_version": 0,
    }
    data = world.draw.choice(
        (
            b"\xc1 no msgpack %d" % mark,
            msgpack.packb({"neither": "an", "envelope": mark}),
            msgpack.packb({**envelope, "events": [["HeardOfTomorrow", 1, {}]]}),
            msgpack.packb({**envelope, "events": [["TimerFired", 99, {}]]}),
            msgpack.packb({**envelope, "subject": "mail:another", "events": []}),
        )
    )
    world.garbage.add(data)
    world.stream.append([OutgoingRecord(subject, data)])
