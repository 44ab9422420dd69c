"""Old payloads into new ones, one version at a time, before they are typed.

Old bytes decode for ever: an upcaster is only ever added. It gets the plain payload of version
n and returns that of version n + 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from schemas.errors import UndecodableRecord, UnknownEventVersion

Payload = Mapping[str, Any]
Upcaster = Callable[[Payload], Payload]


def _always_unmoderated(payload: Payload) -> Payload:
    """Aliases had neither moderation nor a schedule."""
    schedule = {"not_before": 0, "delay_us": 0, "window": ""}
    return {**payload, "moderated": False, "schedule": schedule}


def _ends_parked(payload: Payload) -> Payload:
    """What was called off was parked, whoever had asked."""
    return {**payload, "ends_as": "parked"}


def _unwatched(payload: Payload) -> Payload:
    """Addresses had no record of bounces."""
    return {**payload, "watched": False}


def _called_some_time(payload: Payload) -> Payload:
    """When SES was called was not told."""
    return {**payload, "called_at": 0}


def _paused_by_tenant(payload: Payload) -> Payload:
    """A pause was of a tenant or of everybody, and of all that waited."""
    return {"scope": payload["tenant"], "since": 0, "by": payload["by"], "why": payload["why"]}


def _resumed_by_tenant(payload: Payload) -> Payload:
    """So was its end."""
    return {"scope": payload["tenant"], "by": payload["by"], "why": payload["why"]}


UPCASTERS: Mapping[tuple[str, int], Upcaster] = {
    ("RouteResolved", 1): _always_unmoderated,
    ("SendCancelRequested", 1): _ends_parked,
    ("SendStarted", 1): _unwatched,
    ("SendUnknown", 1): _called_some_time,
    ("SendingPaused", 1): _paused_by_tenant,
    ("SendingResumed", 1): _resumed_by_tenant,
}
"""(event type, version it takes) -> the step to the next version."""


def upcast(
    name: str,
    version: int,
    current: int,
    payload: Payload,
    upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS,
) -> Payload:
    """Bring ``payload`` from ``version`` to ``current``.

    Raises:
        UnknownEventVersion: the version is newer than this worker, or a step is missing.
        UndecodableRecord: the payload is not one of that version, or no version is below 1.
    """
    if version < 1:
        message = f"{name} version {version}: versions begin with 1"
        raise UndecodableRecord(message)
    if version > current:
        message = (
            f"{name} version {version}: this worker knows {current} at most; "
            "upgrade the workers, then redrive the record"
        )
        raise UnknownEventVersion(message)
    for step in range(version, current):
        upcaster = upcasters.get((name, step))
        if upcaster is None:
            message = f"{name} version {version}: no upcaster from version {step}"
            raise UnknownEventVersion(message)
        try:
            payload = upcaster(payload)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            # Garbage under an old version's name is no bug of the upcaster: it is quarantined.
            message = f"{name} version {step}: {type(error).__name__} {error}"
            raise UndecodableRecord(message) from error
    return payload
