"""Pausing and resuming: of the fleet, or of one tenant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from processors.kernel import Obeyed
from schemas.events import CommandGiven, Event, SendingPaused, SendingResumed
from schemas.values import Command

DECIDER: Final = "fleet"
RULE_VERSION: Final = 1
EVERYBODY: Final = ""
"""The tenant that stands for all of them."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """The state. ``paused``: tenant ("" is everybody) -> by whom and why, in words."""

    paused: Mapping[str, str] = field(default_factory=dict)


INITIAL: Final = Fleet()


def evolve(fleet: Fleet, event: Event) -> Fleet:
    """Fold one event."""
    match event:
        case SendingPaused(tenant=tenant, by=by, why=why):
            told = f"{by}: {why}" if why else by
            return replace(fleet, paused={**fleet.paused, tenant: told})
        case SendingResumed(tenant=tenant):
            left = {each: told for each, told in fleet.paused.items() if each != tenant}
            return replace(fleet, paused=left)
        case _:
            return fleet


def decide(fleet: Fleet, event: Event) -> tuple[Event, ...]:
    """React to a person's command."""
    if isinstance(event, CommandGiven):
        return _obey(fleet, event).told(event)
    return ()


def _obey(fleet: Fleet, command: CommandGiven) -> Obeyed:
    tenant = command.detail
    whose = f"of {tenant}" if tenant else "of the whole fleet"
    standing = fleet.paused.get(tenant)
    match command.command:
        case Command.PAUSE if standing is not None:
            return Obeyed.refused(f"sending {whose} is paused already, by {standing}")
        case Command.PAUSE:
            paused = SendingPaused(tenant=tenant, by=command.by, why=command.why)
            return Obeyed((paused,), f"sending {whose} is paused")
        case Command.RESUME if standing is None:
            return Obeyed.refused(f"sending {whose} is not paused")
        case Command.RESUME:
            resumed = SendingResumed(tenant=tenant, by=command.by, why=command.why)
            return Obeyed((resumed,), f"sending {whose} goes on")
        case _:
            return Obeyed.refused(f"a fleet can't {command.command}")
