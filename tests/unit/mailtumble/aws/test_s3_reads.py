"""Quick reads: where they look, and that boto3 is asked where they can't tell."""

from __future__ import annotations

import http.server

import pytest

from mailtumble.aws.clients import Clients
from mailtumble.aws.s3 import S3Objects
from mailtumble.aws.s3_reads import QuickReads
from mailtumble.local.ministack import HOST
from schemas.errors import PermanentError, RetryableError
from tests.unit.mailtumble.aws.one_answer import Server, as_xml

BUCKET = "mails"
DENIED = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"


def _at(server: Server, monkeypatch: pytest.MonkeyPatch) -> Clients:
    host, port = server.server_address[:2]
    assert host == HOST
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{HOST}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    return Clients("eu-west-1")


def test_one_request_reads_an_object(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the bucket's place in the path, as an emulator needs it; boto3 has no part in it."""
    seen: list[str] = []

    def reply(handler: http.server.BaseHTTPRequestHandler) -> None:
        seen.append(handler.path)
        as_xml(200, "a mail")(handler)

    server.reply = reply
    objects = S3Objects(_at(server, monkeypatch).s3)
    assert objects.get(BUCKET, "inbound/1") == b"a mail"
    assert seen == [f"/{BUCKET}/inbound/1"]


def test_the_size_alone_is_asked_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """By HEAD, whose answer has a length and no body."""

    def reply(handler: http.server.BaseHTTPRequestHandler) -> None:
        assert handler.command == "HEAD"
        handler.send_response(200)
        handler.send_header("Content-Length", "50000")
        handler.send_header("Last-Modified", "Tue, 24 Nov 2026 08:00:00 GMT")
        handler.end_headers()

    server.reply = reply
    assert S3Objects(_at(server, monkeypatch).s3).size(BUCKET, "inbound/1") == 50_000
    assert server.requests == 1


def test_what_is_refused_is_told_by_boto3(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its error, and its advice."""
    server.reply = as_xml(403, DENIED)
    objects = S3Objects(_at(server, monkeypatch).s3)
    with pytest.raises(PermanentError, match=r"AccessDenied.*allow it to the role"):
        objects.get(BUCKET, "inbound/1")
    assert server.requests == 2


def test_an_outage_is_told_by_boto3(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its retries, which obstore makes none of."""
    server.reply = as_xml(503, "<Error><Code>SlowDown</Code></Error>")
    objects = S3Objects(_at(server, monkeypatch).s3)
    with pytest.raises(RetryableError, match="SlowDown"):
        objects.get(BUCKET, "inbound/1")
    assert server.requests == 1 + 3


@pytest.mark.parametrize("key", ["/inbound/1", "inbound/1/", "inbound//1", "inbound/../1"])
def test_keys_that_are_no_paths_are_left_to_boto3(
    key: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys are text: none may become another one."""
    server.reply = as_xml(200, "another mail")
    assert QuickReads(_at(server, monkeypatch).s3).get(BUCKET, key) is None
    assert server.requests == 0


def test_on_aws_the_bucket_is_in_the_host_name(clients: Clients) -> None:
    """Where boto3 finds it, too; one with dots has no certificate, and is found by its path."""
    reads = QuickReads(clients.s3)
    store = reads._store(BUCKET)
    assert store is not None
    assert store.config["endpoint"].startswith(f"https://{BUCKET}.s3.")
    assert store.config["virtual_hosted_style_request"] == "true"
    dotted = reads._store("mails.example.org")
    assert dotted is not None
    assert dotted.config["endpoint"].startswith("https://s3.")
    assert dotted.config["virtual_hosted_style_request"] == "false"


def test_without_credentials_boto3_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what is missing."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(PermanentError, match="credentials"):
        S3Objects(Clients("eu-west-1").s3).get(BUCKET, "inbound/1")
