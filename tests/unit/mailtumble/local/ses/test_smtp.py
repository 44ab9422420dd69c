"""The SMTP listener, spoken to by smtplib and by hand."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from mailtumble.local.ses.smtp import MAIL_BYTES_MAX, SmtpServer


class RecordingReceiver:
    """Remembers what it was given; the first ``failures`` mails can't be stored.

    Mail for anybody at ``refused.example`` is not its own.
    """

    def __init__(self) -> None:
        """Begin with nothing received."""
        self.received: list[tuple[bytes, str, tuple[str, ...]]] = []
        self.failures = 0

    def accepts(self, address: str) -> bool:
        """Everybody is known, save at one domain."""
        return not address.endswith("@refused.example")

    def receive(self, raw: bytes, envelope_sender: str, recipients: Sequence[str]) -> str:
        """Receive, or fail."""
        if self.failures:
            self.failures -= 1
            message = "S3 is away"
            raise ConnectionError(message)
        self.received.append((raw, envelope_sender, tuple(recipients)))
        return f"id{len(self.received)}"


@pytest.fixture
def receiver() -> RecordingReceiver:
    """A receiver that takes everything."""
    return RecordingReceiver()


@pytest.fixture
def server(receiver: RecordingReceiver) -> Iterator[SmtpServer]:
    """A listener on a free port."""
    server = SmtpServer(receiver, 0)
    server.start()
    yield server
    server.stop(1.0)


@pytest.fixture
def client(server: SmtpServer) -> Iterator[smtplib.SMTP]:
    """A connection to it."""
    with smtplib.SMTP("127.0.0.1", server.port, timeout=20) as client:
        yield client


def _data(client: smtplib.SMTP, raw: bytes) -> tuple[int, bytes]:
    """Send a mail whose line ends are CRLF already, without smtplib's changes to it."""
    client.ehlo_or_helo_if_needed()
    client.mail("s@x.example")
    client.rcpt("r@y.example")
    client.docmd("DATA")
    client.send(raw.replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n")
    return client.getreply()


def test_smtp_envelope_and_id_go_both_ways(
    client: smtplib.SMTP, receiver: RecordingReceiver, server: SmtpServer
) -> None:
    """The receiver gets sender and recipients of any domain; the reply tells the message id."""
    client.ehlo_or_helo_if_needed()
    client.mail("<>")
    assert [client.rcpt(f"{name}@any.where.example")[0] for name in "ab"] == [250, 250]
    assert client.data(b"Subject: x\r\n\r\nbody\r\n") == (250, b"OK id1")
    expected = (b"Subject: x\r\n\r\nbody\r\n", "<>", ("a@any.where.example", "b@any.where.example"))
    assert receiver.received == [expected]
    assert server.received == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"Subject: dots\r\n\r\n.\r\n..\r\n.leading\r\n",
        b"Subject: bare\r\n\r\nline feed\nand carriage return\rhere\r\n",
        b"S\xfcbject: 8 bit \0\xff\r\n\r\n\0\r\n",
        b"Subject: long\r\n\r\n" + b"x" * 300_000 + b"\r\n" + b"y" * 5000 + b"\r\n",
        b"no header\r\n",
    ],
)
def test_mail_arrives_byte_for_byte(
    client: smtplib.SMTP, receiver: RecordingReceiver, raw: bytes
) -> None:
    """Dots, bare line ends, NULs, 8-bit bytes and lines of any length survive."""
    assert _data(client, raw.removesuffix(b"\r\n"))[0] == 250
    assert receiver.received[0][0] == raw


def test_every_real_mail_arrives_byte_for_byte(
    client: smtplib.SMTP, receiver: RecordingReceiver, real_mails: dict[str, bytes]
) -> None:
    """Each mail of the fixtures, sent as it is, is received as it is (and ends with CRLF)."""
    for raw in real_mails.values():
        assert _data(client, raw)[0] == 250
    assert [mail for mail, _, _ in receiver.received] == [
        raw + b"\r\n" for raw in real_mails.values()
    ]


def test_failed_receipt_is_answered_as_temporary(
    client: smtplib.SMTP, receiver: RecordingReceiver, server: SmtpServer
) -> None:
    """What can't be stored is 451, and the same mail is taken at the next try."""
    receiver.failures = 1
    with pytest.raises(smtplib.SMTPDataError) as refusal:
        client.sendmail("s@x.example", ["r@y.example"], b"Subject: x\r\n\r\n")
    assert refusal.value.smtp_code == 451
    client.sendmail("s@x.example", ["r@y.example"], b"Subject: x\r\n\r\n")
    assert server.received == 1


def test_a_recipient_without_a_rule_is_refused_for_good_and_the_others_get_the_mail(
    client: smtplib.SMTP, receiver: RecordingReceiver
) -> None:
    """550 for the one, as SES answers it; the mail is received for the other."""
    recipients = ["r@y.example", "nobody@refused.example"]
    refused = client.sendmail("s@x.example", recipients, b"Subject: x\r\n\r\n")
    assert {address: code for address, (code, _) in refused.items()} == {
        "nobody@refused.example": 550
    }
    assert [each for _, _, each in receiver.received] == [("r@y.example",)]


def test_a_hundred_recipients_are_taken_and_no_more(client: smtplib.SMTP) -> None:
    """The 101st recipient is refused for now (RFC 5321, section 4.5.3.1.10)."""
    client.ehlo_or_helo_if_needed()
    client.mail("s@x.example")
    codes = [client.rcpt(f"r{number}@y.example")[0] for number in range(101)]
    assert codes == [250] * 100 + [452]


def test_extensions_tell_size_and_8bitmime(client: smtplib.SMTP) -> None:
    """EHLO names SIZE with 40 MB and 8BITMIME, and no SMTPUTF8: SES has none."""
    client.ehlo()
    assert client.esmtp_features["size"] == str(40 * 1024 * 1024)
    assert client.has_extn("8bitmime")
    assert not client.has_extn("smtputf8")


def test_mail_above_40_mb_is_refused_for_good(
    client: smtplib.SMTP, receiver: RecordingReceiver
) -> None:
    """552 follows a size that is announced, and one that is found, in one line too."""
    client.ehlo()
    assert client.mail("s@x.example", [f"SIZE={MAIL_BYTES_MAX + 1}"])[0] == 552
    assert _data(client, b"x" * (MAIL_BYTES_MAX + 1))[0] == 552
    assert receiver.received == []


def test_mail_of_40_mb_is_taken(client: smtplib.SMTP, receiver: RecordingReceiver) -> None:
    """The largest mail arrives whole."""
    line = b"x" * 1022 + b"\r\n"
    raw = line * (MAIL_BYTES_MAX // len(line))
    assert _data(client, raw.removesuffix(b"\r\n"))[0] == 250
    assert len(receiver.received[0][0]) == MAIL_BYTES_MAX


def test_parallel_connections_lose_nothing(server: SmtpServer, receiver: RecordingReceiver) -> None:
    """Mails over several connections at once all arrive."""

    def send(connection: int) -> None:
        with smtplib.SMTP("127.0.0.1", server.port, timeout=20) as client:
            for number in range(25):
                body = f"Subject: {connection}-{number}\r\n\r\n".encode()
                client.sendmail("s@x.example", ["r@y.example"], body)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(send, range(4)))
    assert len({raw for raw, _, _ in receiver.received}) == 100


def test_stop_closes_idle_connections(receiver: RecordingReceiver) -> None:
    """A client that merely waits doesn't keep the server from ending."""
    server = SmtpServer(receiver, 0)
    server.start()
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        assert connection.recv(3) == b"220"
        server.stop(0.2)
        while connection.recv(100):
            pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=20)
