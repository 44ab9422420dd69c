"""Fetching a certificate: from a real HTTPS server on 127.0.0.1, however it answers."""

from __future__ import annotations

import ipaddress
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mailtumble.intake.certificates import BYTES_MAX, KEPT_MAX, Certificates, fetch_certificate
from schemas.errors import BadInput, RetryableError

STATUSES = (400, 403, 404, 408, 410, 429, 500, 503)


class Handler(BaseHTTPRequestHandler):
    """Answers as the path says."""

    def do_GET(self) -> None:
        """Answer."""
        kind = self.path.strip("/")
        status = int(kind) if kind.isdigit() else 200
        body = b"x" * (BYTES_MAX + (kind == "long") if kind in {"long", "most"} else 100)
        if kind == "slow":
            body *= 50  # ten seconds of it
        self.send_response(status)
        if kind.startswith("30"):
            self.send_header("Location", "/whole")
        if kind != "endless":
            self.send_header("Content-Length", str(len(body) + (kind == "torn")))
        self.end_headers()
        if kind == "slow":
            self._drip(body)
        elif kind == "endless":
            self._drip(body * 2000, seconds=0)
        else:
            self.wfile.write(body)

    def _drip(self, body: bytes, seconds: float = 0.02) -> None:
        try:
            for place in range(0, len(body), 10):
                self.wfile.write(body[place : place + 10])
                time.sleep(seconds)
        except OSError:
            """The client has had enough."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's word
        """Say nothing."""


class Site:
    """The server's address, and a client's trust in it."""

    def __init__(self, port: int, trust: ssl.SSLContext) -> None:
        """At a port of 127.0.0.1."""
        self.url = f"https://127.0.0.1:{port}"
        self._trust = trust

    def fetch(self, path: str, timeout_s: float = 5.0) -> bytes:
        """Fetch from it."""
        return fetch_certificate(f"{self.url}/{path}", context=self._trust, timeout_s=timeout_s)


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a certificate for 127.0.0.1, and its key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "here")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(here, critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("https") / "identity.pem"
    path.write_bytes(
        certificate.public_bytes(Encoding.PEM)
        + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return path


@pytest.fixture(scope="module")
def server(identity: Path) -> Iterator[Site]:
    """A server that is there."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.socket = context.wrap_socket(listening.socket, server_side=True)
        thread = Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        yield Site(listening.server_port, ssl.create_default_context(cafile=str(identity)))
        listening.shutdown()
        thread.join()


@pytest.fixture
def site(server: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The server, asked directly."""
    monkeypatch.setenv("no_proxy", "*")
    return server


def test_what_lies_there_is_fetched(site: Site) -> None:
    """Whole, up to the bound."""
    assert site.fetch("whole") == b"x" * 100
    assert site.fetch("most") == b"x" * BYTES_MAX


@pytest.mark.parametrize("path", ["long", "endless"])
def test_too_much_is_refused(site: Site, path: str) -> None:
    """No more than the bound is read, whatever length is told."""
    with pytest.raises(BadInput, match=f"{path} is longer than 65536 bytes"):
        site.fetch(path)


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_tells_whether_to_try_again(site: Site, status: int) -> None:
    """What the host doesn't have is refused; what it can't give now may come later."""
    again = status in {408, 429, 500, 503}
    with pytest.raises(RetryableError if again else BadInput, match=f"HTTP status {status}"):
        site.fetch(str(status))


@pytest.mark.parametrize("status", [301, 302, 307])
def test_no_redirect_is_followed(site: Site, status: int) -> None:
    """Only the host that was checked is asked."""
    with pytest.raises(BadInput, match=f"HTTP status {status}"):
        site.fetch(str(status))


def test_a_torn_answer_is_no_answer(site: Site) -> None:
    """A part of a certificate isn't taken for a forged one."""
    with pytest.raises(RetryableError, match="without its last 1 bytes"):
        site.fetch("torn")


def test_a_slow_answer_ends(site: Site) -> None:
    """A host that keeps on giving little holds a thread no longer than the time-out."""
    start = time.monotonic()
    with pytest.raises(RetryableError, match=r"too slowly|timed out"):
        site.fetch("slow", timeout_s=0.5)
    assert time.monotonic() - start < 60


def test_a_stranger_is_not_believed(site: Site) -> None:
    """The host must prove who it is, to the machine's own trust by default."""
    with pytest.raises(RetryableError, match="CERTIFICATE_VERIFY_FAILED"):
        fetch_certificate(f"{site.url}/whole")


def test_nobody_there_is_an_outage(site: Site) -> None:
    """A host that can't be reached says nothing about the message."""
    with pytest.raises(RetryableError, match="can't be fetched right now"):
        fetch_certificate("https://127.0.0.1:1/whole")
    assert site.fetch("whole")


@pytest.mark.parametrize("url", ["http://127.0.0.1/x.pem", "file:///etc/hostname", "x.pem"])
def test_only_https_is_fetched(url: str) -> None:
    """No other scheme is understood."""
    with pytest.raises(BadInput, match="not at an https URL"):
        fetch_certificate(url)


def test_no_more_are_kept_than_the_bound(identity: Path) -> None:
    """However many URLs there are, memory isn't filled: the oldest goes first."""
    fetched: list[str] = []

    def fetch(url: str) -> bytes:
        fetched.append(url)
        return identity.read_bytes()

    certificates = Certificates(fetch)
    urls = [f"https://sns.example/{number}.pem" for number in range(KEPT_MAX + 1)]
    for url in (*urls, urls[-1], urls[0]):
        certificates.get(url, now=0)
    assert fetched == [*urls, urls[0]]
