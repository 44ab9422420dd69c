"""Count the calls of SES by how they ended, per shard and minute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from schemas.envelope import EventEnvelope
from schemas.events import Event, SendAccepted, SendDeferred, SendFailed, SendUnknown
from schemas.values import MINUTE_US, DeferReason, Observer

LIMITED: Final = (DeferReason.THROTTLED, DeferReason.DAILY_QUOTA)
"""Reasons by which SES says that its limits are reached."""

Minute = tuple[str, int]
"""A shard's id, and the beginning of a minute (microseconds UTC)."""


@dataclass(slots=True)
class Calls:
    """The calls of the accepted records.

    Attributes:
        by_minute: for each shard and minute, how many calls ended in which way (``accepted``,
            ``refused``, ``deferred``, ``failed``, ``unanswered`` or ``unknown``), and the
            ``recipients`` and ``bytes`` of the accepted ones. It is the minute of the call and not
            of its record, except for ``unknown`` ones, whose time is not known.
    """

    by_minute: dict[Minute, Counter[str]] = field(default_factory=dict)

    def take(self, shard_id: str, record: EventEnvelope) -> None:
        """Count what an accepted record says about calls."""
        for event in record.events:
            found = _outcome(event)
            if found is None:
                continue
            called_at, amounts = found
            at = called_at or record.recorded_at
            counter = self.by_minute.setdefault((shard_id, at - at % MINUTE_US), Counter())
            counter.update(amounts)


def _outcome(event: Event) -> tuple[int, Mapping[str, int]] | None:
    """Return when a call was made (0: not known) and what it adds; None if no call has ended."""
    if isinstance(event, SendAccepted):
        if event.observed_by is not Observer.CALL:
            # SES's event says it too: the call itself is counted by its own report.
            return None
        return event.called_at, {"accepted": 1, "recipients": 1, "bytes": event.size_bytes}
    if isinstance(event, SendUnknown):
        return event.called_at, {"unanswered" if event.called_at else "unknown": 1}
    if not isinstance(event, SendDeferred | SendFailed) or not event.called_at:
        return None
    if isinstance(event, SendFailed):
        return event.called_at, {"failed": 1}
    if event.reason is DeferReason.NOT_CALLED:
        return None
    return event.called_at, {"refused" if event.reason in LIMITED else "deferred": 1}
