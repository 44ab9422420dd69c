"""The SMTP side: takes mail for the receiver's recipients and hands it over."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from aiosmtpd.smtp import SMTP, Envelope, Session

logger = logging.getLogger(__name__)

MAIL_BYTES_MAX = 40 * 1024 * 1024
"""SES stores mail up to 40 MB."""
RECIPIENTS_MAX = 100
"""RFC 5321, section 4.5.3.1.8: a server takes at least a hundred."""
RECEIPTS_AT_ONCE = 8

LOOPBACK = "127.0.0.1"


class MailReceiver(Protocol):
    """Stores and announces a mail."""

    def accepts(self, address: str) -> bool:
        """Whether there is mail for this recipient; answered at once."""

    def receive(self, raw: bytes, envelope_sender: str, recipients: Sequence[str]) -> str:
        """Return the message id, or raise: then nothing was received."""


class LongLineSMTP(SMTP):
    """aiosmtpd without its limit of 1,001 bytes a line.

    Real mail has longer lines, and SES takes them. The limit that is left lies
    above the largest mail, so that a mail of one line is measured as a mail.
    """

    line_length_limit = MAIL_BYTES_MAX + 24 * 1024 * 1024


class ReceiptHandler:
    """aiosmtpd's hooks. Receiving runs on a thread pool, off the event loop."""

    def __init__(self, receiver: MailReceiver) -> None:
        """Give every mail to ``receiver``."""
        self.received = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self._in_flight = 0
        self._receiver = receiver
        self._pool = ThreadPoolExecutor(RECEIPTS_AT_ONCE, thread_name_prefix="ses-receipt")

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name and arguments
        self,
        server: SMTP,  # noqa: ARG002
        session: Session,  # noqa: ARG002
        envelope: Envelope,
        address: str,
        rcpt_options: list[str],
    ) -> str:
        """Accept what the receiver does; the 101st comes in another mail (RFC 5321, 4.5.3.1.10)."""
        if not self._receiver.accepts(address):
            return "550 5.1.1 Requested action not taken: mailbox unavailable"
        if len(envelope.rcpt_tos) >= RECIPIENTS_MAX:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(rcpt_options)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self,
        server: SMTP,  # noqa: ARG002
        session: Session,  # noqa: ARG002
        envelope: Envelope,
    ) -> str:
        """Receive the mail. What fails is answered as temporary, so that the client tries again."""
        raw = envelope.original_content or b""
        sender = envelope.mail_from or ""
        self._in_flight += 1
        self.idle.clear()
        try:
            message_id = await asyncio.get_running_loop().run_in_executor(
                self._pool, self._receiver.receive, raw, sender, tuple(envelope.rcpt_tos)
            )
        except Exception:
            logger.exception("a mail could not be stored or announced")
            return "451 4.3.0 The mail could not be stored, try again later"
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self.idle.set()
        self.received += 1
        return f"250 OK {message_id}"

    async def handle_exception(self, error: Exception) -> str:
        """Answer what goes wrong inside the server as temporary."""
        logger.error("error in the SMTP server", exc_info=error)
        return "451 4.3.0 Local error, try again later"

    def close(self) -> None:
        """Start no further receipt."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class SmtpServer:
    """An SMTP listener with a thread and an event loop of its own.

    The HTTP side has another loop: reading a large mail must not delay a call
    that the limiter is about to judge.
    """

    def __init__(self, receiver: MailReceiver, port: int, host: str = LOOPBACK) -> None:
        """Listen on ``port`` once started; 0 means any free one."""
        self.port = port
        self._host = host
        self._handler = ReceiptHandler(receiver)
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._run, name="ses-smtp", daemon=True)

    @property
    def received(self) -> int:
        """How many mails were received."""
        return self._handler.received

    def start(self) -> None:
        """Bind the port and accept connections. Raises OSError."""
        self._server = self._loop.run_until_complete(
            self._loop.create_server(self._connection, self._host, self.port)
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Accept nothing more, let receipts under way end, and close the connections."""
        future = asyncio.run_coroutine_threadsafe(self._wind_up(timeout_s), self._loop)
        future.result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._handler.close()

    def _connection(self) -> LongLineSMTP:
        return LongLineSMTP(
            self._handler,
            data_size_limit=MAIL_BYTES_MAX,
            hostname="localhost",
            ident="mailtumble local SES",
            loop=self._loop,
        )

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    async def _wind_up(self, timeout_s: float) -> None:
        if self._server is not None:
            self._server.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._handler.idle.wait(), timeout_s)
        connections = asyncio.all_tasks() - {asyncio.current_task()}
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
