"""Faust hosts the workers: timers and pages are its own, and no call to AWS stands in its way.

The hosts run for real, on an event loop and threads, over the fakes.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from mailtumble.ports.store import Put
from mailtumble.ports.world import Clock
from mailtumble.worker import host as host_module
from mailtumble.worker import lane_host
from mailtumble.worker.host import EmbeddedHost
from mailtumble.worker.lane_host import Ended
from mailtumble.worker.lease import HostLease, host_key
from mailtumble.worker.metrics import AWAITS_UPGRADE
from mailtumble.worker.sender_host import SenderWork
from mailtumble.worker.shard import BATCH_RECORDS_MAX, ShardProcessor
from mailtumble.worker.web import STALLED_US, health
from schemas.errors import RetryableError
from schemas.events import (
    Event,
    MailReceived,
    SendAccepted,
    SendCancelled,
    SendScheduled,
    SendStarted,
)
from schemas.values import SECOND_US
from tests import samples
from tests.newer import newer
from tests.unit.mailtumble.sender.conftest import entry
from tests.unit.mailtumble.worker.hosting import (
    FAR,
    HOLD_S,
    NAMES,
    Host,
    World,
    played,
    running,
    until,
)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Shards are found at once; no thread of a host is left, nor Faust's folders."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mailtumble.worker.host.SHARDS_LOOKED_FOR_S", 0.2)
    yield
    deadline = time.monotonic() + 60
    while left := [each.name for each in threading.enumerate() if each.name.startswith(NAMES)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def test_a_due_mail_leaves_by_fausts_timers_and_not_without_them() -> None:
    """Both hosts have read that the mail is due; where Faust's timers are off it stays queued."""

    async def scene() -> None:
        with_timers, without = World(), World()
        hosts = [with_timers.host("sender"), without.host("sender", timers=False)]
        with_timers.bring("sender")
        without.bring("sender")
        async with running(hosts[0]), running(hosts[1]):
            # What the first does by a timer: so that the second one lacks nothing but timers.
            await hosts[1]._look_for_shards()
            began = time.monotonic()
            await until(lambda: with_timers.told(SendAccepted))
            await asyncio.sleep(1 + time.monotonic() - began)
            assert [each.mail.recipient for each in with_timers.provider.accepted] == [FAR]
            assert not without.provider.accepted
            (waiting,) = without.store.scan("queue")
            assert waiting["due_at"] < without.clock.now()

    played(scene)


@pytest.mark.parametrize("name", ["core", "sender"])
def test_health_is_a_page_of_fausts(name: str) -> None:
    """With Faust's pages it is answered; without them nobody else answers it."""

    async def scene() -> None:
        with_pages, without = World(), World()
        hosts = with_pages.host(name), without.host(name, pages=False)
        async with running(hosts[0]), running(hosts[1]):
            status, body, _ = await asyncio.to_thread(with_pages.ask, "/health")
            assert (status, json.loads(body)["status"]) == (200, "ok")
            assert json.loads(body)["worker"] == name
            status, _, _ = await asyncio.to_thread(without.ask, "/health")
            assert status == 404

    played(scene)


HELD = {
    # The call that begins the hold, what else must be held beside it, what is on the stream then.
    "core": ("aliases.find", {"store.write", "stream.shards"}, SendScheduled),
    "sender": ("transport.send", {"store.write", "stream.read", "stream.shards"}, SendAccepted),
    "intake": ("stream.append", {"queue.receive"}, MailReceived),
}
CALLED = {
    "core": {"stream", "store", "aliases"},
    "sender": {"stream", "store", "objects", "transport", "account"},
    "intake": {"stream", "objects", "queue"},
}


async def _hold(name: str) -> None:
    """Let every call of a host take 5 s, and look at its page and at a timer meanwhile."""
    trigger, besides, outcome = HELD[name]
    world = World(trigger)
    host = world.host(name)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        ticks += 1

    host.faust.timer(0.1, tick)
    world.bring(name)
    async with running(host):
        await until(world.wire.hold_began.is_set)
        ends_at = time.monotonic() + HOLD_S - 0.5
        before, answers = ticks, []
        while time.monotonic() < ends_at:
            answers.append(await asyncio.to_thread(world.ask, "/health"))
            await asyncio.sleep(0.2)
        counted, held_still = ticks - before, not world.told(outcome)
        await until(lambda: world.told(outcome))
    on_loop = {call for call, thread in world.wire.calls if thread == threading.get_ident()}
    assert on_loop == set(), name
    assert held_still, name
    assert len(answers) >= 5, name
    assert {status for status, _, _ in answers} == {200}, name
    # The first is asked for as the hold begins: on a blocked loop it would take all of the hold.
    assert max(took_s for _, _, took_s in answers) < HOLD_S / 2, name
    assert counted >= 10, name
    assert besides | {trigger} <= set(world.wire.held), name
    assert {call.partition(".")[0] for call, _ in world.wire.calls} == CALLED[name]


def test_no_call_to_aws_holds_up_the_event_loop() -> None:
    """While every AWS call hangs for 5 s, pages answer and timers tick: calls are on threads."""

    async def scene() -> None:
        # To their ends, all of them: a host that is only cancelled leaves threads behind.
        ends = await asyncio.gather(*(_hold(name) for name in HELD), return_exceptions=True)
        if failures := [end for end in ends if end is not None]:
            raise BaseExceptionGroup("not as it should be", failures)

    played(scene)


async def _stalls(world: World, host: Host, *steps: str) -> None:
    """The health page fails, and names these steps of the shard; its reading moves."""
    told: dict[str, Any] = {}

    def is_told() -> bool:
        return any(each.get("stalled") == list(steps) for each in told.get("shards", {}).values())

    deadline = time.monotonic() + 60
    while not is_told():
        assert time.monotonic() < deadline, told
        status, body, _ = await asyncio.to_thread(world.ask, "/health")
        told = json.loads(body)
        assert (status == 503) == (told["status"] != "ok")
        await asyncio.sleep(0.1)
    assert host.vitals.worker == told["worker"]


def test_health_fails_where_much_is_due_and_nothing_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """SES never tells its quota: the stream is read on, and no mail goes."""
    monkeypatch.setattr("mailtumble.worker.web.STALLED_US", SECOND_US)

    def no_answer() -> None:
        raise RetryableError("SES does not answer")

    async def scene() -> None:
        world = World()
        monkeypatch.setattr(world.provider, "quota", no_answer)
        world.bring("sender")
        host = world.host("sender")
        async with running(host):
            await _stalls(world, host, "sending")

    played(scene)


def test_health_fails_where_timers_cant_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads go through and appends don't: what is due later would wait for ever."""
    monkeypatch.setattr("mailtumble.worker.web.STALLED_US", SECOND_US)

    def no_answer(lane: ShardProcessor) -> None:
        raise RetryableError(f"{lane.shard.id} can't be appended to")

    async def scene() -> None:
        world = World()
        monkeypatch.setattr(ShardProcessor, "tick", no_answer)
        host = world.host("core")
        async with running(host):
            await _stalls(world, host, "ticks")

    played(scene)


def test_health_fails_where_a_shard_cant_be_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each try begins anew, and is no sign of life."""
    monkeypatch.setattr("mailtumble.worker.web.STALLED_US", SECOND_US)

    def no_answer(lane: ShardProcessor) -> None:
        raise RetryableError(f"the cursor of {lane.shard.id} can't be written")

    async def scene() -> None:
        world = World()
        monkeypatch.setattr(ShardProcessor, "take_over", no_answer)
        host = world.host("core")
        async with running(host):
            await _stalls(world, host, "reading")

    played(scene)


def test_a_backlog_is_worked_off_in_turns_with_what_else_is_due() -> None:
    """A sender that reads thousands of records goes on sending meanwhile."""
    done: list[int | str] = []

    async def scene() -> None:
        host = World().host("core")
        assert isinstance(host, EmbeddedHost)
        async with running(host):
            await until(lambda: host.lanes)
            (hosted,) = host.lanes.values()
            hosted.lane.process = lambda records: done.append(len(records))  # type: ignore[method-assign]
            records: Any = range(2 * BATCH_RECORDS_MAX + 50)
            working = asyncio.create_task(host.work_off(hosted, records))
            await asyncio.sleep(0)
            await hosted.run(lambda: done.append("a pace"))
            await working

    played(scene)
    assert done == [BATCH_RECORDS_MAX, "a pace", BATCH_RECORDS_MAX, 50]


@pytest.mark.parametrize("application", ["core", "sender"])
def test_a_shard_that_awaits_an_upgrade_is_named_and_alive(
    application: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on with what is due, says what it waits for, and stops when asked."""
    monkeypatch.setattr(lane_host, "UPGRADE_AGAIN_S", 0.01)

    async def scene() -> None:
        world = World()
        world.stream.append([newer(samples.fact(samples.received()))])
        host = world.host(application)
        assert isinstance(host, EmbeddedHost)
        async with running(host):
            await until(lambda: any(each.awaits for each in host.vitals.pulses.values()))
            (shard,) = host.vitals.pulses
            begun_at = host.vitals.pulses[shard].steps.get("ticks", 0)
            await until(lambda: host.vitals.pulses[shard].steps.get("ticks", 0) > begun_at)
            status, body = health(host.vitals, world.clock.now() + 10 * STALLED_US)
            assert "MailReceived version" in body["shards"][shard]["awaits_upgrade"]
            assert "reading" not in body["shards"][shard].get("stalled", ())
            status, body = health(host.vitals, world.clock.now())
            assert (status, body["status"]) == (200, "awaits upgrade")
            later = world.clock.now() + SECOND_US
            assert host.vitals.gauges(later)[AWAITS_UPGRADE.of(shard)] >= 1
        key = {"cursor": f"{application}#{host.work.generation}#{shard}"}
        item = world.store.get("cursors", key) or {}
        assert item["clean"]
        assert "tries" not in item

    played(scene)


def test_mail_that_was_called_off_ends_before_the_quota_is_known() -> None:
    """It needs no call: nobody waits for SES to answer, nor for room."""

    async def scene() -> None:
        world = World()
        host = world.host("sender")
        cast("SenderWork", host.work).parts.ask = lambda: None  # type: ignore[method-assign]
        off = entry(cancelled=True)
        world.store.write(off.put())
        async with running(host):
            await until(lambda: world.told(SendCancelled))
        assert not world.told(SendStarted)

    played(scene)


def test_a_pause_is_heard_of_while_ses_does_not_say_its_quota(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The read time-out of a call to SES is half a minute."""
    answered = threading.Event()

    def no_answer() -> None:
        answered.wait(30)
        raise RetryableError("SES does not answer")

    async def scene() -> None:
        world = World()
        monkeypatch.setattr(world.provider, "quota", no_answer)
        host = world.host("sender")
        standing = cast("SenderWork", host.work).parts.fleet.standing
        async with running(host):
            paused = [{"scope": "", "told": "ann", "since": 0}]
            world.store.write(Put("fleet", {**standing.key, "paused": paused}))
            await until(lambda: standing.paused)
            answered.set()

    played(scene)


def test_a_worker_that_gets_no_answer_at_its_start_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would only be started again to ask the same."""
    tries: list[int] = []
    acquire = HostLease.acquire

    def slow(lease: HostLease, clock: Clock) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise RetryableError("table fleet does not answer")
        acquire(lease, clock)

    async def scene() -> None:
        monkeypatch.setattr(host_module, "ACQUIRED_AGAIN_S", 0.01)
        monkeypatch.setattr(HostLease, "acquire", slow)
        world = World()
        host = world.host("core")
        assert isinstance(host, EmbeddedHost)
        async with running(host):
            assert len(tries) == 3
            assert world.store.get("fleet", host_key("core")) is not None
            await until(lambda: host._readers)

    played(scene)


def test_a_worker_that_waits_for_an_answer_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it was ever at work."""
    tries: list[int] = []

    def no_answer(lease: HostLease, clock: Clock) -> None:
        tries.append(1)
        raise RetryableError(f"no answer for {lease} at {clock.now()}")

    async def scene() -> None:
        monkeypatch.setattr(host_module, "ACQUIRED_AGAIN_S", 0.01)
        monkeypatch.setattr(HostLease, "acquire", no_answer)
        host, stop = World().host("core"), asyncio.Event()
        work = asyncio.create_task(host.run(stop))
        try:
            await until(lambda: len(tries) > 1)
            assert not work.done()
            stop.set()
            await asyncio.wait_for(work, 60)
        finally:
            host.faust.app.consumer._thread.thread_loop.close()

    played(scene)


def test_a_fault_in_a_call_ends_the_worker() -> None:
    """Rule 5: it is no refusal of SES's, and nobody would hear of it otherwise."""

    async def scene() -> None:
        world = World()
        host = world.host("sender")
        assert isinstance(host, EmbeddedHost)
        transmission = cast("SenderWork", host.work).parts.transmission
        transmission.carry_out = _broken  # type: ignore[method-assign]
        world.bring("sender")
        with pytest.raises(Ended, match="a call: KeyError: 'nobody thought of it'"):
            async with running(host):
                await until(lambda: host._ending is not None and host._ending.done())

    played(scene)


def _broken(*_: object) -> Event:
    message = "nobody thought of it"
    raise KeyError(message)
