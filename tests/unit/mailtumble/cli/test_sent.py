"""``mailtumble local sent``: the local SES's spool, by its HTTP side."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from click.testing import CliRunner, Result

from mailtumble.cli import state
from mailtumble.cli.sent import sent
from mailtumble.cli.state import LocalState
from schemas.errors import BadInput, MailtumbleError, RetryableError

ENTRY = {
    "message_id": "0100-1",
    "accepted_at": "2026-01-31T12:00:00.123Z",
    "from": "info@house.example",
    "to": ["ann@far.example"],
    "subject": "hi\u001b[2J",
    "size_bytes": 12,
    "tags": {"mailtumble-mail": "m1"},
    "configuration_set": "mailtumble",
    "source_ip": "127.0.0.1",
}
RAW = b"Subject: hi\r\n\r\n\x00\xff"
ANSWERS = {
    "/_local/sent": json.dumps([ENTRY]).encode(),
    "/_local/sent/0100-1": json.dumps({**ENTRY, "headers": "Subject: hi\u001b[2J\r\n"}).encode(),
    "/_local/sent/0100-1/raw": RAW,
}


class _Ses(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = ANSWERS.get(self.path)
        self.send_response(404 if body is None else 200)
        self.end_headers()
        self.wfile.write(body or b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base class
        """Say nothing."""


@pytest.fixture(autouse=True)
def ses(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """A server that answers as the local SES does, and a proxy that must not be asked."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Ses)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    found = LocalState(os.getpid(), {}, f"http://127.0.0.1:{server.server_port}", 2525, {})
    monkeypatch.setattr(state, "local_state", lambda state_dir: None if state_dir else found)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(sent, arguments)


def test_the_list_is_the_spools() -> None:
    """JSON as it comes; for people a line a mail, which steers nothing."""
    assert json.loads(_run("--json").stdout) == [ENTRY]
    lines = _run().stdout.splitlines()
    assert lines[1].split() == [
        "2026-01-31", "12:00:00", "0100-1", "info@house.example", "ann@far.example", r"hi\x1b[2J",
    ]  # fmt: skip


def test_nothing_sent_yet_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """On stderr, so that a pipe stays empty."""
    monkeypatch.setitem(ANSWERS, "/_local/sent", b"[]")
    result = _run()
    assert result.stdout == ""
    assert "mailtumble queue status" in result.stderr


def test_one_mail_has_its_headers_and_its_bytes() -> None:
    """As JSON, as text, and raw to the last byte."""
    assert json.loads(_run("0100-1", "--json").stdout)["headers"].startswith("Subject: hi")
    text = _run("0100-1").stdout
    assert "mailtumble-mail: m1\n" in text
    assert text.endswith("\n\nSubject: hi\\x1b[2J\n")
    assert _run("0100-1", "--raw").stdout_bytes == RAW


@pytest.mark.parametrize("options", [[], ["--json"], ["--raw"]])
def test_an_unknown_id_is_a_failure(options: list[str]) -> None:
    """It is named, whatever characters it has."""
    error = _run("../a b?", *options).exception
    assert isinstance(error, MailtumbleError)
    assert "'../a b?'" in str(error)


@pytest.mark.parametrize("arguments", [["--raw"], ["0100-1", "--raw", "--json"]])
def test_raw_is_for_one_mail(arguments: list[str]) -> None:
    """Else it is a wrong call."""
    assert isinstance(_run(*arguments).exception, BadInput)


def test_a_silent_ses_is_a_failure(ses: ThreadingHTTPServer) -> None:
    """With where it was looked for."""
    ses.server_close()
    error = _run().exception
    assert isinstance(error, RetryableError)
    assert f"http://127.0.0.1:{ses.server_port} does not answer" in str(error)
