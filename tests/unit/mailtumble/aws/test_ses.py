"""What SES's answers, and their absence, mean for a mail."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import NoCredentialsError, ReadTimeoutError, SSLError

from mailtumble.aws.clients import Clients
from mailtumble.aws.ses import RULES, SesTransport, meaning, meaning_without_answer
from mailtumble.local.ministack import HOST, free_port
from mailtumble.ports.world import (
    OutcomeUnknown,
    OutgoingMail,
    SendImpossible,
    SendRefused,
)
from schemas.errors import RetryableError
from schemas.values import DeferReason
from tests.unit.mailtumble.aws.one_answer import Server, as_json

MAIL = OutgoingMail(
    b"From: a@example.org\r\n\r\nhello", "a@example.org", "b@example.net", {"t": "1"}
)
RATE = "Maximum sending rate exceeded."
DAILY = "Daily message quota exceeded."
UNVERIFIED = "Email address is not verified. The following identities failed the check: "


@pytest.mark.parametrize(
    ("code", "message", "status", "reason"),
    [
        ("TooManyRequestsException", RATE, 429, DeferReason.THROTTLED),
        ("Throttling", RATE, 400, DeferReason.THROTTLED),
        ("ThrottlingException", "Rate exceeded", 400, DeferReason.THROTTLED),
        ("LimitExceededException", RATE, 400, DeferReason.THROTTLED),
        ("TooManyRequestsException", DAILY, 429, DeferReason.DAILY_QUOTA),
        ("Throttling", DAILY, 400, DeferReason.DAILY_QUOTA),
        ("LimitExceededException", DAILY, 400, DeferReason.DAILY_QUOTA),
        ("LimitExceededException", "too many of them", 400, DeferReason.STOPPED),
        ("SendingPausedException", "paused", 400, DeferReason.STOPPED),
        ("AccountSuspendedException", "suspended", 400, DeferReason.STOPPED),
        ("MailFromDomainNotVerifiedException", "no MX", 400, DeferReason.UNVERIFIED),
        ("NotFoundException", "Configuration set <x> does not exist.", 404, DeferReason.STOPPED),
        ("AccessDeniedException", "not authorized", 403, DeferReason.UNVERIFIED),
        ("ExpiredTokenException", "expired", 403, DeferReason.STOPPED),
        ("MessageRejected", "Sending suspended for this account.", 400, DeferReason.STOPPED),
        ("MessageRejected", f"{UNVERIFIED}a@example.org", 400, DeferReason.UNVERIFIED),
        ("SomethingNew", "never heard of", 400, DeferReason.TRANSIENT),
    ],
)
def test_refusals_that_may_be_tried_again(
    code: str, message: str, status: int, reason: DeferReason
) -> None:
    """By code and message together; what no rule knows loses no mail."""
    made = meaning(code, message, status, recipient=MAIL.recipient)
    assert isinstance(made, SendRefused)
    assert made.reason is reason
    assert message in made.detail


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("MessageRejected", "Email contains a virus"),
        ("BadRequestException", "Duplicate header 'From'."),
        ("MessageRejected", f"{UNVERIFIED}b@example.net"),
    ],
)
def test_refusals_for_good(code: str, message: str) -> None:
    """This very mail will never go; in the sandbox, not to this recipient."""
    made = meaning(code, message, 400, recipient=MAIL.recipient)
    assert isinstance(made, SendImpossible)
    assert (made.code, made.detail) == (code, message)


def test_a_server_error_leaves_the_outcome_open() -> None:
    """SES may have queued the mail before it failed, whatever the code says."""
    for status in (500, 503):
        made = meaning("TooManyRequestsException", RATE, status, recipient=MAIL.recipient)
        assert isinstance(made, OutcomeUnknown)


def test_every_rule_has_a_way_to_match() -> None:
    """A rule without codes and words would match all."""
    assert all(rule.codes or rule.words for rule in RULES)
    assert all(rule.words == rule.words.lower() for rule in RULES)


def test_no_credentials_stop_the_fleet() -> None:
    """Nothing was sent, and nothing will be until somebody acts."""
    made = meaning_without_answer(NoCredentialsError())
    assert isinstance(made, SendRefused)
    assert made.reason is DeferReason.STOPPED


@pytest.mark.parametrize(
    "error",
    [
        ReadTimeoutError(endpoint_url="https://example.invalid"),
        SSLError(endpoint_url="https://example.invalid", error="bad record"),
    ],
    ids=["time-out", "TLS"],
)
def test_no_answer_on_a_connection_leaves_the_outcome_open(error: Exception) -> None:
    """The request may have arrived."""
    assert isinstance(meaning_without_answer(error), OutcomeUnknown)


@pytest.fixture
def transport(clients: Clients, server: Server, monkeypatch: pytest.MonkeyPatch) -> SesTransport:
    """Sends to the server, with a configuration set."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", f"http://{HOST}:{server.server_port}")
    return SesTransport(clients.ses, "mailtumble")


def test_one_recipient_the_tags_and_the_set_are_sent(
    transport: SesTransport, server: Server
) -> None:
    """The raw mail travels as it is, in base64."""
    server.reply = as_json(200, {"MessageId": "0101"})
    assert transport.send(MAIL) == "0101"
    assert json.loads(server.last) == {
        "FromEmailAddress": "a@example.org",
        "Destination": {"ToAddresses": ["b@example.net"]},
        "Content": {"Raw": {"Data": "RnJvbTogYUBleGFtcGxlLm9yZw0KDQpoZWxsbw=="}},
        "EmailTags": [{"Name": "t", "Value": "1"}],
        "ConfigurationSetName": "mailtumble",
    }


def test_a_throttle_over_the_wire_is_one_call(transport: SesTransport, server: Server) -> None:
    """Botocore repeats nothing: repeats stand on the log."""
    server.reply = as_json(429, {"message": RATE}, x_amzn_ErrorType="TooManyRequestsException")
    with pytest.raises(SendRefused) as caught:
        transport.send(MAIL)
    assert caught.value.reason is DeferReason.THROTTLED
    assert server.requests == 1


def test_a_server_error_over_the_wire_is_one_call(transport: SesTransport, server: Server) -> None:
    """A repeat could be the second mail."""
    server.reply = as_json(503, {"message": "try later"})
    with pytest.raises(OutcomeUnknown, match="503"):
        transport.send(MAIL)
    assert server.requests == 1


def test_a_connection_lost_after_the_request_leaves_the_outcome_open(
    transport: SesTransport, server: Server
) -> None:
    """The server took the request and hung up."""
    server.reply = lambda handler: handler.connection.close()
    with pytest.raises(OutcomeUnknown):
        transport.send(MAIL)
    assert server.requests == 1


def test_an_answer_that_cannot_be_read_leaves_the_outcome_open(
    transport: SesTransport, server: Server
) -> None:
    """It says yes without a message id."""
    server.reply = as_json(200, {})
    with pytest.raises(OutcomeUnknown, match="message id"):
        transport.send(MAIL)


def test_a_refused_connection_sent_nothing(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens: it may be tried again at once, no mail can be doubled."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", f"http://{HOST}:{free_port()}")
    with pytest.raises(SendRefused) as caught:
        SesTransport(clients.ses).send(MAIL)
    assert caught.value.reason is DeferReason.TRANSIENT


def test_an_unknown_host_sent_nothing(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names under .invalid never resolve (RFC 6761, section 6.4)."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", "http://ses.invalid")
    with pytest.raises(SendRefused) as caught:
        SesTransport(clients.ses).send(MAIL)
    assert caught.value.reason is DeferReason.TRANSIENT


def test_a_quota_that_cannot_be_asked_is_retryable(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account's poller asks again."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", f"http://{HOST}:{free_port()}")
    with pytest.raises(RetryableError, match="SES account"):
        SesTransport(clients.ses).quota()
