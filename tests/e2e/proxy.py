"""A TCP proxy that lets its endpoint hang or vanish when it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

HOST = "127.0.0.1"
PIECE_BYTES = 64 * 1024


class Proxy:
    """``with Proxy(port) as proxy:`` forwards to that port, on a thread of its own.

    Attributes:
        port: where it listens.
        taken: how many connections it has taken so far.
    """

    def __init__(self, target_port: int) -> None:
        """Nothing is forwarded before the ``with`` block."""
        self.port = 0
        self.taken = 0
        self._target_port = target_port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close everything."""
        self._do(self._vanish())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def hang(self) -> None:
        """From now on nothing passes, on connections old and new: nobody gets an answer."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def vanish(self) -> None:
        """From now on connections are refused, and those that there were are broken."""
        self._do(self._vanish())

    def come_back(self) -> None:
        """Forward again, on the same port."""
        self._do(self._listen())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _listen(self) -> None:
        self._flows.set()
        self._server = await asyncio.start_server(self._take, HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _vanish(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._open:
            writer.transport.abort()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        far_reader, far_writer = await asyncio.open_connection(HOST, self._target_port)
        self._open |= {writer, far_writer}
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            pump = asyncio.create_task(self._pump(source, sink))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError):
                while piece := await source.read(PIECE_BYTES):
                    await self._flows.wait()
                    sink.write(piece)
                    await sink.drain()
        finally:
            sink.close()
            self._open.discard(sink)
