"""Who wrote a message on the queue: SNS signs each, and intake can check it.

Rules: SNS developer guide, "Verifying the signatures of Amazon SNS messages"; the hosts and the
certificates' names by region: AWS SDK for Java 2, sns-message-manager, SnsHostProvider.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from mailtumble.intake.certificates import Certificates, fetch_certificate
from schemas.errors import BadInput

SIGNED: Final = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
"""What the signature of a notification covers, in this order; Subject only where there is one."""

ALGORITHMS: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "1": hashes.SHA1(),  # noqa: S303 - SNS's default; a topic's SignatureVersion chooses the other
    "2": hashes.SHA256(),
}

SUFFIXES: Final = {
    "aws": "amazonaws.com",
    "aws-us-gov": "amazonaws.com",
    "aws-cn": "amazonaws.com.cn",
}
"""A partition of AWS -> where its hosts are."""

# No digit ahead of the last part: sns.s3-us-west-2.amazonaws.com is somebody's bucket.
TOPIC: Final = re.compile(
    r"arn:(aws|aws-us-gov|aws-cn):sns:([a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}):[0-9]{12}:[\w.-]{1,256}",
    re.ASCII,
)
CERTIFICATE_PATH: Final = re.compile(r"/[\w-]{1,200}\.pem", re.ASCII)
"""As in /SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem: no folder, no query."""

TOLD_MAX: Final = 200
"""Characters of a strange value that an error's text repeats."""


class Verifier(Protocol):
    """Tells whether a message comes from SNS, and from a topic of ours."""

    def verify(self, message: Mapping[str, Any]) -> None:
        """Check the outer JSON object of an SQS message, before anything is made of it.

        The values must be as JSON gives them: nothing mended, nothing trimmed.

        Raises:
            BadInput: it is forged, or nobody can tell; the text says what is wrong.
            RetryableError: nobody can tell right now.
        """


class NoVerification:
    """Accepts everything: a :class:`Verifier` for emulators, whose SNS doesn't sign."""

    def verify(self, message: Mapping[str, Any]) -> None:
        """Accept it."""


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where a topic's certificates lie, and the names that they may bear."""

    host: str
    names: frozenset[str]


class SnsVerifier:
    """A :class:`Verifier` by SNS's signatures, for any number of threads.

    A message is taken from the ``topics`` given, by their full ARN, and from no others: without
    any, every message is refused. Its certificate must lie at SNS's host of the topic's region,
    so that a forger can neither bring a certificate nor send us to another host. A message may
    be of any age: it may have been on the queue for days.
    """

    def __init__(
        self,
        topics: Collection[str],
        *,
        now: Callable[[], int],
        fetch: Callable[[str], bytes] = fetch_certificate,
    ) -> None:
        """Take messages of these topics; ``now`` gives microseconds since 1970.

        ``fetch`` gives what lies at a URL, or raises BadInput or RetryableError.

        Raises:
            BadInput: one of ``topics`` is no ARN of a topic.
        """
        self._origins = {topic: _origin(topic) for topic in topics}
        self._now = now
        self._certificates = Certificates(fetch)

    def verify(self, message: Mapping[str, Any]) -> None:
        """See :meth:`Verifier.verify`. The network is asked last, and once per certificate."""
        kind = message.get("Type")
        if kind != "Notification":
            raise BadInput(
                f"not a notification of SNS's: its Type is {_told(kind)}; "
                "with raw message delivery there is no signature to check"
            )
        topic = _text(message, "TopicArn")
        origin = self._origins.get(topic)
        if origin is None:
            raise BadInput(f"the SNS topic {_told(topic)} is not one that intake takes mail from")
        signed, signature = string_to_sign(message), _signature(message)
        algorithm = ALGORITHMS.get(version := _text(message, "SignatureVersion"))
        if algorithm is None:
            raise BadInput(f"the SNS message's SignatureVersion {_told(version)} is unknown")
        now = self._now()
        certificate = self._certificates.get(_certificate_url(message, origin.host), now)
        certificate.require(origin.names, now)
        try:
            certificate.key.verify(signature, signed, PKCS1v15(), algorithm)
        except InvalidSignature as error:
            text = "the SNS message is not what was signed: its signature doesn't match"
            raise BadInput(text) from error


def string_to_sign(message: Mapping[str, Any]) -> bytes:
    r"""The bytes of a notification that SNS signs: each field's name and value, a line each.

    Only Message may hold line breaks. In another field they would let the same bytes be read as
    other fields, and SNS never puts one there.

    Raises:
        BadInput: a field is missing, or can't have been signed.
    """
    lines: list[str] = []
    for name in SIGNED:
        # AWS Lambda's form of a notification says null, SNS's own leaves it out.
        if name == "Subject" and message.get(name) is None:
            continue
        value = _text(message, name)
        if "\n" in value and name != "Message":
            raise BadInput(f"the SNS message's {name} has a line break: {_told(value)}")
        lines += (name, value)
    try:
        return "".join(f"{line}\n" for line in lines).encode()
    except UnicodeEncodeError as error:
        text = "the SNS message holds half a character, which can't have been signed"
        raise BadInput(text) from error


def _origin(topic: str) -> _Origin:
    match = TOPIC.fullmatch(topic)
    if match is None:
        raise BadInput(f"{_told(topic)} is not the ARN of an SNS topic")
    partition, region = match.groups()
    suffix = SUFFIXES[partition]
    names = {
        f"sns.{suffix}",
        f"sns.{region}.{suffix}",
        # The regions that have to be opted in to.
        f"sns-signing.{region}.{suffix}",
        # China's; GovCloud's are all made out to one of its regions.
        f"sns-{region}.{suffix}",
    }
    if partition == "aws-us-gov":
        names.add(f"sns-us-gov-west-1.{suffix}")
    return _Origin(f"sns.{region}.{suffix}", frozenset(names))


def _certificate_url(message: Mapping[str, Any], host: str) -> str:
    """The URL as it stands, if it is just such as SNS writes: no port, no user, no query."""
    url = _text(message, "SigningCertURL")
    start = f"https://{host}"
    if not (url.startswith(start) and CERTIFICATE_PATH.fullmatch(url, len(start))):
        raise BadInput(f"the SNS message's SigningCertURL {_told(url)} is not at {start}/")
    return url


def _signature(message: Mapping[str, Any]) -> bytes:
    try:
        return base64.b64decode(_text(message, "Signature"), validate=True)
    except ValueError as error:
        raise BadInput(f"the SNS message's Signature is not base64: {error}") from error


def _text(message: Mapping[str, Any], name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str):
        raise BadInput(f"the SNS message has no text as its {name}")
    return value


def _told(value: object) -> str:
    """A strange value, short and on one line."""
    text = ascii(value)
    return text if len(text) <= TOLD_MAX else f"{text[:TOLD_MAX]}..."
