"""Conditions that block mail which is otherwise ready: pauses and suppressed addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

FLEET: Final = ""
"""The scope of a pause of the whole fleet."""
FOREVER: Final = 0


@dataclass(frozen=True, slots=True)
class Conditions:
    """The pauses and suppressions at one moment.

    Attributes:
        paused: by scope, the moment from which on arriving mail is blocked (0: all mail). A scope
            is a tenant, ``@`` and a destination domain, or "" for the whole fleet.
        suppressed: by address in lower case, the moment when the suppression ends (0: never).
    """

    paused: Mapping[str, int] = field(default_factory=dict)
    suppressed: Mapping[str, int] = field(default_factory=dict)

    def pause(self, tenant: str, address: str, received_at: int) -> str:
        """Return the pause that blocks a message, in words; "" if there is none."""
        for scope in (FLEET, tenant, f"@{domain_of(address)}"):
            since = self.paused.get(scope)
            if since is not None and received_at >= since:
                return f"sending of {scope or 'the fleet'} is paused"
        return ""

    def is_suppressed(self, address: str, now: int) -> bool:
        """Whether nothing may be sent to an address now."""
        until = self.suppressed.get(address.lower())
        return until is not None and (until == FOREVER or now < until)


def domain_of(address: str) -> str:
    """Return the domain of an address in lower case."""
    return address.rpartition("@")[2].lower()


@dataclass(slots=True)
class History:
    """The changes of one condition: when each arrived, and the new value (None: lifted)."""

    changes: list[tuple[int, int | None]] = field(default_factory=list)

    def set(self, arrived_at: int, value: int | None) -> None:
        """Add a change. Changes of one subject must be added in stream order."""
        self.changes.append((arrived_at, value))

    def at(self, moment: int) -> int | None:
        """Return the value of the last change that had arrived by a moment."""
        value = None
        for arrived_at, each in self.changes:
            if arrived_at > moment:
                break
            value = each
        return value
