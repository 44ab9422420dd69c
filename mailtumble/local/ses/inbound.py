"""The way in of SES alone, beside an AWS that keeps receipt rules but receives no mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from mailtumble.aws.errors import Calling
from mailtumble.local.ses.receive import Receiver
from mailtumble.local.ses.rules import ReceiptRule, rules_of
from mailtumble.local.ses.smtp import LOOPBACK, SmtpServer
from schemas.errors import MailtumbleError

if TYPE_CHECKING:
    from types import TracebackType

    from mailtumble.aws.clients import Clients

STOP_S: Final = 5.0
"""What receipts under way may take at the end."""


def active_rules(clients: Clients) -> tuple[ReceiptRule, ...]:
    """The rules of the active rule set, of the SES that the clients call.

    Raises:
        MailtumbleError: no rule set is active, no rule stores and announces mail, or AWS refuses.
    """
    with Calling("SES's active receipt rule set"):
        answer = clients.ses_v1.describe_active_receipt_rule_set()
    if not answer.get("Metadata", {}).get("Name"):
        raise MailtumbleError("SES has no active receipt rule set: apply Terraform first")
    rules = rules_of(answer)
    if not rules:
        raise MailtumbleError(
            f"no rule of SES's active rule set {answer['Metadata']['Name']} stores mail in S3 and "
            "tells a topic: apply Terraform, or activate its rule set"
        )
    return rules


class InboundSes:
    """``with InboundSes(...) as inbound:`` listens for mail by SMTP, and stops at the end.

    ``port`` is where it listens; ``rules`` are those it found at its start.
    """

    def __init__(self, clients: Clients, *, host: str = LOOPBACK, port: int = 2525) -> None:
        """Ask for the rules. Raises MailtumbleError; see :func:`active_rules`."""
        self.rules = active_rules(clients)
        self._smtp = SmtpServer(Receiver(clients.s3, clients.sns, self.rules), port, host)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._smtp.port

    def __enter__(self) -> Self:
        """Listen. Raises OSError."""
        self._smtp.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        self._smtp.stop(STOP_S)
