"""Stored states: a version per aggregate, and upcasters from the older ones.

A state is stored with its version, as an event is. Deployments run two releases side by side, and
each may take over a subject that the other has stored. Therefore:

- A field that has a default may be added without a new version. An older release ignores it, and
  drops it when it stores the state: add a field this way only if that loss does no harm.
- Every other change raises the version in :data:`VERSIONS`, and adds an upcaster from the version
  before and a golden file (``python -m tests.golden_states``). A release that finds a version newer
  than its own does not touch the subject and waits for an upgrade.
- An event inside a state has no version of its own. If its fields change, raise the version of the
  state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from schemas.errors import UnknownStateVersion
from schemas.structure import from_plain
from schemas.upcasters import Upcaster, climb

T = TypeVar("T")

Plain = Mapping[str, Any]

VERSIONS: Final[Mapping[str, int]] = {
    "address": 1,
    "dispatch": 2,
    "fleet": 1,
    "mail": 2,
    "undecided": 1,
}
"""The version in which each aggregate's state is stored today."""


def _with_policy(received: Plain | None) -> Plain | None:
    return None if received is None else {**received, "dmarc_policy": ""}


def _mail_by_default_route(plain: Plain) -> Plain:
    """Add what version 1 lacks: the route (there was only one) and the sender's DMARC policy."""
    sending = plain["sending"]
    targets = [{**target, "route": ""} for target in sending["targets"]]
    received = _with_policy(plain["received"])
    return {**plain, "received": received, "sending": {**sending, "targets": targets}}


def _dispatch_by_default_route(plain: Plain) -> Plain:
    """Add what version 1 lacks: the route (there was only one) and the sender's DMARC policy."""
    attempts = [
        {**attempt, "scheduled": {**attempt["scheduled"], "route": ""}}
        for attempt in plain["attempts"]
    ]
    return {**plain, "mail": _with_policy(plain["mail"]), "attempts": attempts}


UPCASTERS: Final[Mapping[tuple[str, int], Upcaster]] = {
    ("dispatch", 1): _dispatch_by_default_route,
    ("mail", 1): _mail_by_default_route,
}
"""By aggregate and version: the function that converts a state of it to the next version."""


def read_state(
    aggregate: str,
    kind: type[T],
    version: int,
    plain: Plain,
    *,
    current: int | None = None,
    upcasters: Mapping[tuple[str, int], Upcaster] = UPCASTERS,
) -> T:
    """Read a stored state, whatever older version it has.

    Args:
        aggregate: the aggregate's name, a key of :data:`VERSIONS`.
        kind: the class of the state.
        version: the version in which it was stored.
        plain: the stored fields; unknown ones are ignored.
        current: the version of ``kind``; that of :data:`VERSIONS` unless a test says otherwise.
        upcasters: the steps from older versions.

    Returns:
        The state, as today's code has it.

    Raises:
        UnknownStateVersion: the version is newer than today's, or a step is missing.
        UndecodableRecord: the fields are not those of a state of this version.
    """
    today = VERSIONS[aggregate] if current is None else current
    if version > today:
        message = (
            f"the state of {aggregate} has version {version}, and this worker knows {today} at "
            "most: upgrade the workers"
        )
        raise UnknownStateVersion(message)
    what = f"state of {aggregate}"
    plain = climb(aggregate, range(version, today), plain, upcasters, what, UnknownStateVersion)
    return from_plain(kind, plain, tolerant=True)
