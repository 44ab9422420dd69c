"""The process that a user starts: prepares, starts the daemon, watches it, serves the views."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

from mailtumble.aws.clients import endpoint_overridden
from mailtumble.definition import physical_name
from mailtumble.kcl import java, lease_watch
from mailtumble.kcl.daemon import Daemon, RunFolder
from mailtumble.kcl.lease_watch import LeaseWatch
from mailtumble.kcl.leases import LeaseTable, closed_shards, rows_to_make
from mailtumble.kcl.names import kcl_name, worker_id
from mailtumble.kcl.properties import DaemonSettings, properties_text
from mailtumble.kcl.reports import EVERY_S, Children
from mailtumble.logs import relay
from mailtumble.wiring import Wiring
from mailtumble.worker.faust_app import FaustApp, Web
from mailtumble.worker.lane_host import Ended
from mailtumble.worker.lease import BEAT_S, FLEET, HostLease
from mailtumble.worker.web import Vitals
from mailtumble.worker.works import generation_of
from schemas.errors import MailtumbleError, RetryableError

ASKED_TO_END: Final = frozenset({0, 128 + signal.SIGTERM, -signal.SIGTERM})
"""What a JVM ends with after SIGTERM."""

logger = logging.getLogger(__name__)


def daemon_settings(application: str, wired: Wiring, folder: RunFolder) -> DaemonSettings:
    """What the daemon of an application is started with."""
    settings, clients = wired.settings, wired.clients
    return DaemonSettings(
        application=kcl_name(settings.prefix, application, settings.generation),
        stream=physical_name(settings.prefix, "events"),
        region=settings.region,
        worker_id=worker_id(settings.kcl_worker_id),
        child=folder.child_command(application),
        # As boto has found them: variables, profiles and all.
        kinesis_endpoint=clients.kinesis.meta.endpoint_url,
        dynamodb_endpoint=clients.dynamodb.meta.endpoint_url,
        failover_ms=settings.kcl_failover_ms,
        poll_ms=round(settings.poll_interval_s * 1000),
        grace_ms=round(settings.kcl_grace_s * 1000),
        message_timeout_s=settings.kcl_message_timeout_s,
    )


def check(application: str, wired: Wiring) -> Iterator[str]:
    """What the host finds, line by line, without starting anything.

    Raises:
        MailtumbleError: something is missing, or the settings can't be used.
    """
    jars = java.find_jars()
    yield f"jars: {len(jars)} in {jars[0].parent}"
    found = java.find_java()
    yield f"java: {found}, version {java.version_of(found)}"
    wired.rules()
    wired.aliases()
    yield f"aliases: looked up by {wired.settings.lookup}"
    settings = daemon_settings(application, wired, _folder(application, wired, check=True))
    lines = properties_text(settings).splitlines()
    yield f"properties: {len(lines)}"
    yield from (f"  {line}" for line in lines)


def _folder(application: str, wired: Wiring, *, check: bool = False) -> RunFolder:
    settings = wired.settings
    name = kcl_name(settings.prefix, application, settings.generation)
    folder = RunFolder(f"{name}@{worker_id(settings.kcl_worker_id)}")
    if check:
        folder.path.mkdir(parents=True, exist_ok=True)
    return folder


class KclHost:
    """Hosts an application by the KCL: as many children as this worker has leases."""

    def __init__(self, application: str, wired: Wiring, *, web_port: int) -> None:
        """Nothing is started yet."""
        self.application = application
        self._wired = wired
        self._settings = wired.settings
        clock = wired.clock
        self.vitals = Vitals(application, clock.now(), needs_shards=True)
        self.faust = FaustApp(application, self.vitals, clock.now, Web(web_port))
        self._folder = _folder(application, wired)
        self._children = Children(self._folder.reports)
        self._leases = LeaseWatch(worker_id(self._settings.kcl_worker_id))
        self._store = wired.store()
        self._lease = HostLease(self._store, application, FLEET)
        self._ending: asyncio.Future[str] | None = None

    async def run(self, stop: asyncio.Event, ready: Callable[[], None] = lambda: None) -> None:
        """Work until ``stop`` is set.

        Raises:
            MailtumbleError: something is missing, another host is at work, or the daemon ended.
        """
        found = java.installation()
        self._folder.take()
        try:
            self._ending = asyncio.get_running_loop().create_future()
            await asyncio.to_thread(self._prepare)
            settings = self._settings
            daemon = await Daemon.start(
                found,
                self._folder,
                heap_mb=settings.kcl_heap_mb,
                cbor=not endpoint_overridden("KINESIS"),
                say=lambda line: relay(line, settings.log_format, sys.stderr),
            )
            self.faust.timer(BEAT_S, self._guarded(self._beat))
            self.faust.timer(EVERY_S, self._guarded(self._look))
            self.faust.timer(lease_watch.EVERY_S, self._guarded(self._look_at_leases))
            await self.faust.start()
            ready()
            await self._watch(daemon, stop)
        finally:
            self._folder.release()
            await self.faust.stop()

    def _prepare(self) -> None:
        """Everything that the daemon is to find."""
        wired = self._wired
        # What the children will need, so that it's said here what is wrong with it.
        wired.rules()
        wired.aliases()
        self._lease.acquire(wired.clock)
        daemon = daemon_settings(self.application, wired, self._folder)
        self._folder.write(daemon)
        shards = wired.stream().shards()
        generation = generation_of(self.application, self._settings.generation)
        closed = closed_shards(self._store, self.application, generation, shards)
        table = LeaseTable(wired.clients.dynamodb, daemon.application)
        table.ensure()
        rows = rows_to_make(shards, closed, table.leased())
        table.make(rows)
        logger.info("%d shards, %d new leases in %s", len(shards), len(rows), daemon.application)

    async def _watch(self, daemon: Daemon, stop: asyncio.Event) -> None:
        assert self._ending is not None  # noqa: S101 - run has made it
        living = asyncio.ensure_future(daemon.wait())
        stopping = asyncio.ensure_future(stop.wait())
        either: set[asyncio.Future[Any]] = {living, stopping, self._ending}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if living.done():
            raise Ended(f"the KCL's daemon ended with {living.result()}: its log tells why")
        living.cancel()
        self._children.look()
        code = await daemon.stop(self._children.pids, self._settings.kcl_grace_s)
        if self._ending.done():
            raise Ended(self._ending.result())
        if code not in ASKED_TO_END:
            raise Ended(f"the KCL's daemon did not hand over in order: it ended with {code}")
        left = await asyncio.to_thread(self._hand_over)
        logger.info("%s has handed %d shards over", self.application, left)

    def _hand_over(self) -> int:
        settings = self._settings
        name = kcl_name(settings.prefix, self.application, settings.generation)
        table = LeaseTable(self._wired.clients.dynamodb, name)
        try:
            return table.hand_over(worker_id(settings.kcl_worker_id))
        except RetryableError as error:
            logger.warning("the leases have to run out: %s", error)
            return 0

    def _guarded(self, body: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """What can be retried waits for the next time, any other error ends the worker."""

        async def guarded() -> None:
            try:
                await body()
            except RetryableError as error:
                logger.warning("%s: %s", self.application, error)
            except MailtumbleError as error:
                if self._ending is not None and not self._ending.done():
                    self._ending.set_result(str(error))

        return guarded

    async def _beat(self) -> None:
        await asyncio.to_thread(self._lease.beat)

    async def _look_at_leases(self) -> None:
        settings = self._settings
        name = kcl_name(settings.prefix, self.application, settings.generation)
        table = LeaseTable(self._wired.clients.dynamodb, name)
        owners = await asyncio.to_thread(table.owners)
        self._leases.look(owners, self.vitals, self._wired.clock.now())

    async def _look(self) -> None:
        self._children.look()
        self._children.tell(self.vitals)
