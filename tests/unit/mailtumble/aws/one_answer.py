"""A server that gives one answer, whatever it is asked."""

from __future__ import annotations

import http.server
import json
from collections.abc import Callable


class Server(http.server.ThreadingHTTPServer):
    """Counts the requests and keeps the last one's body."""

    reply: Callable[[http.server.BaseHTTPRequestHandler], None]
    requests = 0
    last: bytes


class Handler(http.server.BaseHTTPRequestHandler):
    """Takes a request and replies as the server is told to."""

    server: Server

    def do_POST(self) -> None:
        """Any path."""
        self.server.requests += 1
        self.server.last = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.reply(self)

    do_GET = do_HEAD = do_POST  # noqa: N815 - what http.server looks for

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Tests are quiet."""


def as_json(status: int, body: dict[str, object], **headers: str) -> Callable[..., None]:
    """An answer of AWS's JSON protocols; ``_`` in a header's name is a hyphen."""
    return _answer(status, json.dumps(body), headers)


def as_xml(status: int, body: str) -> Callable[..., None]:
    """An answer of AWS's query protocol."""
    return _answer(status, body, {"Content-Type": "text/xml"})


def _answer(status: int, body: str, headers: dict[str, str]) -> Callable[..., None]:
    def reply(handler: http.server.BaseHTTPRequestHandler) -> None:
        data = body.encode()
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(data)

    return reply
