"""Old payloads into new ones, one version at a time, before they are typed.

Old bytes decode for ever: an upcaster is only ever added. It gets the plain payload of version
n and returns that of version n + 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from schemas.errors import MailtumbleError, UndecodableRecord, UnknownEventVersion
from schemas.values import PERMANENT

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


_NO_SOURCE = {"digest": "", "domain_digest": "", "spf": ""}
"""Stands for the sender of a message where the log does not record it."""


def _bounced_somehow(payload: Payload) -> Payload:
    """Convert ``permanent``: the older version records nothing else about the bounce."""
    kept = {name: each for name, each in payload.items() if name != "permanent"}
    bounce_type = PERMANENT if payload["permanent"] else "Transient"
    more = {"bounce_type": bounce_type, "bounce_subtype": "", "enhanced_status": ""}
    return {**kept, **more, "source": _NO_SOURCE}


def _complained_of_something(payload: Payload) -> Payload:
    """Add the complaint's type and the sender, which the older version does not record."""
    return {**payload, "feedback_type": "", "complaint_subtype": "", "source": _NO_SOURCE}


def _delivered_by_somebody(payload: Payload) -> Payload:
    """Add the sender of the message, which the older version does not record."""
    return {**payload, "source": _NO_SOURCE}


def _without_status(payload: Payload) -> Payload:
    """Add the enhanced status of the bounce, which the older version does not record."""
    return {**payload, "enhanced_status": ""}


def _complaint_by_type(payload: Payload) -> Payload:
    """Rename ``complaint_type``, and add SES's subtype, which the older version does not record."""
    kept = {name: each for name, each in payload.items() if name != "complaint_type"}
    return {**kept, "feedback_type": payload["complaint_type"], "complaint_subtype": ""}


def _delayed_somehow(payload: Payload) -> Payload:
    """Add what the server said, which the older version does not record."""
    return {**payload, "enhanced_status": "", "diagnostic": ""}


def _without_policy(payload: Payload) -> Payload:
    """Add the sender's DMARC policy, which the older version does not record."""
    return {**payload, "dmarc_policy": ""}


def _by_some_rule(payload: Payload) -> Payload:
    """Add the version of the rules file, which the older version does not record."""
    return {**payload, "rules_digest": "", "rule_line": 0}


def _targets_by_default_route(payload: Payload) -> Payload:
    """Add the route, which version 1 lacks because there was only one."""
    return {**payload, "targets": [{**each, "route": ""} for each in payload["targets"]]}


def _by_default_route(payload: Payload) -> Payload:
    """Add the route, which version 1 lacks because there was only one."""
    return {**payload, "route": ""}


UPCASTERS: Mapping[tuple[str, int], Upcaster] = {
    ("AddressBounced", 1): _bounced_somehow,
    ("AddressComplained", 1): _complained_of_something,
    ("AddressDelivered", 1): _delivered_by_somebody,
    ("BounceReceived", 1): _without_status,
    ("ComplaintReceived", 1): _complaint_by_type,
    ("DeliveryDelayed", 1): _delayed_somehow,
    ("MailReceived", 1): _without_policy,
    ("ModerationDecided", 1): _by_some_rule,
    ("RouteResolved", 1): _always_unmoderated,
    ("RouteResolved", 2): _targets_by_default_route,
    ("SendScheduled", 1): _by_default_route,
    ("SendCancelRequested", 1): _ends_parked,
    ("SendStarted", 1): _unwatched,
    ("SendStarted", 2): _by_default_route,
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
    return climb(name, range(version, current), payload, upcasters, name, UnknownEventVersion)


def climb(
    name: str,
    steps: range,
    plain: Payload,
    upcasters: Mapping[tuple[str, int], Upcaster],
    what: str,
    unknown: type[MailtumbleError],
) -> Payload:
    """Apply one upcaster after the other; events and stored states use the same steps.

    Args:
        name: the event type, or the aggregate.
        steps: the versions to start a step from, in their order.
        plain: the fields in the first of these versions.
        upcasters: the step to the next version, by name and version.
        what: the thing that is converted, for error messages.
        unknown: the error to raise if a step is missing.

    Returns:
        The fields in the version after the last step.

    Raises:
        UndecodableRecord: the fields are not those of the version that they claim to have. Garbage
            under an old version's name is no fault of the upcaster, so it is quarantined.
    """
    for step in steps:
        upcaster = upcasters.get((name, step))
        if upcaster is None:
            message = f"{what}: no upcaster from version {step}"
            raise unknown(message)
        try:
            plain = upcaster(plain)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            message = f"{what} version {step}: {type(error).__name__} {error}"
            raise UndecodableRecord(message) from error
    return plain
