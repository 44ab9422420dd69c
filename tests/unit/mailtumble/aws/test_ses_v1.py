"""SES's first API over the wire: what is asked of it, and what its answers mean."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest

from mailtumble.aws.clients import Clients
from mailtumble.aws.ses_v1 import SesV1Transport
from mailtumble.local.ministack import HOST, free_port
from mailtumble.ports.world import OutcomeUnknown, OutgoingMail, SendImpossible, SendRefused
from schemas.errors import RetryableError
from schemas.values import DeferReason
from tests.unit.mailtumble.aws.one_answer import Server, as_xml

MAIL = OutgoingMail(
    b"From: a@example.org\r\nTo: c@example.com\r\n\r\nhello",
    "a@example.org",
    "b@example.net",
    {"attempt": "4711", "target": "0"},
)
RATE = "Maximum sending rate exceeded."
DAILY = "Daily message quota exceeded."
UNVERIFIED = "Email address is not verified. The following identities failed the check: "
NAMESPACE = "http://ses.amazonaws.com/doc/2010-12-01/"
SENT = f"""<SendRawEmailResponse xmlns="{NAMESPACE}">
  <SendRawEmailResult><MessageId>0101</MessageId></SendRawEmailResult>
</SendRawEmailResponse>"""
QUOTA = f"""<GetSendQuotaResponse xmlns="{NAMESPACE}"><GetSendQuotaResult>
  <SentLast24Hours>127.0</SentLast24Hours>
  <Max24HourSend>200.0</Max24HourSend>
  <MaxSendRate>1.5</MaxSendRate>
</GetSendQuotaResult></GetSendQuotaResponse>"""


def error(code: str, message: str) -> str:
    """An error of the query protocol."""
    return (
        f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>Sender</Type><Code>{code}</Code>'
        f"<Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
    )


@pytest.fixture
def transport(clients: Clients, server: Server, monkeypatch: pytest.MonkeyPatch) -> SesV1Transport:
    """Sends to the server, with a configuration set."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SES", f"http://{HOST}:{server.server_port}")
    return SesV1Transport(clients.ses_v1, "mailtumble")


def test_one_destination_the_tags_and_the_set_are_sent(
    transport: SesV1Transport, server: Server
) -> None:
    """Destinations alone says who gets the mail, whatever its To says."""
    server.reply = as_xml(200, SENT)
    assert transport.send(MAIL) == "0101"
    sent = {name: value for name, (value,) in parse_qs(server.last.decode()).items()}
    assert sent == {
        "Action": "SendRawEmail",
        "Version": "2010-12-01",
        "Source": "a@example.org",
        "Destinations.member.1": "b@example.net",
        "RawMessage.Data": "RnJvbTogYUBleGFtcGxlLm9yZw0KVG86IGNAZXhhbXBsZS5jb20NCg0KaGVsbG8=",
        "Tags.member.1.Name": "attempt",
        "Tags.member.1.Value": "4711",
        "Tags.member.2.Name": "target",
        "Tags.member.2.Value": "0",
        "ConfigurationSetName": "mailtumble",
    }


def test_without_a_set_none_is_named(
    clients: Clients, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SES then publishes nothing."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SES", f"http://{HOST}:{server.server_port}")
    server.reply = as_xml(200, SENT)
    SesV1Transport(clients.ses_v1).send(MAIL)
    assert b"ConfigurationSetName" not in server.last


@pytest.mark.parametrize(
    ("code", "message", "reason"),
    [
        ("Throttling", RATE, DeferReason.THROTTLED),
        ("Throttling", DAILY, DeferReason.DAILY_QUOTA),
        ("AccountSendingPausedException", "paused", DeferReason.STOPPED),
        ("ConfigurationSetSendingPausedException", "paused", DeferReason.STOPPED),
        ("ConfigurationSetDoesNotExist", "no such set", DeferReason.STOPPED),
        ("MailFromDomainNotVerifiedException", "no MX", DeferReason.UNVERIFIED),
        ("MessageRejected", f"{UNVERIFIED}a@example.org", DeferReason.UNVERIFIED),
        ("SomethingNew", "never heard of", DeferReason.TRANSIENT),
    ],
)
def test_a_refusal_is_one_call(
    transport: SesV1Transport, server: Server, code: str, message: str, reason: DeferReason
) -> None:
    """Botocore repeats nothing; by code and message together, as with v2."""
    server.reply = as_xml(400, error(code, message))
    with pytest.raises(SendRefused) as caught:
        transport.send(MAIL)
    assert caught.value.reason is reason
    assert server.requests == 1


def test_a_rejected_message_is_refused_for_good(transport: SesV1Transport, server: Server) -> None:
    """This very mail will never go."""
    server.reply = as_xml(400, error("MessageRejected", "Email contains a virus"))
    with pytest.raises(SendImpossible, match="virus"):
        transport.send(MAIL)
    assert server.requests == 1


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_error_leaves_the_outcome_open(
    transport: SesV1Transport, server: Server, status: int
) -> None:
    """SES may have queued the mail: a repeat could be the second one."""
    server.reply = as_xml(status, error("Throttling", RATE))
    with pytest.raises(OutcomeUnknown, match=str(status)):
        transport.send(MAIL)
    assert server.requests == 1


def test_a_connection_lost_after_the_request_leaves_the_outcome_open(
    transport: SesV1Transport, server: Server
) -> None:
    """The server took the request and hung up."""
    server.reply = lambda handler: handler.connection.close()
    with pytest.raises(OutcomeUnknown):
        transport.send(MAIL)
    assert server.requests == 1


def test_an_answer_that_comes_too_late_leaves_the_outcome_open(
    server: Server, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The read timed out; one call was made."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SES", f"http://{HOST}:{server.server_port}")
    impatient = Clients(clients.region, send_timeout_s=0.1)
    # The client has gone when this reads on: end of file.
    server.reply = lambda handler: handler.rfile.read(1) and None
    with pytest.raises(OutcomeUnknown):
        SesV1Transport(impatient.ses_v1).send(MAIL)
    impatient.close()
    assert server.requests == 1


@pytest.mark.parametrize("body", [SENT.replace("MessageId", "Id"), "<html>"])
def test_an_answer_that_cannot_be_read_leaves_the_outcome_open(
    transport: SesV1Transport, server: Server, body: str
) -> None:
    """It says yes without a message id, or in another language."""
    server.reply = as_xml(200, body)
    with pytest.raises(OutcomeUnknown):
        transport.send(MAIL)


def test_a_refused_connection_sent_nothing(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens: it may be tried again at once, no mail can be doubled."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SES", f"http://{HOST}:{free_port()}")
    with pytest.raises(SendRefused) as caught:
        SesV1Transport(clients.ses_v1).send(MAIL)
    assert caught.value.reason is DeferReason.TRANSIENT


def test_the_quota_is_read(transport: SesV1Transport, server: Server) -> None:
    """SES's decimal numbers, whole where they count mails."""
    server.reply = as_xml(200, QUOTA)
    quota = transport.quota()
    assert (quota.max_send_rate, quota.max_24h, quota.sent_24h) == (1.5, 200, 127)


def test_a_quota_that_cannot_be_asked_is_retryable(
    transport: SesV1Transport, server: Server
) -> None:
    """The account's poller asks again."""
    server.reply = as_xml(400, error("Throttling", "Rate exceeded"))
    with pytest.raises(RetryableError, match="SES account"):
        transport.quota()
