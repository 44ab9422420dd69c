"""A child at work: the event loop on the main thread, the protocol on one of its own."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any, Final, NoReturn, TextIO

from amazon_kclpy.kcl import KCLProcess

from mailtumble.kcl.host import ChildHost, ChildSettings
from mailtumble.kcl.leases import LeaseTable
from mailtumble.kcl.names import kcl_name, worker_id
from mailtumble.kcl.processor import LaneProcessor, Step
from mailtumble.logs import LogFormat, about, log_to_stderr
from mailtumble.settings import load_settings
from mailtumble.wiring import Wiring
from mailtumble.worker.works import work_of
from schemas.errors import MailtumbleError

SILENT_FAILOVERS: Final = 5
SILENT_LEAST_S: Final = 60.0
GRACE_SHARE: Final = 0.75
"""Of the daemon's own grace: the checkpoint and the hand-over of the lease take the rest."""

logger = logging.getLogger(__name__)


def serve(application: str, folder: str, incoming: TextIO, outgoing: TextIO) -> NoReturn:
    """Serve the protocol, then end the process: 0 after its end, 1 after an error."""
    # JSON in any case: the supervisor tells the child's lines from the daemon's by it.
    log_to_stderr(log_format=LogFormat.JSON)
    code = 0
    try:
        wired = Wiring(load_settings())
        log_to_stderr(wired.settings.log_level, LogFormat.JSON)
        with about(application=application):
            asyncio.run(_serve(application, Path(folder), wired, incoming, outgoing))
    except MailtumbleError as error:
        logger.error("the child ends: %s", error)  # noqa: TRY400 - the line says it all
        code = 1
    except BaseException:
        logger.exception("the child ends")
        code = 1
    _leave(code)


async def _serve(
    application: str, folder: Path, wired: Wiring, incoming: TextIO, outgoing: TextIO
) -> None:
    settings = wired.settings
    silent_s = max(SILENT_LEAST_S, SILENT_FAILOVERS * settings.kcl_failover_ms / 1000)
    name = kcl_name(settings.prefix, application, settings.generation)
    table, me = LeaseTable(wired.clients.dynamodb, name), worker_id(settings.kcl_worker_id)
    host = ChildHost(
        work_of(application),
        wired.ports(application),
        wired.plan(),
        ChildSettings(
            folder=folder,
            is_leased=lambda shard_id: table.owner(shard_id) == me,
            grace_s=settings.kcl_grace_s * GRACE_SHARE,
            silent_s=silent_s,
        ),
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, host.stop)

    def wait(step: Step) -> Any:  # noqa: ANN401 - the step's result
        # The step's context is that of this thread, the protocol's.
        with about(application=application, shard=host.shard_id):
            return asyncio.run_coroutine_threadsafe(step, loop).result()

    protocol = KCLProcess(LaneProcessor(host, wait, _die), incoming, outgoing, sys.stderr)
    # As in cli/worker.py: not looking at botocore's models again spares CPU.
    gc.collect()
    gc.freeze()
    await host.run(_on_thread(protocol.run))


async def _on_thread(run: Callable[[], None]) -> None:
    """Run on a thread that holds nobody up: it may wait for a line that never comes."""
    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    def whole() -> None:
        try:
            run()
        except BaseException:
            logger.exception("the protocol broke")
            _die()
        loop.call_soon_threadsafe(ended.set_result, None)

    Thread(target=whole, name="kcl-protocol", daemon=True).start()
    await ended


def _die() -> NoReturn:
    _leave(1)


def _leave(code: int) -> NoReturn:
    logging.shutdown()
    sys.stderr.flush()
    # Threads that wait for a call without an answer must not hold the process up, and an error
    # must not be mistaken for success by anybody on the way out.
    os._exit(code)
