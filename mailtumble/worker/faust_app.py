"""The Faust app inside a worker: timers, agents over channels in memory, web views. No Kafka.

Faust's transports and tables need Kafka and are off (ADR 0003); what is left is what a consumer
alone lacks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import faust
from faust.app.base import BootStrategy

from mailtumble.worker.web import Vitals, health

T = TypeVar("T")


class WithoutKafka(BootStrategy):
    """Starts what is left of Faust without a broker."""

    enable_kafka = False
    enable_kafka_consumer = False
    enable_kafka_producer = False


@dataclass(frozen=True, slots=True)
class Web:
    """Which of Faust's web is served: at ``port`` (0: a free one; None: nothing at all).

    ``pages`` off: no views of a worker (for the test that they are Faust's).
    """

    port: int | None
    pages: bool = True


@dataclass(slots=True)
class Order:
    """Something for an agent to do, and where its result (or its error) goes."""

    step: Callable[[], Awaitable[Any]]
    done: asyncio.Future[Any]


class FaustApp:
    """A Faust app with the views of a worker."""

    def __init__(
        self,
        name: str,
        vitals: Vitals,
        now: Callable[[], int],
        web: Web,
    ) -> None:
        """``vitals`` are what the views show, ``now`` is microseconds UTC."""
        # Faust makes folders for tables, of which there are none.
        self._folder = TemporaryDirectory(prefix=f"mailtumble-{name}-", ignore_cleanup_errors=True)
        self.app = faust.App(
            f"mailtumble-{name}",
            store="memory://",
            datadir=self._folder.name,
            web_bind="127.0.0.1",
            web_host="127.0.0.1",
            web_port=web.port,
            web_enabled=web.port is not None,
            web_in_thread=False,
            loghandlers=[],
        )
        self.app.boot_strategy = WithoutKafka(self.app)
        self._agents = 0
        if web.pages:
            self._pages(vitals, now)

    def agent(self, name: str, concurrency: int = 1) -> Agent:
        """An agent that carries out orders, ``concurrency`` at a time."""
        self._agents += 1
        return Agent(self.app, f"{name}-{self._agents}", concurrency)

    def timer(
        self, seconds: float, body: Callable[[], Awaitable[None]], *, at_once: bool = False
    ) -> None:
        """Call ``body`` again and again while the app runs; ``at_once``: at the start too.

        A call at the start may still be under way when the timer's first comes.
        """
        self.app.timer(seconds)(body)
        if at_once:
            self.app.task()(body)

    async def start(self) -> None:
        """Start timers and web views."""
        await self.app.start()
        # Without a consumer nobody opens the flow, and channels would hang.
        self.app.flow_control.resume()

    async def stop(self) -> None:
        """Stop them."""
        await self.app.stop()
        self._folder.cleanup()

    def _pages(self, vitals: Vitals, now: Callable[[], int]) -> None:
        from mailtumble.worker.exposition import metrics  # noqa: PLC0415 - see there

        @self.app.page("/health")
        async def _health(web: Any, request: Any) -> Any:  # noqa: ANN401, ARG001
            status, body = health(vitals, now())
            return web.json(body, status=status)

        @self.app.page("/metrics")
        async def _metrics(web: Any, request: Any) -> Any:  # noqa: ANN401, ARG001
            return web.text(metrics(vitals, now()))


class Agent:
    """Carries out one order after the other (or a few side by side), in the order they came."""

    def __init__(self, app: faust.App, name: str, concurrency: int) -> None:
        """Make the channel and the agent that reads it."""
        self._channel = app.channel()

        async def carry_out(orders: Any) -> None:  # noqa: ANN401 - a Faust stream
            async for order in orders:
                await _carry_out(order)

        self._agent = app.agent(self._channel, name=name, concurrency=concurrency)(carry_out)

    async def start(self) -> None:
        """Begin to read the channel."""
        await self._agent.maybe_start()

    async def ask(self, step: Callable[[], Awaitable[T]]) -> T:
        """Have a step done in its turn; its result, or its error.

        An agent's exception does not reach whoever sent the message: hence the future.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        await (await self._channel.send(value=Order(step, done)))
        return await done


async def _carry_out(order: Order) -> None:
    try:
        result = await order.step()
    except asyncio.CancelledError:
        order.done.cancel()
        raise
    except BaseException as error:  # noqa: BLE001 - it belongs to whoever asked
        if not order.done.done():
            order.done.set_exception(error)
    else:
        if not order.done.done():
            order.done.set_result(result)
