"""A worker's web views: is it healthy, what has it done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.values import SECOND_US

STALLED_US: Final = 60 * SECOND_US
"""A shard that has not finished a read for so long does not move."""


@dataclass(slots=True)
class Pulse:
    """What is known of one shard's progress. Times are microseconds UTC."""

    moved_at: int
    lag_ms: int = 0


@dataclass(slots=True)
class Vitals:
    """What the host writes down and the views read; all on the event loop.

    ``needs_shards``: without a shard it is not healthy.
    """

    worker: str
    started_at: int
    needs_shards: bool = False
    pulses: dict[str, Pulse] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    tallies: dict[str, Mapping[str, int]] = field(default_factory=dict)

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter."""
        self.counters[name] = self.counters.get(name, 0) + amount


def health(vitals: Vitals, now: int) -> tuple[int, dict[str, Any]]:
    """HTTP status and body: 503 where a shard does not move, or none is there that should be."""
    shards = {
        shard: {"lag_ms": pulse.lag_ms, "silent_ms": (now - pulse.moved_at) // 1000}
        for shard, pulse in sorted(vitals.pulses.items())
    }
    stalled = [shard for shard, pulse in vitals.pulses.items() if now - pulse.moved_at > STALLED_US]
    status = "stalled" if stalled else "ok"
    if vitals.needs_shards and not vitals.pulses:
        status = "without shards"
    body = {
        "worker": vitals.worker,
        "status": status,
        "stalled": sorted(stalled),
        "uptime_s": (now - vitals.started_at) // SECOND_US,
        "shards": shards,
    }
    return (200 if status == "ok" else 503), body


def metrics(vitals: Vitals, now: int) -> str:
    """The counters in Prometheus's text format."""
    worker = f'worker="{vitals.worker}"'
    lines = [f"mailtumble_uptime_seconds{{{worker}}} {(now - vitals.started_at) // SECOND_US}"]
    for shard, pulse in sorted(vitals.pulses.items()):
        lines.append(f'mailtumble_shard_lag_ms{{{worker},shard="{shard}"}} {pulse.lag_ms}')
    for shard, tally in sorted(vitals.tallies.items()):
        for name, value in tally.items():
            lines.append(f'mailtumble_{name}_total{{{worker},shard="{shard}"}} {value}')
    for name, value in sorted(vitals.counters.items()):
        lines.append(f"mailtumble_{name}_total{{{worker}}} {value}")
    return "\n".join(lines) + "\n"
