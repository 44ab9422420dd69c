"""Pausing, draining and resuming: of the fleet, of one tenant, or of a domain that mail goes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from processors.kernel import Obeyed
from schemas.events import CommandGiven, Event, QuotaObserved, SendingPaused, SendingResumed
from schemas.values import Command

DECIDER: Final = "fleet"
RULE_VERSION: Final = 2
EVERYBODY: Final = ""
"""The scope that stands for all mail."""
AT: Final = "@"
"""Begins a scope that is the domain of those that mail goes to."""


@dataclass(frozen=True, slots=True)
class Pause:
    """By whom and why, in words; and since when mail that comes in is held (0: all that waits)."""

    told: str
    since: int = 0

    @property
    def drains(self) -> bool:
        """Whether what had come in before still leaves."""
        return self.since > 0


@dataclass(frozen=True, slots=True)
class Fleet:
    """The state. ``paused``: scope -> the pause; a scope is as in :class:`SendingPaused`.

    ``quotas``: how many of SES's limits were observed so far, each other than the one before.
    """

    paused: Mapping[str, Pause] = field(default_factory=dict)
    quotas: int = 0


INITIAL: Final = Fleet()


def evolve(fleet: Fleet, event: Event) -> Fleet:
    """Fold one event."""
    match event:
        case SendingPaused(scope=scope, since=since, by=by, why=why):
            pause = Pause(f"{by}: {why}" if why else by, since)
            return replace(fleet, paused={**fleet.paused, scope: pause})
        case SendingResumed(scope=scope):
            left = {each: pause for each, pause in fleet.paused.items() if each != scope}
            return replace(fleet, paused=left)
        case QuotaObserved():
            return replace(fleet, quotas=fleet.quotas + 1)
        case _:
            return fleet


def decide(fleet: Fleet, event: Event) -> tuple[Event, ...]:
    """React to a person's command."""
    if isinstance(event, CommandGiven):
        return _obey(fleet, event).told(event)
    return ()


def _obey(fleet: Fleet, command: CommandGiven) -> Obeyed:
    scope = command.detail
    whose = whose_sending(scope)
    standing = fleet.paused.get(scope)
    by, why = command.by, command.why
    match command.command:
        case Command.PAUSE | Command.DRAIN if standing is not None and (
            command.command is Command.DRAIN or not standing.drains
        ):
            how = "drained" if standing.drains else "paused"
            return Obeyed.refused(f"{whose} is {how} already, by {standing.told}")
        case Command.PAUSE:
            paused = SendingPaused(scope=scope, since=0, by=by, why=why)
            return Obeyed((paused,), f"{whose} is paused")
        case Command.DRAIN:
            drained = SendingPaused(scope=scope, since=command.at, by=by, why=why)
            return Obeyed((drained,), f"{whose} is drained: what waits leaves, what comes waits")
        case Command.RESUME if standing is None:
            return Obeyed.refused(f"{whose} is not paused")
        case Command.RESUME:
            resumed = SendingResumed(scope=scope, by=by, why=why)
            return Obeyed((resumed,), f"{whose} goes on")
        case _:
            return Obeyed.refused(f"a fleet can't {command.command}")


def whose_sending(scope: str) -> str:
    """A scope in words."""
    if scope == EVERYBODY:
        return "sending of the whole fleet"
    return f"sending to {scope[1:]}" if scope.startswith(AT) else f"sending of {scope}"
