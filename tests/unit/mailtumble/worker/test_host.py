"""Faust hosts the workers: timers and pages are its own, and no call to AWS stands in its way.

The hosts run for real, on an event loop and threads, over the fakes.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mailtumble.local.ministack import free_port
from mailtumble.sender.claims import ClaimTimes
from mailtumble.wiring import SystemClock
from mailtumble.worker.assembly import Plan, Ports, core_lane, intake
from mailtumble.worker.core_host import CoreWork
from mailtumble.worker.host import EmbeddedHost
from mailtumble.worker.intake_host import IntakeHost
from mailtumble.worker.sender_host import SenderWork
from mailtumble.worker.shard import ShardProcessor
from schemas.codec import decode
from schemas.errors import RetryableError
from schemas.events import Event, MailReceived, SendAccepted, SendScheduled
from schemas.values import SECOND_US
from tests.fakes import (
    InMemoryAliases,
    InMemoryItems,
    InMemoryObjects,
    InMemoryProvider,
    InMemoryQueue,
    InMemoryStream,
)
from tests.simulation.notifications import received

HOUSE, FAR = "info@house.example", "ann@far.example"
RAW = b"From: Jane <jane@example.com>\r\nSubject: hello\r\n\r\nhello\r\n"
HOLD_S = 5.0
AWS = ("stream", "store", "objects", "queue", "aliases", "transport", "account")
NAMES = ("core", "sender", "intake")

Host = EmbeddedHost | IntakeHost


class Wire:
    """What every AWS call of a host passes: written down with its thread, and held at will.

    The first call of ``trigger`` begins the hold; it and each call that comes during it block
    their threads, until ``HOLD_S`` seconds have passed since the hold began.
    """

    def __init__(self, trigger: str = "") -> None:
        """Nothing is held yet."""
        self.calls: list[tuple[str, int]] = []
        self.held: list[str] = []
        self.hold_began = threading.Event()
        self._trigger = trigger
        self._passes_at = 0.0
        self._one_at_a_time = threading.Lock()

    def carry(self, name: str, call: Callable[[], Any]) -> Any:  # noqa: ANN401 - the call's result
        """Make a call; the fakes are of one thread, so one at a time."""
        self.calls.append((name, threading.get_ident()))
        if name == self._trigger and not self.hold_began.is_set():
            self._passes_at = time.monotonic() + HOLD_S
            self.hold_began.set()
        wait_s = self._passes_at - time.monotonic()
        if wait_s > 0:
            self.held.append(name)
            time.sleep(wait_s)
        with self._one_at_a_time:
            return call()


class OnWire:
    """A port whose every method is a call on the wire; the stream's readers too."""

    def __init__(self, port: object, name: str, wire: Wire) -> None:
        """``name`` is how its calls are written down."""
        self._port, self._name, self._wire = port, name, wire

    def __getattr__(self, method: str) -> Callable[..., Any]:
        """The port's method, on the wire."""
        target = getattr(self._port, method)
        name = f"{self._name}.{method}"

        def called(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - whatever it takes
            result = self._wire.carry(name, lambda: target(*arguments, **options))
            return OnWire(result, "stream", self._wire) if method == "reader" else result

        return called


class HastyClock(SystemClock):
    """The queue's: a long poll that finds nothing takes no time worth speaking of."""

    def sleep(self, seconds: float) -> None:
        """Wait, but not for long."""
        super().sleep(min(seconds, 0.02))


class World:
    """One alias, one shard, fakes for AWS, and a host that sees them across a wire."""

    def __init__(self, trigger: str = "") -> None:
        """``trigger`` is the call that begins the wire's hold."""
        clock: Any = SystemClock()
        hasty: Any = HastyClock()
        self.clock = clock
        self.wire = Wire(trigger)
        self.stream = InMemoryStream(clock, shards=1)
        self.store = InMemoryItems()
        self.queue = InMemoryQueue(hasty)
        self.provider = InMemoryProvider(clock)
        self.objects = InMemoryObjects()
        aliases = InMemoryAliases()
        aliases.put(HOUSE, [FAR], "house")
        self._near: dict[str, Any] = {
            "stream": self.stream,
            "store": self.store,
            "objects": self.objects,
            "queue": self.queue,
            "aliases": aliases,
            "transport": self.provider,
            "account": self.provider,
        }
        self.plan = Plan(owner="host-1", bucket="mail", times=ClaimTimes(send_us=20 * SECOND_US))
        self.web_port = free_port()

    def host(self, name: str, **options: Any) -> Host:  # noqa: ANN401 - passed on
        """The host of an application, ready to run."""
        far: dict[str, Any] = {name: OnWire(self._near[name], name, self.wire) for name in AWS}
        ports = Ports(clock=self.clock, **far)
        if name == "intake":
            return IntakeHost(ports, self.plan, web_port=self.web_port)
        options = {"web_port": self.web_port, "poll_interval_s": 0.1, **options}
        if name == "sender":
            return EmbeddedHost(SenderWork, ports, self.plan, **options)
        return EmbeddedHost(CoreWork, ports, self.plan, **options)

    def bring(self, stage: str) -> None:
        """Bring a mail to where this application takes it up, by the product's own steps."""
        self.objects.put("mail", "inbound/mail-1", RAW)
        self.queue.send([received("mail-1", HOUSE, "hello", "mail", self.clock.now())])
        ports = Ports(clock=self.clock, **self._near)
        if stage == "intake":
            return
        intake(ports, self.plan).step(0)
        if stage == "sender":
            (shard,) = self.stream.shards()
            lane = core_lane(shard, ports, self.plan, bool)
            lane.take_over()
            lane.process(self.stream.records())

    def told(self, kind: type[Event]) -> bool:
        """Whether an event of this kind stands on the stream."""
        records = [decode(each.data) for each in self.stream.records()]
        return any(isinstance(event, kind) for record in records for event in record.events)

    def ask(self, path: str) -> tuple[int, bytes, float]:
        """GET a page of the host: status, body, and the seconds it took."""
        began = time.monotonic()
        try:
            address = f"http://127.0.0.1:{self.web_port}{path}"
            with urllib.request.urlopen(address, timeout=2 * HOLD_S) as answer:
                status, body = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, body = error.code, error.read()
        return status, body, time.monotonic() - began


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Shards are found at once; no thread of a host is left, nor Faust's folders."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mailtumble.worker.host.SHARDS_LOOKED_FOR_S", 0.2)
    yield
    deadline = time.monotonic() + 5
    while left := [each.name for each in threading.enumerate() if each.name.startswith(NAMES)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


@asynccontextmanager
async def running(host: Host) -> AsyncIterator[None]:
    """The host at work, until the block ends."""
    stop, ready = asyncio.Event(), asyncio.Event()
    work = asyncio.create_task(host.run(stop, ready.set))
    begun = asyncio.create_task(ready.wait())
    await asyncio.wait({work, begun}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield
    finally:
        begun.cancel()
        stop.set()
        await asyncio.wait_for(work, 10)
        # With Kafka off Faust makes its Kafka consumer all the same, and never closes its loop.
        host.faust.app.consumer._thread.thread_loop.close()


async def until(holds: Callable[[], object], within_s: float = 10) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def played(scene: Callable[[], Awaitable[None]]) -> None:
    """Run a scene on an event loop of its own, with this thread as the loop's."""

    async def whole() -> None:
        await scene()

    asyncio.run(whole())


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
    assert max(took_s for _, _, took_s in answers) < 1, name
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

    deadline = time.monotonic() + 20
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
