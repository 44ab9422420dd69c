"""What a worker's views show: is it healthy, what is measured. Pure, save for the meter.

Healthy is who moves, not who runs: a shard's reading, and each step that goes on beside it
(ticks, pace, sends), has to come to an end again and again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mailtumble.worker.metrics import (
    AWAITS_UPGRADE,
    LAG,
    METRICS,
    SILENT,
    UPTIME,
    Kind,
    Meter,
    Series,
)
from schemas.values import SECOND_US

STALLED_US: Final = 60 * SECOND_US
"""A shard that has not finished a read, or a step, for so long does not move."""
UNHURRIED_US: Final = 5 * SECOND_US
"""So long ago a read may lie before the lag is taken to grow: a reader waits between two."""
US_PER_MS: Final = 1000


@dataclass(slots=True)
class Pulse:
    """What is known of one shard's progress. Times are microseconds UTC.

    ``steps`` holds, for each step that runs beside the reading, when it last finished. ``tip_at``
    is when the reading was last at the tip of the stream. ``awaits`` says which upgrade the reading
    has been waiting for since ``awaits_since``; it is empty if it does not wait.
    """

    moved_at: int
    lag_ms: int = 0
    steps: dict[str, int] = field(default_factory=dict)
    tip_at: int = 0
    awaits: str = ""
    awaits_since: int = 0

    def lag_us(self, now: int) -> int:
        """How far the reading is behind: while nothing moves, it falls behind with the time."""
        silent = now - self.moved_at
        return self.lag_ms * US_PER_MS + (silent if silent > UNHURRIED_US else 0)

    def upgraded(self, now: int) -> None:
        """End a wait for an upgrade: the reading moves again, as far behind as it is by now.

        The time of the wait goes into the lag. The records after the awaited one are still to be
        read, and the next read measures how far behind they are.
        """
        if self.awaits:
            self.lag_ms = self.lag_us(now) // US_PER_MS
            self.moved_at = now
            self.awaits, self.awaits_since = "", 0

    def stalled(self, now: int) -> list[str]:
        """What has not moved for too long.

        A shard that waits for an upgrade is alive; restarting the worker would not help.
        """
        moved = dict(self.steps) if self.awaits else {"reading": self.moved_at, **self.steps}
        return [name for name, at in moved.items() if now - at > STALLED_US]


@dataclass(slots=True)
class Vitals:
    """What the host writes down and the views read; all on the event loop.

    ``needs_shards``: it reads shards, and without one it is not healthy (others have pulses by
    other names); ``settles_us``: for so long after its start that is nothing to complain of.
    ``missing``: shards that are this
    worker's by right, with no process at work on them. ``spare``: others have every shard.
    """

    worker: str
    started_at: int
    needs_shards: bool = False
    pulses: dict[str, Pulse] = field(default_factory=dict)
    settles_us: int = 0
    missing: tuple[str, ...] = ()
    spare: bool = False
    meter: Meter = field(default_factory=Meter)

    def counts(self) -> Mapping[Series, float]:
        """Every counter of this worker; those without labels begin at 0, for rates to be taken."""
        own = [each for each in METRICS if self.worker in each.workers]
        zeros = {each.of(): 0.0 for each in own if each.kind is Kind.COUNTER and not each.labels}
        names = {each.name for each in own}
        counted = self.meter.counts().items()
        return {**zeros, **{series: value for series, value in counted if series[0] in names}}

    def gauges(self, now: int) -> Mapping[Series, float]:
        """Every gauge, the pulses' among them."""
        found = self.meter.gauges()
        found[UPTIME.of()] = (now - self.started_at) / SECOND_US
        for shard, pulse in self.pulses.items() if self.needs_shards else ():
            found[LAG.of(shard)] = pulse.lag_us(now) / SECOND_US
            found[SILENT.of(shard)] = (now - pulse.moved_at) / SECOND_US
            waited = now - pulse.awaits_since if pulse.awaits else 0
            found[AWAITS_UPGRADE.of(shard)] = waited / SECOND_US
        return found


def health(vitals: Vitals, now: int) -> tuple[int, dict[str, Any]]:
    """Return the HTTP status and body of the health page.

    The status is 503 if a shard makes no progress, or if there is no shard although there should be
    one. It is 200 if a shard only waits for an upgrade, because restarting the same release would
    not help; the body names the shard.
    """
    shards: dict[str, Any] = {}
    for shard, pulse in sorted(vitals.pulses.items()):
        shards[shard] = {
            "lag_ms": pulse.lag_us(now) // US_PER_MS,
            "silent_ms": (now - pulse.moved_at) // US_PER_MS,
        }
        if stalled := pulse.stalled(now):
            shards[shard]["stalled"] = stalled
        if pulse.awaits:
            shards[shard]["awaits_upgrade"] = pulse.awaits
    stuck = sorted([*vitals.missing, *(name for name, told in shards.items() if "stalled" in told)])
    waiting = any(pulse.awaits for pulse in vitals.pulses.values())
    status = "stalled" if stuck else "awaits upgrade" if waiting else "ok"
    settling = now - vitals.started_at < vitals.settles_us
    if vitals.needs_shards and not (vitals.pulses or vitals.spare or settling):
        status = "without shards"
    body = {
        "worker": vitals.worker,
        "status": status,
        "stalled": stuck,
        "uptime_s": (now - vitals.started_at) // SECOND_US,
        "shards": shards,
    }
    return (200 if status in ("ok", "awaits upgrade") else 503), body
