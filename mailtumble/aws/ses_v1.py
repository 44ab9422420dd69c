"""The way out through SES's first API, for a LocalStack, which has no other.

What its answers mean is told in :mod:`mailtumble.aws.ses`: code and message of both APIs stand
in one table there. On AWS take v2: this API takes mails up to 10 MB by default, v2 up to 40 MB
(SES developer guide, "Service quotas in Amazon SES").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mailtumble.aws.errors import Calling
from mailtumble.aws.ses import answers_of_ses
from mailtumble.ports.world import OutgoingMail, Quota

if TYPE_CHECKING:
    from mypy_boto3_ses import SESClient


class SesV1Transport:
    """A :class:`mailtumble.ports.world.Transport` and ``Account`` on SES v1."""

    def __init__(self, client: SESClient, configuration_set: str | None = None) -> None:
        """Send with a configuration set, without which SES publishes no events of a mail.

        The ``client`` must not retry (:attr:`mailtumble.aws.clients.Clients.ses_v1`).
        """
        self._client = client
        self._configuration_set = configuration_set

    def send(self, mail: OutgoingMail) -> str:
        """One SendRawEmail call to one recipient; SES's message id."""
        arguments: dict[str, Any] = {
            "Source": mail.sender,
            # Given, it alone says who gets the mail: To, Cc and Bcc are not looked at.
            "Destinations": [mail.recipient],
            "RawMessage": {"Data": mail.raw},
            "Tags": [{"Name": name, "Value": value} for name, value in mail.tags.items()],
        }
        if self._configuration_set:
            arguments["ConfigurationSetName"] = self._configuration_set
        with answers_of_ses(mail.recipient):
            return self._client.send_raw_email(**arguments)["MessageId"]

    def quota(self) -> Quota:
        """GetSendQuota: once a second at most, for all of the account's users together.

        It says nothing of a paused account. That shows in the answers to sends, as a refusal
        that stops the fleet.
        """
        with Calling("SES account"):
            answer = self._client.get_send_quota()
        return Quota(
            max_send_rate=float(answer["MaxSendRate"]),
            max_24h=int(answer["Max24HourSend"]),
            sent_24h=int(answer["SentLast24Hours"]),
            sending_enabled=True,
        )
