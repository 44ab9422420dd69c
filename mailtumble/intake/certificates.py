"""The certificates that SNS signs with: fetched over HTTPS, read, and kept by URL.

What makes one trustworthy is where it came from: TLS proves the host, and the caller has proved
that the host is SNS's own. A certificate's own chain isn't followed, since SNS serves the leaf
alone; its names and its validity are checked on top.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPException, HTTPResponse
from threading import Lock
from typing import Final
from urllib import request
from urllib.error import HTTPError

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from schemas.errors import BadInput, RetryableError
from schemas.values import SECOND_US

BYTES_MAX: Final = 64 * 1024
"""Of what is fetched; a certificate of SNS's has some 2 KB."""
TIMEOUT_S: Final = 5.0
KEPT_MAX: Final = 64
"""Certificates in memory; SNS has about one a region and year."""
PEM_START: Final = b"-----BEGIN CERTIFICATE-----"
TRY_AGAIN: Final = frozenset({408, 425, 429})
"""HTTP's only statuses below 500 that say "not now"."""


def fetch_certificate(
    url: str, *, context: ssl.SSLContext | None = None, timeout_s: float = TIMEOUT_S
) -> bytes:
    """What lies at an https URL; no redirect is followed. Proxies are the environment's.

    ``timeout_s`` bounds each wait for the network, and the reading of the body as a whole.

    Raises:
        BadInput: the host says that there is no such thing, or gives too much.
        RetryableError: there is no whole answer right now.
    """
    if not url.startswith("https://"):
        raise BadInput(f"the certificate {url} is not at an https URL")
    until = time.monotonic() + timeout_s
    try:
        with _opener(context).open(url, timeout=timeout_s) as response:
            return _body(url, response, until)
    except HTTPError as error:
        error.close()
        text = f"the certificate {url} can't be had: HTTP status {error.code}"
        if error.code in TRY_AGAIN or error.code >= 500:  # noqa: PLR2004 - HTTP's server errors
            raise RetryableError(text) from error
        raise BadInput(text) from error
    except (OSError, HTTPException) as error:
        text = f"the certificate {url} can't be fetched right now: {error!r}"
        raise RetryableError(text) from error


def _opener(context: ssl.SSLContext | None) -> request.OpenerDirector:
    """HTTPS alone: the standard opener also follows redirects, and reads files and FTP."""
    opener = request.OpenerDirector()
    opener.add_handler(request.ProxyHandler())
    opener.add_handler(request.HTTPSHandler(context=context or ssl.create_default_context()))
    opener.add_handler(request.HTTPErrorProcessor())
    opener.add_handler(request.HTTPDefaultErrorHandler())
    return opener


def _body(url: str, response: HTTPResponse, until: float) -> bytes:
    data = bytearray()
    while some := response.read1(BYTES_MAX + 1 - len(data)):
        data += some
        if len(data) > BYTES_MAX:
            raise BadInput(f"the certificate {url} is longer than {BYTES_MAX} bytes")
        if time.monotonic() > until:
            raise TimeoutError("the answer comes too slowly")
    if response.length:
        raise RetryableError(f"the certificate {url} came without its last {response.length} bytes")
    return bytes(data)


@dataclass(frozen=True, slots=True)
class SigningCertificate:
    """A certificate with an RSA key; its validity in microseconds since 1970, both ends in it."""

    key: RSAPublicKey
    names: frozenset[str]
    valid_from: int
    valid_until: int

    def require(self, names: Collection[str], now: int) -> None:
        """Refuse, unless the certificate is for one of these hosts and valid now.

        Raises:
            BadInput: it isn't.
        """
        if self.names.isdisjoint(names):
            told = ", ".join(sorted(self.names)) or "no host"
            raise BadInput(f"the signing certificate is for {told}, not for {min(names)}")
        if not self.valid_from <= now <= self.valid_until:
            raise BadInput("the signing certificate is not valid at this time")


def read_certificate(pem: bytes) -> SigningCertificate:
    """The first certificate of a PEM file that has nothing ahead of it.

    Raises:
        BadInput: it is none, or its key isn't RSA.
    """
    if not pem.startswith(PEM_START):
        raise BadInput("the signing certificate is no PEM file")
    try:
        found = x509.load_pem_x509_certificate(pem)
        key = found.public_key()
        names = frozenset(_names(found))
    except (
        ValueError,
        UnsupportedAlgorithm,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ) as error:
        text = f"the signing certificate can't be read: {type(error).__name__} {error}"
        raise BadInput(text) from error
    if not isinstance(key, RSAPublicKey):
        raise BadInput("the signing certificate's key is not RSA")
    starts, ends = found.not_valid_before_utc, found.not_valid_after_utc
    return SigningCertificate(key, names, _microseconds(starts), _microseconds(ends))


def _names(found: x509.Certificate) -> list[str]:
    """Its hosts: older certificates name them in the subject, newer ones in an extension too."""
    subject = found.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    names = [str(each.value) for each in subject]
    try:
        more = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return names
    return names + more.value.get_values_for_type(x509.DNSName)


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * SECOND_US


class Certificates:
    """Certificates by URL, for any number of threads: each is fetched once, until it runs out."""

    def __init__(self, fetch: Callable[[str], bytes]) -> None:
        """Ask ``fetch`` for what isn't known yet."""
        self._fetch = fetch
        self._lock = Lock()
        self._found: dict[str, Future[SigningCertificate]] = {}

    def get(self, url: str, now: int) -> SigningCertificate:
        """The certificate at ``url``; one that has run out is fetched anew.

        Whoever asks while it is being fetched waits, and shares a failure too. A failure isn't
        kept: the next call fetches again.

        Raises:
            BadInput: there is no certificate at that URL.
            RetryableError: it can't be fetched right now.
        """
        mine: Future[SigningCertificate] = Future()
        with self._lock:
            found = self._found.get(url)
            if found is None or _has_run_out(found, now):
                found = mine
                self._keep(url, mine)
        if found is mine:
            self._fill(url, mine)
        return found.result()

    def _keep(self, url: str, found: Future[SigningCertificate]) -> None:
        self._found.pop(url, None)
        if len(self._found) >= KEPT_MAX:
            del self._found[next(iter(self._found))]
        self._found[url] = found

    def _fill(self, url: str, found: Future[SigningCertificate]) -> None:
        try:
            certificate = read_certificate(self._fetch(url))
        except BaseException as error:
            with self._lock:
                if self._found.get(url) is found:
                    del self._found[url]
            found.set_exception(error)
            raise
        found.set_result(certificate)


def _has_run_out(found: Future[SigningCertificate], now: int) -> bool:
    # A failure is taken out before it is done: what is kept and done, has a result.
    return found.done() and found.result().valid_until < now
