"""A child's host: one real lane of core over fakes, driven as the KCL drives it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mailtumble.archive import heads
from mailtumble.archive.chain import read
from mailtumble.kcl.host import ChildHost, ChildSettings
from mailtumble.ports.store import Update
from mailtumble.worker import lane_host
from mailtumble.worker.archive_host import ArchiveWork
from mailtumble.worker.assembly import Plan, Ports
from mailtumble.worker.core_host import CoreWork
from mailtumble.worker.lane_host import AGAIN_S, Ended, Work
from schemas.errors import RetryableError
from schemas.ids import mail_id, mail_subject
from tests import samples
from tests.fakes import (
    InMemoryAliases,
    InMemoryItems,
    InMemoryObjects,
    InMemoryProvider,
    InMemoryQueue,
    InMemoryStream,
    VirtualClock,
)
from tests.newer import newer
from tests.unit.mailtumble.worker.hosting import until

CURSOR = "core#g1#{}"


class World:
    """A stream of one shard with some records, and a child for it."""

    def __init__(self, folder: Path) -> None:
        """Nobody has the shard."""
        self.clock = VirtualClock()
        self.stream = InMemoryStream(self.clock, shards=1)
        self.store = InMemoryItems()
        self.folder = folder
        self.leased = True
        self.work: type[Work] = CoreWork
        provider = InMemoryProvider(self.clock)
        self.ports = Ports(
            clock=self.clock,
            stream=self.stream,
            store=self.store,
            objects=InMemoryObjects(),
            queue=InMemoryQueue(self.clock),
            aliases=InMemoryAliases(),
            transport=provider,
            account=provider,
        )
        (shard,) = self.stream.shards()
        self.shard = shard.id

    def host(self) -> ChildHost:
        """A child's."""
        settings = ChildSettings(
            folder=self.folder, is_leased=lambda _: self.leased, grace_s=2, silent_s=60
        )
        plan = Plan(owner="host-1", bucket="mail", archive_bucket="archive")
        return ChildHost(self.work, self.ports, plan, settings)

    def tell(self, name: str) -> None:
        """A mail comes in."""
        from mailtumble.worker.application import Fact  # noqa: PLC0415
        from mailtumble.worker.records import outgoing  # noqa: PLC0415

        subject = mail_subject(mail_id(name, samples.RECIPIENT))
        event = samples.received(ses_message_id=name)
        fact = Fact(f"fact-{name}", subject, name, "intake", (event,))
        self.stream.append([outgoing(fact, self.clock.now())])

    def cursor(self) -> dict[str, Any]:
        """Core's."""
        key = {"cursor": CURSOR.format(self.shard)}
        return dict(self.store.get("cursors", key) or {})

    def rob(self) -> None:
        """Another owner takes the cursor."""
        key = {"cursor": CURSOR.format(self.shard)}
        self.store.write(Update("cursors", key, add={"epoch": 1}))


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A world of its own."""
    return World(tmp_path)


@asynccontextmanager
async def hosting(host: ChildHost) -> AsyncIterator[asyncio.Task[None]]:
    """The host at work, until the protocol ends with the block."""
    over = asyncio.Event()

    async def protocol() -> None:
        await over.wait()

    work = asyncio.create_task(host.run(protocol()))
    await asyncio.sleep(0.05)
    try:
        yield work
    finally:
        over.set()
        await asyncio.wait({work}, timeout=60)
        # With Kafka off Faust makes its Kafka consumer all the same, and never closes its loop.
        host.faust.app.consumer._thread.thread_loop.close()


def played(scene: Callable[[], Awaitable[None]]) -> None:
    """Run a scene on an event loop."""

    async def whole() -> None:
        await scene()

    asyncio.run(whole())


def test_a_shard_is_taken_over_worked_off_and_released(world: World) -> None:
    """And reported; its cursor is clean afterwards."""
    world.tell("m1")

    async def scene() -> None:
        host = world.host()
        async with hosting(host):
            assert await host.start(world.shard) is None
            assert host.shard_id == world.shard
            assert world.cursor()["epoch"] == 1
            records = world.stream.records()
            assert await host.process(records, 0)
            assert world.cursor()["sequence"] == records[-1].sequence_number
            assert await host.process([], 1234)
            await host._report()
            (path,) = world.folder.glob("*.json")
            told = json.loads(path.read_text(encoding="utf-8"))
            assert (told["shard"], told["lag_ms"]) == (world.shard, 1234)
            assert ["mailtumble_records_total", [world.shard], 1] in told["counts"]
            assert ["mailtumble_records_accepted_total", [world.shard], 1] in told["counts"]
            assert "clean" not in world.cursor()
            assert await host.release()
        assert world.cursor()["clean"]

    played(scene)


def test_a_child_waits_for_an_upgrade_and_stops_when_asked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report names what is awaited; nothing is checkpointed, and the wait is no death."""
    monkeypatch.setattr(lane_host, "UPGRADE_AGAIN_S", 0.01)
    world.tell("m1")
    world.stream.append([newer(samples.fact(samples.received()))])

    async def scene() -> None:
        host = world.host()
        async with hosting(host):
            await host.start(world.shard)
            first, second = world.stream.records()
            working = asyncio.create_task(host.process([first, second], 0))
            await until(lambda: host.vitals.pulses[world.shard].awaits)
            await host._report()
            (path,) = world.folder.glob("*.json")
            told = json.loads(path.read_text(encoding="utf-8"))
            assert "MailReceived version" in told["awaits"]
            assert told["awaits_since"] == world.clock.now()
            assert not working.done()
            host.stop()
            assert await working is None
            assert await host.release() == first.sequence_number
        assert world.cursor()["awaited"] == second.sequence_number
        assert "tries" not in world.cursor()

    played(scene)


@pytest.mark.parametrize("kept", [0, 4])
def test_the_archive_reads_what_its_lease_would_skip(world: World, kept: int) -> None:
    """Its head was lost, or set back; every record up to the lease is read from the stream."""
    for number in range(6):
        world.tell(f"m{number}")
    records = world.stream.records()

    async def scene() -> None:
        world.work = ArchiveWork
        host = world.host()
        async with hosting(host):
            await host.start(world.shard)
            await host.process(records[:kept], 0)
            await host.release()
        host = world.host()
        async with hosting(host):
            started = await host.start(world.shard)
            assert started == (records[kept - 1].sequence_number if kept else None)
            assert await host.catch_up(records[4].sequence_number)
            await host.process(records[5:], 0)
            await host.release()

    played(scene)
    (head,) = heads.every(world.store)
    by_shard = {head.shard: head}
    segments = read(world.ports.objects, "archive", head, by_shard)
    assert [each for segment in segments for each in segment.records] == list(records)


def test_core_never_reads_before_its_lease(world: World) -> None:
    """It would meet records again that it has forgotten."""
    world.tell("m1")
    (record,) = world.stream.records()

    async def scene() -> None:
        host = world.host()
        async with hosting(host):
            await host.start(world.shard)
            assert not await host.catch_up(record.sequence_number)
        assert "sequence" not in world.cursor()

    played(scene)


def test_a_lease_that_went_meanwhile_leaves_the_cursor_alone(world: World) -> None:
    """Raising the epoch would stop the new owner."""
    world.leased = False

    async def scene() -> None:
        host = world.host()
        async with hosting(host):
            assert await host.start(world.shard) is None
            assert host.is_silent
            assert not await host.process([], 0)
            assert not await host.release()
        assert world.cursor() == {}

    played(scene)


def test_a_lost_cursor_makes_silent_and_not_dead(world: World) -> None:
    """Nothing is committed, nothing may be checkpointed, and the process lives (rule 4)."""
    world.tell("m1")

    async def scene() -> None:
        host = world.host()
        async with hosting(host) as work:
            await host.start(world.shard)
            world.rob()
            assert not await host.process(world.stream.records(), 0)
            assert not await host.process(world.stream.records(), 0)
            assert not await host.close_shard()
            assert not await host.release()
            await host.lease_lost()
            assert not work.done()
        assert work.exception() is None
        assert "sequence" not in world.cursor()

    played(scene)


def test_a_silence_that_never_ends_ends_the_child(world: World) -> None:
    """The lease is ours and the cursor is a dead zombie's: a restart takes it back."""
    world.tell("m1")

    async def scene() -> None:
        host = world.host()
        async with hosting(host):
            await host.start(world.shard)
            world.rob()
            assert not await host.process(world.stream.records(), 0)
            world.clock.advance(61)
            with pytest.raises(Ended, match="lease is still ours"):
                await host.process([], 0)

    played(scene)


def test_a_stop_during_an_outage_lets_the_rest_pass(world: World) -> None:
    """What comes after the unfinished batch must not be taken before it; the good-bye is one."""
    world.tell("m1")

    refused = threading.Event()

    def refuse(*_: object) -> None:
        refused.set()
        raise RetryableError("DynamoDB is away")

    async def scene() -> None:
        host = world.host()
        async with hosting(host):
            await host.start(world.shard)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(world.store, "transact", refuse)
                working = asyncio.create_task(host.process(world.stream.records(), 0))
                assert await asyncio.to_thread(refused.wait, 60)
                host.stop()
                assert not await working
            world.tell("m2")
            assert not await host.process(world.stream.records()[1:], 0)
            assert "sequence" not in world.cursor()
            assert await host.release() is None
        assert world.cursor()["clean"]

    played(scene)


def test_a_shard_read_to_its_end_is_closed(world: World) -> None:
    """So that its children may begin."""

    async def scene() -> None:
        host = world.host()
        async with hosting(host):
            await host.start(world.shard)
            assert await host.close_shard()
        assert world.cursor()["closed"]

    played(scene)


def test_a_merged_shard_waits_for_both_parents(world: World) -> None:
    """The KCL takes a parent that has no row in its table for ended; the cursors know better."""

    async def scene() -> None:
        one, two = world.stream.split(world.shard)
        merged = world.stream.merge(one, two)
        for shard_id in (world.shard, one):
            key = {"cursor": CURSOR.format(shard_id)}
            world.store.write(Update("cursors", key, add={"epoch": 1}, set={"closed": True}))
        host = world.host()
        async with hosting(host):
            starting = asyncio.create_task(host.start(merged))
            await asyncio.sleep(2 * AGAIN_S)
            assert not starting.done()
            assert world.store.get("cursors", {"cursor": CURSOR.format(merged)}) is None
            key = {"cursor": CURSOR.format(two)}
            world.store.write(Update("cursors", key, add={"epoch": 1}, set={"closed": True}))
            await asyncio.wait_for(starting, 60)
            assert set(host.lanes) == {merged}

    played(scene)


def test_a_timers_error_ends_the_child(world: World) -> None:
    """Nobody would see it otherwise: the protocol goes on without the tick."""

    def broken() -> None:
        raise ValueError("a bug")

    async def scene() -> None:
        host = world.host()
        async with hosting(host) as work:
            await host.start(world.shard)
            hosted = host.lanes[world.shard]
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(hosted.lane, "tick", broken)
                await asyncio.wait({work}, timeout=60)
        assert isinstance(work.exception(), Ended)
        assert "a bug" in str(work.exception())

    played(scene)
