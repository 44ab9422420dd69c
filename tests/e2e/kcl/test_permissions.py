"""What the KCL's daemon calls beside our own code: its role has that, and no more."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.kcl.fleet import Fleet
from tests.permissions import read_permissions
from tools.aws_calls.grants import Grant, grants
from tools.aws_calls.recorder import made, read_calls, recording

pytestmark = pytest.mark.external

HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


@contextmanager
def _witness(target: str) -> Iterator[tuple[str, set[Grant]]]:
    """Forward AWS's JSON protocol, and tell what Java called; our own code tells itself."""
    seen: set[Grant] = set()
    place = urlsplit(target).netloc

    class Forwarder(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if "aws-sdk-java" in self.headers.get("User-Agent", ""):
                service, _, operation = self.headers["X-Amz-Target"].partition(".")
                name = "kinesis" if service.startswith("Kinesis") else "dynamodb"
                seen.update(grants(name, operation, json.loads(body)))
            far = http.client.HTTPConnection(place, timeout=60)
            try:
                far.request("POST", self.path, body, dict(self.headers))
                answer = far.getresponse()
                data = answer.read()
            finally:
                far.close()
            self.send_response(answer.status)
            for header, value in answer.getheaders():
                if header.lower() not in HOP_BY_HOP:
                    self.send_header(header, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_DELETE = do_HEAD = do_POST  # noqa: N815 - as http.server has them

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Forwarder)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("application", ["core", "sender", "archive"])
def test_the_daemon_calls_what_it_may_and_nothing_is_left_over(
    fleet: Fleet, tmp_path: Path, application: str
) -> None:
    """A cold start, work, and a hand-over; with our own code's calls beside them."""
    folder = tmp_path / "calls"
    folder.mkdir()
    permissions = read_permissions()[application]
    with _witness(fleet.environment["AWS_ENDPOINT_URL"]) as (url, seen):
        fleet.environment |= {**recording(folder), "AWS_ENDPOINT_URL": url}
        worker = fleet.start("one", application)
        fleet.tell(8)

        def unused() -> set[Grant]:
            ours = made(read_calls(folder)).get(application, set())
            return set(permissions.kcl_calls) - seen - ours

        fleet.until(worker.status.exists, 300)
        other = fleet.start("two", application)
        fleet.until(other.status.exists, 300)
        worker.process.terminate()
        worker.process.wait(60)
        fleet.until(lambda: not unused(), 300)
        other.process.terminate()
        other.process.wait(60)
    found = seen | made(read_calls(folder))[application]
    assert found - permissions.granted() == set()
