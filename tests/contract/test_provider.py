"""The contract of Transport and Account; SES's refusals stand in tests/unit/mailtumble/aws."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtumble.ports.world import OutgoingMail

if TYPE_CHECKING:
    from mailtumble.aws.ses import SesTransport
    from mailtumble.aws.ses_v1 import SesV1Transport
    from tests.fakes import InMemoryProvider

    Provider = InMemoryProvider | SesTransport | SesV1Transport

RAW = b"From: a@example.org\r\nTo: b@example.net\r\nSubject: hello\r\n\r\nhello\r\n"


def test_each_send_has_a_message_id_of_its_own(provider: Provider) -> None:
    """The same mail sent twice is two messages to the provider."""
    mail = OutgoingMail(RAW, "a@example.org", "b@example.net", {"attempt": "4711"})
    first, second = provider.send(mail), provider.send(mail)
    assert first
    assert first != second


def test_the_quota_is_told(provider: Provider) -> None:
    """A rate above nothing, a daily limit or -1, and what was used of it."""
    quota = provider.quota()
    assert quota.max_send_rate > 0
    assert quota.max_24h == -1 or quota.max_24h > 0
    assert quota.sent_24h >= 0
    assert quota.sending_enabled is True
