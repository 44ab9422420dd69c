"""boto's own variables say where a service is, for mailtumble local too."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.e2e.conftest import Stack
from tests.e2e.mails import add_aliases, body, by_smtp, mail

pytestmark = pytest.mark.servers


class _OtherSes(BaseHTTPRequestHandler):
    """Answers GetAccount and SendEmail as SES v2 does, and keeps what it is asked to send."""

    calls: list[dict[str, Any]]

    def do_GET(self) -> None:
        """GetAccount."""
        quota = {"Max24HourSend": 200.0, "MaxSendRate": 1.0, "SentLast24Hours": 0.0}
        self._answer({"SendQuota": quota, "SendingEnabled": True})

    def do_POST(self) -> None:
        """SendEmail."""
        self.calls.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._answer({"MessageId": f"other-{len(self.calls)}"})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Nothing."""

    def _answer(self, output: dict[str, Any]) -> None:
        data = json.dumps(output).encode()
        self.send_response(200 if self.path.startswith("/v2/email/") else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def other_ses() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Another SES: its URL, and the SendEmail calls that it has got."""
    calls: list[dict[str, Any]] = []
    handler = type("Handler", (_OtherSes,), {"calls": calls})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", calls
        server.shutdown()
        thread.join()


def test_mail_leaves_by_the_ses_that_the_environment_names(
    start_stack: Callable[..., Stack], other_ses: tuple[str, list[dict[str, Any]]]
) -> None:
    """With AWS_ENDPOINT_URL_SESV2 set, quota and sends are that endpoint's, not the local SES's."""
    url, calls = other_ses
    stack = start_stack(environment={"AWS_ENDPOINT_URL_SESV2": url})
    recipient, raw = mail(1)
    add_aliases(stack, {recipient: ["jane@far.example"]})
    stack.deliver([(recipient, raw)])
    (ended,) = stack.await_ended(1)
    assert ended["status"] == "completed"
    (target,) = ended["targets"]
    assert target["provider_message_id"] == "other-1"
    (call,) = calls
    assert call["Destination"] == {"ToAddresses": ["jane@far.example"]}
    assert {"Name": "mailtumble-mail", "Value": ended["mail_id"]} in call["EmailTags"]
    assert body(base64.b64decode(call["Content"]["Raw"]["Data"])) == body(by_smtp(raw))
    assert stack.json("queue", "status")["quota"]["max_24h"] == 200
    stats = stack.stats()
    assert (stats["smtp_received"], stats["accepted"]) == (1, 0)
