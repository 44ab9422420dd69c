"""Suppression: when an address gets no more mail, for how long, and when it does again.

Permanent bounces and complaints count at once, transient bounces when there are several in a
window: what SES's own reputation rules punish (SES developer guide, "Reputation metrics").
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from processors.kernel import Obeyed
from schemas.events import (
    AddressBounced,
    AddressComplained,
    AddressDelivered,
    AddressReleased,
    AddressSuppressed,
    CommandGiven,
    Event,
)
from schemas.values import DAY_US, Command, SuppressionReason

DECIDER: Final = "address"
RULE_VERSION: Final = 1
WANTED: Final = frozenset({SuppressionReason.MANUAL, SuppressionReason.COMPLAINT})
"""Reasons that are somebody's wish: no delivery lifts them."""
BOUNCES_MAX: Final = 20
"""Transient bounces that are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionRules:
    """What the settings say. Durations in microseconds; 0: until somebody releases the address."""

    permanent_for_us: int = 0
    complaint_for_us: int = 0
    transient_for_us: int = DAY_US
    transient_bounces: int = 3
    transient_window_us: int = 7 * DAY_US


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """The state: the transient bounces of late, and whether it is suppressed."""

    address: str = ""
    bounces: tuple[int, ...] = ()
    reason: SuppressionReason | None = None
    detail: str = ""
    since: int = 0
    until: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether there is nothing on record."""
        return not self.bounces and self.reason is None

    def is_suppressed(self, now: int) -> bool:
        """Whether nothing is sent to it at ``now``."""
        return self.reason is not None and (self.until == 0 or now < self.until)


INITIAL: Final = Address()


def evolve(state: Address, event: Event) -> Address:
    """Fold one event."""
    match event:
        case AddressBounced(address=address, permanent=False, happened_at=at):
            bounces = tuple(sorted((*state.bounces, at))[-BOUNCES_MAX:])
            since = max(at, state.since)
            return replace(state, address=address, bounces=bounces, since=since)
        case AddressSuppressed(address=address, reason=reason, detail=detail, until=until):
            return replace(state, address=address, reason=reason, detail=detail, until=until)
        case AddressReleased(address=address):
            return Address(address=address)
        case (
            AddressBounced(address=address, happened_at=at)
            | AddressComplained(address=address, happened_at=at)
        ):
            return replace(state, address=address, since=max(at, state.since))
        case _:
            return state


def decide(state: Address, event: Event, *, now: int, rules: SuppressionRules) -> tuple[Event, ...]:
    """React to what became of a mail to the address, and to a person's command."""
    match event:
        case AddressBounced(permanent=True):
            reason, for_us = SuppressionReason.PERMANENT, rules.permanent_for_us
            return _suppress(state, event, reason, for_us, event.diagnostic, now)
        case AddressBounced(happened_at=at):
            recent = [each for each in state.bounces if each > at - rules.transient_window_us]
            if len(recent) < rules.transient_bounces:
                return ()
            reason, for_us = SuppressionReason.TRANSIENT, rules.transient_for_us
            return _suppress(state, event, reason, for_us, event.diagnostic, now)
        case AddressComplained():
            reason, for_us = SuppressionReason.COMPLAINT, rules.complaint_for_us
            return _suppress(state, event, reason, for_us, "", now)
        case AddressDelivered(address=address, happened_at=at) if not state.is_clean:
            # Told late, a delivery from before the bounce says nothing. That mail gets through
            # says nothing of a complaint either, nor of what an operator wants.
            if at <= state.since or state.reason in WANTED:
                return ()
            return (AddressReleased(address=address, detail="a mail was delivered"),)
        case CommandGiven():
            return _obey(state, event, now).told(event)
        case _:
            return ()


def _suppress(
    state: Address,
    event: AddressBounced | AddressComplained,
    reason: SuppressionReason,
    for_us: int,
    detail: str,
    now: int,
) -> tuple[Event, ...]:
    until = now + for_us if for_us else 0
    if state.is_suppressed(now) and (state.until == 0 or 0 < until <= state.until):
        return ()
    suppressed = AddressSuppressed(address=event.address, reason=reason, detail=detail, until=until)
    return (suppressed,)


def _obey(state: Address, command: CommandGiven, now: int) -> Obeyed:
    address = command.detail
    match command.command:
        case Command.SUPPRESS if state.is_suppressed(now) and state.until == 0:
            return Obeyed.refused(f"{address} is suppressed already ({state.reason})")
        case Command.SUPPRESS:
            suppressed = AddressSuppressed(
                address=address,
                reason=SuppressionReason.MANUAL,
                detail=f"{command.by}: {command.why}" if command.why else command.by,
                until=command.at,
            )
            return Obeyed((suppressed,), f"{address} is suppressed")
        case Command.RELEASE if state.is_clean:
            return Obeyed.refused(f"{address} is not suppressed")
        case Command.RELEASE:
            detail = f"{command.by}: {command.why}" if command.why else command.by
            released = AddressReleased(address=address, detail=detail)
            return Obeyed((released,), f"{address} gets mail again")
        case _:
            return Obeyed.refused(f"an address can't {command.command}")
