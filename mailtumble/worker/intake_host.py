"""Intake in the embedded host: a few rounds side by side, none while appends fail."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from mailtumble.intake.service import GATHERED_MAX
from mailtumble.worker.assembly import Plan, Ports, intake
from mailtumble.worker.faust_app import FaustApp, Web
from mailtumble.worker.web import Pulse, Vitals
from schemas.errors import MailtumbleError, RetryableError

ROUNDS: Final = 3
WAIT_S: Final = 2
PAUSE_S: Final = 1.0
GATHERS_S: Final = 0.25
"""The pause of a round that has found few messages: by the next one more will have gathered, which
cost as much together as one of them."""
DEAD_LETTERS_S: Final = 1.0

INTAKE: Final = {"application": "intake"}

logger = logging.getLogger(__name__)


class IntakeHost:
    """Hosts ``intake``; several hosts may run side by side."""

    def __init__(self, ports: Ports, plan: Plan, *, web_port: int = 0) -> None:
        """Put the service and its threads together."""
        self._clock = ports.clock
        self.vitals = Vitals("intake", ports.clock.now(), meter=ports.meter)
        self.faust = FaustApp("intake", self.vitals, ports.clock.now, Web(web_port))
        self._rounds = ThreadPoolExecutor(ROUNDS + 1, thread_name_prefix="intake")
        self._objects = ThreadPoolExecutor(32, thread_name_prefix="intake-s3")
        self._service = intake(ports, plan, self._side_by_side)
        self._agent = self.faust.agent("intake", concurrency=ROUNDS + 1)

    async def run(self, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
        """Work until ``stop`` is set."""
        await self.faust.start()
        await self._agent.start()
        ready()
        try:
            await asyncio.gather(
                *(self._round(f"round-{n}", stop, self._service.step) for n in range(ROUNDS)),
                self._round("dead-letters", stop, self._dead_letters),
            )
        finally:
            self._rounds.shutdown(wait=False, cancel_futures=True)
            self._objects.shutdown(wait=False, cancel_futures=True)
            await self.faust.stop()

    def _dead_letters(self, wait_s: int) -> int:
        taken = self._service.take_dead_letters(wait_s)
        if not taken:
            self._clock.sleep(DEAD_LETTERS_S)
        return taken

    async def _round(self, name: str, stop: asyncio.Event, step: Callable[[int], int]) -> None:
        loop = asyncio.get_running_loop()
        pulse = self.vitals.pulses[name] = Pulse(self._clock.now())
        while not stop.is_set():
            try:
                taken = await self._agent.ask(
                    lambda: loop.run_in_executor(self._rounds, step, WAIT_S)
                )
            except RetryableError as error:
                logger.warning("intake waits: %s", error, extra={"fields": INTAKE})
                await asyncio.sleep(PAUSE_S)
            except MailtumbleError:
                stop.set()
                raise
            else:
                pulse.moved_at = self._clock.now()
                if 0 < taken < GATHERED_MAX:
                    await asyncio.sleep(GATHERS_S)

    def _side_by_side(self, call: Callable[[Any], Any], items: Iterable[Any]) -> Iterable[Any]:
        return self._objects.map(call, items)
