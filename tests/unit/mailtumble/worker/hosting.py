"""Hosts that run for real, on an event loop and threads, over the fakes."""

from __future__ import annotations

import asyncio
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from mailtumble.aws.clock import AwsClock
from mailtumble.local.ministack import free_port
from mailtumble.sender.claims import ClaimTimes
from mailtumble.worker.assembly import Plan, Ports, core_lane, intake
from mailtumble.worker.core_host import CoreWork
from mailtumble.worker.host import EmbeddedHost
from mailtumble.worker.intake_host import IntakeHost
from mailtumble.worker.sender_host import SenderWork
from schemas.codec import decode
from schemas.events import Event
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


class HastyClock(AwsClock):
    """The queue's: a long poll that finds nothing takes no time worth speaking of."""

    def sleep(self, seconds: float) -> None:
        """Wait, but not for long."""
        super().sleep(min(seconds, 0.02))


class World:
    """One alias, one shard, fakes for AWS, and a host that sees them across a wire."""

    def __init__(self, trigger: str = "") -> None:
        """``trigger`` is the call that begins the wire's hold."""
        clock: Any = AwsClock()
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
            with urllib.request.urlopen(address, timeout=60) as answer:
                status, body = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, body = error.code, error.read()
        return status, body, time.monotonic() - began


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
        try:
            await asyncio.wait_for(work, 60)
        finally:
            # With Kafka off Faust makes its Kafka consumer all the same, and never closes its loop.
            host.faust.app.consumer._thread.thread_loop.close()


async def until(holds: Callable[[], object], within_s: float = 60) -> None:
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
