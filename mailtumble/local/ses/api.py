"""The HTTP side: the SES v2 API as far as a sender needs it, and ``/_local``.

Wire format: botocore's ``sesv2`` model (REST-JSON). Signatures are not checked.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from mailtumble.local.ses.account import ApiError, SendingAccount
from mailtumble.local.ses.headers import header_block
from mailtumble.local.ses.identifiers import outbound_message_id
from mailtumble.local.ses.publisher import EventPublisher
from mailtumble.local.ses.send_request import (
    RAW_BASE64_BYTES_MAX,
    SendRequest,
    parse_send_request,
)
from mailtumble.local.ses.spool import Spool

logger = logging.getLogger(__name__)

BODY_BYTES_MAX = RAW_BASE64_BYTES_MAX + 1024 * 1024
"""Room for the largest mail and the rest of a call."""

_INLINE_BYTES_MAX = 256 * 1024
"""A larger call is read and written on a thread, so that others don't wait for it."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class SesApi:
    """The handlers, and what they work on."""

    def __init__(
        self,
        *,
        account: SendingAccount,
        spool: Spool,
        publisher: EventPublisher,
        clock: Callable[[], int],
        smtp_received: Callable[[], int],
        strict_lines: bool = False,
    ) -> None:
        """Serve an account; ``clock`` gives microseconds since 1970 and never goes back."""
        self._account = account
        self._spool = spool
        self._publisher = publisher
        self._clock = clock
        self._smtp_received = smtp_received
        self._strict_lines = strict_lines

    def application(self) -> web.Application:
        """Make the aiohttp application."""
        application = web.Application(middlewares=[_aws_errors], client_max_size=BODY_BYTES_MAX)
        application.on_response_prepare.append(_add_request_id)
        application.add_routes(
            [
                web.post("/v2/email/outbound-emails", self.send_email),
                web.get("/v2/email/account", self.get_account),
                web.get("/_local/health", self.health),
                web.get("/_local/stats", self.stats),
                web.get("/_local/peak", self.peak),
                web.get("/_local/settings", self.settings),
                web.post("/_local/settings", self.change_settings),
                web.get("/_local/sent", self.list_sent),
                web.get("/_local/sent/{message_id}", self.show_sent),
                web.get("/_local/sent/{message_id}/raw", self.raw_sent),
            ]
        )
        return application

    async def send_email(self, request: web.Request) -> web.StreamResponse:
        """``SendEmail``: check, admit, keep, reply, publish; what is refused sends nothing."""
        call = await self._parse(await request.read())
        try:
            self._admit(call)
        except ApiError:
            await self._wait_latency()
            raise
        accepted_at = datetime.now(UTC)
        message_id = outbound_message_id(accepted_at)
        kept = (call, message_id, accepted_at, request.remote or "127.0.0.1")
        if len(call.raw) > _INLINE_BYTES_MAX:
            position = await asyncio.to_thread(self._spool.append, *kept)
        else:
            position = self._spool.append(*kept)
        try:
            return await self._reply(request, {"MessageId": message_id})
        finally:
            # Accepted is accepted, whether the client is still there or not.
            if call.configuration_set is not None:
                self._publisher.submit(position)

    def _admit(self, call: SendRequest) -> None:
        """Decide on a call; it counts from now on, however long its answer takes."""
        if self._account.fails_now():
            message = "An internal error occurred (error_rate)."
            raise ApiError("InternalFailure", message, 500)
        if call.configuration_set is not None and self._publisher.full:
            message = "Too many events wait to be published."
            raise ApiError("ServiceUnavailable", message, 503)
        self._account.lets_out(call.source.rpartition("@")[2].rstrip(">").lower())
        self._account.admit(self._clock(), len(call.recipients))

    async def get_account(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002
        """``GetAccount``. Its own limit of one call a second is not enforced."""
        await self._wait_latency()
        return web.json_response(self._account.describe(self._clock()))

    async def health(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002
        """Say that the process answers."""
        return web.json_response({"status": "ok"})

    async def stats(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002
        """Return the counters; ``events_pending`` counts mails."""
        counters = self._account.stats()
        counters["smtp_received"] = self._smtp_received()
        counters["events_pending"] = self._publisher.pending
        return web.json_response(counters)

    async def peak(self, request: web.Request) -> web.StreamResponse:
        """Return the highest rates since ``?since=`` (microseconds since 1970; default: 0).

        ``{clock_second: {begins_us, recipients} or null, within_any}``, in recipients.
        """
        since = request.query.get("since", "0")
        if not since.isdecimal():
            raise ApiError("BadRequestException", f"since must be microseconds, not {since!r}")
        found = self._account.peak(int(since))
        second = found.clock_second
        return web.json_response(
            {
                "clock_second": second
                and {"begins_us": second.begins_us, "recipients": second.recipients},
                "within_any": found.within_any,
            }
        )

    async def settings(self, request: web.Request) -> web.StreamResponse:  # noqa: ARG002
        """Return the settings in force."""
        return web.json_response(asdict(self._account.settings))

    async def change_settings(self, request: web.Request) -> web.StreamResponse:
        """Change some settings, all of them or none, and return those in force."""
        try:
            changes = await request.json()
            if not isinstance(changes, dict):
                message = "the body must be a JSON object"
                raise ValueError(message)  # noqa: TRY004, TRY301 - answered just below
            self._account.change(self._clock(), changes)
        except ValueError as error:
            raise ApiError("BadRequestException", str(error)) from error
        return await self.settings(request)

    async def list_sent(self, request: web.Request) -> web.StreamResponse:
        """Return every mail kept, oldest first, as one JSON array."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        separator = b"["
        for lines in self._spool.lines():
            await response.write(separator + lines.rstrip(b"\n").replace(b"\n", b","))
            separator = b","
        await response.write(b"]" if separator == b"," else b"[]")
        return response

    async def show_sent(self, request: web.Request) -> web.StreamResponse:
        """Return one mail's entry, with its header block as text."""
        message_id = request.match_info["message_id"]
        entry = await asyncio.to_thread(self._spool.find, message_id)
        if entry is None:
            raise _no_such_mail(message_id)
        raw = await asyncio.to_thread(self._spool.raw, message_id)
        return web.json_response({**entry, "headers": header_block(raw).decode("utf-8", "replace")})

    async def raw_sent(self, request: web.Request) -> web.StreamResponse:
        """Return one mail's bytes."""
        message_id = request.match_info["message_id"]
        try:
            raw = await asyncio.to_thread(self._spool.raw, message_id)
        except FileNotFoundError:
            raise _no_such_mail(message_id) from None
        return web.Response(body=raw, content_type="message/rfc822")

    async def _parse(self, body: bytes) -> SendRequest:
        try:
            if len(body) > _INLINE_BYTES_MAX:
                return await asyncio.to_thread(
                    parse_send_request, body, strict_lines=self._strict_lines
                )
            return parse_send_request(body, strict_lines=self._strict_lines)
        except ApiError:
            self._account.counters.rejected += 1
            raise

    async def _reply(self, request: web.Request, output: dict[str, Any]) -> web.StreamResponse:
        """Send the reply after the set latency, or lose it if the draw says so."""
        lost = self._account.loses_reply()
        await self._wait_latency()
        response = web.json_response(output)
        if lost and request.transport is not None:
            request.transport.close()
            return response
        await response.prepare(request)
        await response.write_eof()
        return response

    async def _wait_latency(self) -> None:
        if self._account.settings.latency_ms:
            await asyncio.sleep(self._account.settings.latency_ms / 1000)


@web.middleware
async def _aws_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every refusal as AWS does: a code in a header, a message in JSON."""
    try:
        return await handler(request)
    except ApiError as error:
        return _error_response(error)
    except web.HTTPRequestEntityTooLarge:
        message = f"The request is longer than {BODY_BYTES_MAX} bytes."
        return _error_response(ApiError("RequestEntityTooLarge", message, 413))
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
        message = f"There is no operation {request.method} {request.path} here."
        return _error_response(ApiError("UnknownOperationException", message, 404))
    except ConnectionError:
        raise  # the caller has gone: aiohttp knows what to do
    except OSError:
        logger.exception("%s %s failed", request.method, request.path)
        return _error_response(ApiError("InternalFailure", "An internal error occurred.", 500))


def _error_response(error: ApiError) -> web.Response:
    return web.json_response(
        {"message": error.message},
        status=error.status,
        headers={"x-amzn-ErrorType": error.code},
    )


async def _add_request_id(request: web.Request, response: web.StreamResponse) -> None:  # noqa: ARG001
    response.headers["x-amzn-RequestId"] = str(uuid.uuid4())


def _no_such_mail(message_id: str) -> ApiError:
    return ApiError("NotFoundException", f"No mail {message_id!r} was sent.", 404)
