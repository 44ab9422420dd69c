"""A host whose shard waited for an upgrade is healthy again at once when the wait ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mailtumble.worker import lane_host
from mailtumble.worker.host import EmbeddedHost
from mailtumble.worker.shard import BATCH_RECORDS_MAX
from mailtumble.worker.upgrades import UPGRADE_WAIT_US, AwaitsUpgrade
from mailtumble.worker.web import Pulse, health
from schemas.values import SECOND_US
from tests.unit.mailtumble.worker.hosting import World, played, running, until


def test_a_backlog_after_a_wait_for_an_upgrade_does_not_count_as_stalled(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """During the wait nothing was read. That says nothing about the batches after it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lane_host, "UPGRADE_AGAIN_S", 0.01)
    seen: list[tuple[int, str]] = []
    lags: list[int] = []

    async def scene() -> None:
        world = World()
        host = world.host("core")
        assert isinstance(host, EmbeddedHost)
        async with running(host):
            await until(lambda: host.lanes)
            (hosted,) = host.lanes.values()
            now = world.clock.now()
            # A pulse of its own: the host's reader goes on and would move the lane's.
            waiting = Pulse(now - UPGRADE_WAIT_US, lag_ms=5_000, steps={"ticks": now})

            def process(_: object) -> None:
                status, body = health(host.vitals, world.clock.now())
                seen.append((status, body["status"]))
                lags.append(waiting.lag_us(world.clock.now()) // SECOND_US)
                if len(seen) == 1:
                    raise AwaitsUpgrade("a newer event", now - UPGRADE_WAIT_US)

            hosted.lane.process = process  # type: ignore[method-assign]
            host.vitals.pulses = {hosted.shard.id: waiting}
            records: Any = range(2 * BATCH_RECORDS_MAX)
            await host.work_off(hosted, records)

    played(scene)
    assert seen == [(503, "stalled"), (200, "awaits upgrade"), (200, "ok")]
    assert lags[2] >= (5 * SECOND_US + UPGRADE_WAIT_US) // SECOND_US


def test_a_batch_without_a_wait_is_no_read() -> None:
    """Only a wait moves the pulse when it ends; otherwise the read does."""
    pulse = Pulse(1, lag_ms=2)
    pulse.upgraded(10 * SECOND_US)
    assert pulse == Pulse(1, lag_ms=2)
