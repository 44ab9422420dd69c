"""SNS's signatures: what SNS signed goes through, and nothing else does."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from threading import Barrier, Lock
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding

from mailtumble.intake.sns import NoVerification, SnsVerifier, Verifier, string_to_sign
from schemas.errors import BadInput, RetryableError
from schemas.values import SECOND_US
from tests.fakes import VirtualClock

TOPIC = "arn:aws:sns:us-east-1:123456789012:mailtumble-inbound"
HOST = "https://sns.us-east-1.amazonaws.com"
URL = f"{HOST}/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem"
START = datetime(2026, 1, 1, tzinfo=UTC)
END = START + timedelta(days=365)
HASHES = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303 - SNS's own choice


@cache
def _key(owner: str) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    if owner == "elliptic":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def _certificate(
    name: str = "sns.amazonaws.com", *also: str, owner: str = "sns", end: datetime = END
) -> bytes:
    key = _key(owner)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(
        issuer_name=subject,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=1,
        not_valid_before=START,
        not_valid_after=end,
    )
    if also:
        names = x509.SubjectAlternativeName([x509.DNSName(each) for each in also])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _signed(*, version: str = "2", by: str = "sns", **fields: str | None) -> dict[str, Any]:
    """A notification as SNS sends it; the order of what is signed stands here once more."""
    message: dict[str, Any] = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Message": '{"notificationType":"Received"}\nGrüße 📬',
        "Timestamp": "2026-04-11T00:54:06.655Z",
        "SignatureVersion": version,
        "SigningCertURL": URL,
        "UnsubscribeURL": f"{HOST}/?Action=Unsubscribe",
        **fields,
    }
    text = f"Message\n{message['Message']}\nMessageId\n{message['MessageId']}\n"
    if message.get("Subject") is not None:
        text += f"Subject\n{message['Subject']}\n"
    text += f"Timestamp\n{message['Timestamp']}\nTopicArn\n{message['TopicArn']}\n"
    text += f"Type\n{message['Type']}\n"
    key = _key(by)
    assert isinstance(key, rsa.RSAPrivateKey)
    signature = key.sign(text.encode(), PKCS1v15(), HASHES[version])
    return {**message, "Signature": base64.b64encode(signature).decode()}


@dataclass
class Place:
    """A verifier, its clock, and SNS's host with what lies there."""

    topics: Sequence[str] = (TOPIC,)
    answer: Callable[[], bytes] = _certificate
    day: int = 100
    fetched: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the verifier, some days after the certificate was made."""
        start = START + timedelta(days=self.day)
        self.clock = VirtualClock(int(start.timestamp()) * SECOND_US)
        self.verifier: Verifier = SnsVerifier(self.topics, now=self.clock.now, fetch=self.fetch)

    def fetch(self, url: str) -> bytes:
        """Give what lies there, and take note."""
        self.fetched.append(url)
        return self.answer()

    def refusal(self, message: dict[str, Any]) -> str:
        """Why the message is refused."""
        with pytest.raises(BadInput) as refused:
            self.verifier.verify(message)
        return str(refused.value)


def _outage() -> bytes:
    message = "timed out"
    raise RetryableError(message)


def _gone() -> bytes:
    message = "HTTP status 404"
    raise BadInput(message)


@pytest.mark.parametrize("version", ["1", "2"])
def test_what_sns_signed_goes_through(version: str) -> None:
    """Both versions of the signature count, with a Subject and without, in any alphabet."""
    place = Place()
    place.verifier.verify(_signed(version=version))
    place.verifier.verify(_signed(version=version, Subject=None))
    place.verifier.verify(_signed(version=version, Subject="A subject"))


def test_the_string_to_sign_is_as_in_the_guide() -> None:
    """Each field's name and value on a line of its own, in the order of bytes."""
    message = _signed(Subject="My First Message", Message="Hello world!")
    assert string_to_sign(message) == (
        b"Message\nHello world!\n"
        b"MessageId\n22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324\n"
        b"Subject\nMy First Message\n"
        b"Timestamp\n2026-04-11T00:54:06.655Z\n"
        b"TopicArn\narn:aws:sns:us-east-1:123456789012:mailtumble-inbound\n"
        b"Type\nNotification\n"
    )


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize(
    "forged",
    [
        {"Message": '{"notificationType":"Received"}'},
        {"MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf325"},
        {"Timestamp": "2026-04-12T00:54:06.655Z"},
        {"TopicArn": f"{TOPIC}-2"},
        {"Subject": "Another"},
        {"Subject": None},
        {"Signature": base64.b64encode(bytes(256)).decode()},
        {"Signature": ""},
    ],
)
def test_a_changed_field_is_found(version: str, forged: dict[str, Any]) -> None:
    """No signed field can be changed, added or taken away, not even for another topic of ours."""
    place = Place(topics=(TOPIC, f"{TOPIC}-2"))
    assert "signature doesn't match" in place.refusal(
        {**_signed(version=version, Subject="A subject"), **forged}
    )


def test_a_signature_holds_for_one_key_and_one_version() -> None:
    """It has to be by the certificate's key, and of the version that is told."""
    for forged in (_signed(by="somebody"), {**_signed(version="1"), "SignatureVersion": "2"}):
        assert "doesn't match" in Place().refusal(forged)


@pytest.mark.parametrize("name", ["MessageId", "Subject", "Timestamp"])
def test_signed_bytes_have_one_reading(name: str) -> None:
    """Line breaks can't pass a piece of one field off as another, with all bytes the same."""
    told = Place().refusal(_signed(**{name: "a\nTimestamp\nb"}))
    assert f"{name} has a line break" in told


def test_another_topic_is_refused() -> None:
    """SNS signs for anybody's topic: without a topic of ours, nothing is taken or fetched."""
    theirs = _signed(TopicArn="arn:aws:sns:us-east-1:999999999999:evil")
    for place, message in ((Place(), theirs), (Place(topics=()), _signed())):
        assert "is not one that intake takes mail from" in place.refusal(message)
        assert place.fetched == []


@pytest.mark.parametrize(
    "topic",
    [
        "inbound",
        "arn:aws:sqs:us-east-1:123456789012:intake",
        "arn:aws:sns:s3-us-west-2:123456789012:inbound",
        "arn:aws:sns:us-east-1:123456789012:inbound:22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        f"{TOPIC}\n",
    ],
)
def test_a_topic_that_is_none_is_told_at_once(topic: str) -> None:
    """A wrong setting shows at the start, not as mail in quarantine."""
    with pytest.raises(BadInput, match="not the ARN of an SNS topic"):
        SnsVerifier([topic], now=lambda: 0)


@pytest.mark.parametrize(
    "url",
    [
        URL.replace("https:", "http:"),
        URL.replace("https:", "HTTPS:"),
        URL.replace("amazonaws.com", "amazonaws.com.evil.example"),
        URL.replace("amazonaws.com", "amazonaws.com.cn"),
        URL.replace("amazonaws.com", "amazonaws.com@evil.example"),
        URL.replace("amazonaws.com", "amazonaws.com:8443"),
        URL.replace("amazonaws.com", "amazonaws.com:443"),
        URL.replace("amazonaws.com", "amazonaws.com."),
        URL.replace("https://", "https://user@"),
        URL.replace("https://", "https://evil.example/"),
        URL.replace("https://", "https://evil.example#"),
        URL.replace("https://sns.us-east-1", "https://sns.s3-us-west-2"),
        URL.replace("https://sns.us-east-1", "https://sns.eu-west-1"),
        URL.replace("https://sns.us-east-1", "https://sqs.us-east-1"),
        URL.replace("https://sns.us-east-1", "https://snsxus-east-1"),
        URL.replace(".pem", ".key"),
        URL.replace(".pem", ".pem?x=1"),
        URL.replace(".pem", ".pem#x"),
        URL.replace(".pem", ".pem\n"),
        f"{HOST}/../x.pem",
        f"{HOST}/%2e%2e/x.pem",
        f"{HOST}/?Action=ListTopics&x=.pem",
        f"{HOST}\\@evil.example/x.pem",
        f"{HOST}/.pem",
        f"{HOST}/{'a' * 9999}.pem",
        HOST,
        "",
    ],
)
def test_only_the_certificates_of_the_topics_region_are_fetched(url: str) -> None:
    """A forger can't have us fetch from elsewhere: it is refused unfetched, in a short text."""
    place = Place()
    told = place.refusal(_signed(SigningCertURL=url))
    assert "SigningCertURL" in told
    assert "\n" not in told
    assert len(told) < 400
    assert place.fetched == []


@pytest.mark.parametrize(
    ("partition", "region", "name"),
    [
        ("aws", "us-east-1", "sns.amazonaws.com"),
        ("aws", "eu-west-3", "sns.eu-west-3.amazonaws.com"),
        ("aws", "af-south-1", "sns-signing.af-south-1.amazonaws.com"),
        ("aws-us-gov", "us-gov-east-1", "sns-us-gov-west-1.amazonaws.com"),
        ("aws-cn", "cn-north-1", "sns-cn-north-1.amazonaws.com.cn"),
    ],
)
def test_each_region_has_its_host_and_names(partition: str, region: str, name: str) -> None:
    """What AWS's regions call themselves is known, in the subject or beside it."""
    topic = f"arn:{partition}:sns:{region}:123456789012:inbound.fifo"
    end = ".cn" if partition == "aws-cn" else ""
    url = f"https://sns.{region}.amazonaws.com{end}/x.pem"
    message = _signed(TopicArn=topic, SigningCertURL=url)
    for names in ([name], ["something else", name]):
        place = Place(topics=[topic], answer=partial(_certificate, *names))
        place.verifier.verify(message)
        assert place.fetched == [url]


@pytest.mark.parametrize(
    "names",
    [
        ["evil.example"],
        ["sns.amazonaws.com.evil.example"],
        ["evil.example", "xsns.amazonaws.com", "*.amazonaws.com"],
        ["sns-signing.af-south-1.amazonaws.com"],
    ],
)
def test_a_certificate_for_another_host_is_refused(names: list[str]) -> None:
    """It must be made out to SNS in the topic's region."""
    told = Place(answer=partial(_certificate, *names)).refusal(_signed())
    assert "the signing certificate is for" in told


@pytest.mark.parametrize("day", [-1, 366])
def test_a_certificate_out_of_its_time_is_refused(day: int) -> None:
    """Neither before its validity nor after."""
    assert "not valid at this time" in Place(day=day).refusal(_signed())


def test_a_certificate_that_ran_out_is_fetched_anew() -> None:
    """A worker that runs for long takes a renewed certificate from the same URL."""
    place = Place()
    place.verifier.verify(_signed())
    place.answer = partial(_certificate, end=END + timedelta(days=365))
    place.clock.sleep(300 * 24 * 60 * 60)
    place.verifier.verify(_signed())
    place.verifier.verify(_signed())
    assert place.fetched == [URL, URL]


CERTIFICATES: dict[str, Callable[[], bytes]] = {
    "nothing": bytes,
    "a page": lambda: b"<html>",
    "one in a page": lambda: b"<html>" + _certificate(),
    "half of one": lambda: _certificate()[:500],
    "a shell": lambda: b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    "an elliptic key": lambda: _certificate(owner="elliptic"),
}


@pytest.mark.parametrize("kind", CERTIFICATES)
def test_what_is_no_certificate_is_refused(kind: str) -> None:
    """Only a whole certificate with an RSA key, and nothing ahead of it, will do."""
    place = Place(answer=CERTIFICATES[kind])
    assert "the signing certificate" in place.refusal(_signed())


@pytest.mark.parametrize("value", [None, 1, ["1"], {}])
@pytest.mark.parametrize(
    "name", ["Message", "TopicArn", "Signature", "SigningCertURL", "SignatureVersion"]
)
def test_a_field_that_is_no_text_is_named(name: str, value: object) -> None:
    """Whatever JSON can hold is told as what is wrong, not as a crash."""
    assert name in Place().refusal({**_signed(), name: value})


@pytest.mark.parametrize(
    ("field_name", "value", "told"),
    [
        ("Type", None, "raw message delivery"),
        ("Type", "SubscriptionConfirmation", "Type is 'SubscriptionConfirmation'"),
        ("SignatureVersion", "3", "SignatureVersion '3' is unknown"),
        ("SignatureVersion", "", "SignatureVersion '' is unknown"),
        ("Signature", "FAKE!", "not base64"),
        ("Signature", "Grüße", "not base64"),
        ("Message", "\ud83d", "half a character"),
        ("Subject", 7, "Subject"),
    ],
)
def test_what_can_not_be_verified_is_told(field_name: str, value: object, told: str) -> None:
    """The text says what is wrong, and no certificate is asked for."""
    place = Place()
    assert told in place.refusal({**_signed(), field_name: value})
    assert place.fetched == []


def test_an_outage_keeps_the_message_and_passes() -> None:
    """While SNS's host is out nothing is refused; the next try fetches again."""
    place = Place(answer=_outage)
    with pytest.raises(RetryableError, match="timed out"):
        place.verifier.verify(_signed())
    place.answer = _certificate
    place.verifier.verify(_signed())
    assert place.fetched == [URL, URL]


def test_a_certificate_that_does_not_exist_is_a_forgery() -> None:
    """A URL that looks right but has nothing behind it is refused; it doesn't stop others."""
    place = Place(answer=_gone)
    assert "404" in place.refusal(_signed())
    place.answer = _certificate
    place.verifier.verify(_signed())


@pytest.mark.parametrize("healthy", [True, False])
def test_threads_never_fetch_side_by_side(*, healthy: bool) -> None:
    """Who needs a certificate that is being fetched waits for it; once it is there, it stays."""
    threads, place, message = 8, Place(), _signed()
    ready, fetching = Barrier(threads), Lock()

    def slowly() -> bytes:
        assert fetching.acquire(blocking=False)
        time.sleep(0.02)
        fetching.release()
        return _certificate() if healthy else _outage()

    place.answer = slowly

    def verified(_: int) -> bool:
        ready.wait()
        try:
            place.verifier.verify(message)
        except RetryableError:
            return False
        return True

    with ThreadPoolExecutor(threads) as pool:
        assert list(pool.map(verified, range(threads))) == [healthy] * threads
    assert len(place.fetched) == 1 or not healthy


def test_no_verification_takes_anything() -> None:
    """Where SNS doesn't sign, intake takes what comes."""
    verifier: Verifier = NoVerification()
    verifier.verify({})
