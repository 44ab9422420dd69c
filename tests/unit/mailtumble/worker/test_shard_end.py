"""What a host does when a shard is read to its end. It runs for real, over the fakes."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any, cast

import pytest

from mailtumble.sender.shard import SenderShard
from mailtumble.worker.application import Fact
from mailtumble.worker.host import EmbeddedHost
from mailtumble.worker.lane_host import Hosted
from mailtumble.worker.sender_host import SenderWork
from schemas.events import Event, SendAccepted
from tests.samples import SUBJECT, accepted
from tests.unit.mailtumble.worker.hosting import World, played, running, until


def test_calls_in_the_air_tell_their_outcomes_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nobody would ask its lane later; untold, the mail would be sent again after its deadline."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mailtumble.worker.host.SHARDS_LOOKED_FOR_S", 0.2)

    async def scene() -> None:
        world = World()
        (parent,) = world.stream.shards()
        called, passes = threading.Event(), threading.Event()
        host = world.host("sender")
        assert isinstance(host, EmbeddedHost)
        transmission = cast("SenderWork", host.work).parts.transmission
        carry_out = transmission.carry_out

        def slowly(*arguments: Any) -> Event:  # noqa: ANN401 - as they come
            called.set()
            assert passes.wait(60)
            return carry_out(*arguments)

        transmission.carry_out = slowly  # type: ignore[method-assign]
        world.bring("sender")
        cursor = {"cursor": f"sender#0#{parent.id}"}
        async with running(host):
            await until(called.is_set)
            world.stream.split(parent.id)
            await until(lambda: host.lanes[parent.id].leaving)
            assert "closed" not in (world.store.get("cursors", cursor) or {})
            passes.set()
            await until(lambda: (world.store.get("cursors", cursor) or {}).get("closed"))
            assert world.told(SendAccepted)
            children = {each.id for each in world.stream.shards()} - {parent.id}
            await until(lambda: set(host.lanes) == children)

    played(scene)


def test_nothing_is_begun_on_a_lane_that_is_left_at_this_moment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A step that found the lane idle, and runs a moment later, would claim what nobody tells."""
    monkeypatch.chdir(tmp_path)
    begun: list[str] = []

    async def step(hosted: Hosted) -> None:
        begun.append(hosted.shard.id)

    async def scene() -> None:
        host = World().host("sender")
        assert isinstance(host, EmbeddedHost)
        async with running(host):
            await until(lambda: host.lanes)
            (hosted,) = host.lanes.values()
            await until(lambda: not hosted.busy)
            stepping = asyncio.create_task(host.each_lane("a step", step))
            await asyncio.sleep(0)
            await host.leave(hosted)
            await stepping
            assert not begun

    played(scene)


def test_what_is_known_is_told_while_one_call_takes_long(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The time at a stop may be up before it ends: untold, the others' mails would go again."""
    monkeypatch.chdir(tmp_path)

    async def scene() -> None:
        world = World()
        host = world.host("sender")
        assert isinstance(host, EmbeddedHost)
        work = cast("SenderWork", host.work)
        async with running(host):
            await until(lambda: host.lanes)
            (hosted,) = host.lanes.values()
            host._stopping = True  # its timers tell nothing any more
            call = asyncio.create_task(asyncio.Event().wait())
            work._jobs[call] = cast("SenderShard", hosted.lane)
            work.parts.outcomes.add(Fact("known", SUBJECT, "attempt-1", "sender", (accepted(),)))
            finishing = asyncio.create_task(work.finish([hosted]))
            await until(lambda: world.told(SendAccepted))
            assert not call.done()
            call.cancel()
            await finishing

    played(scene)
