"""The way out through SES v2, and what the answers of both its APIs mean for the mail.

One call per mail and recipient, never repeated here: SendEmail has no idempotency token, so
every repeat has to stand on the log. What an answer means is told by code *and* message
(SES developer guide, "Managing your sending limits" and "Errors returned from SES"):
one code is used for the rate and for the daily quota, and by different endpoints.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    MetadataRetrievalError,
    ProxyConnectionError,
)
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.parsers import ResponseParserError

from mailtumble.aws.errors import Calling, code_of, message_of, status_of
from mailtumble.ports.world import (
    OutcomeUnknown,
    OutgoingMail,
    Quota,
    SendImpossible,
    SendRefused,
)
from schemas.errors import MailtumbleError
from schemas.values import DeferReason

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client

_SERVER_ERRORS_FROM: Final = 500
_NEVER_REACHED: Final = (EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError)
"""No connection (refused, unknown host, no answer to the handshake): no byte of the mail left."""


@dataclass(frozen=True, slots=True)
class Rule:
    """An answer of SES and what it means; None stands for "never" (SendImpossible).

    It matches by one of the ``codes`` (none: any) whose message contains ``words``.
    """

    codes: frozenset[str]
    words: str
    meaning: DeferReason | None


def _rule(meaning: DeferReason | None, *codes: str, words: str = "") -> Rule:
    return Rule(frozenset(codes), words, meaning)


RULES: Final = (
    # The message decides first: its words are the same in v1, v2 and SMTP.
    _rule(DeferReason.DAILY_QUOTA, words="daily message quota exceeded"),
    _rule(DeferReason.THROTTLED, words="maximum sending rate exceeded"),
    _rule(DeferReason.STOPPED, "MessageRejected", words="sending suspended"),
    _rule(DeferReason.STOPPED, "MessageRejected", words="sending paused"),
    _rule(
        DeferReason.THROTTLED,
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
    ),
    # IAM's permission to send is one identity's, too: that of one domain may be missing.
    _rule(
        DeferReason.UNVERIFIED,
        "AccessDenied",
        "AccessDeniedException",
        "MailFromDomainNotVerified",
        "MailFromDomainNotVerifiedException",
    ),
    # The account or its set-up: no fault of the mail, every other one would fare the same.
    _rule(
        DeferReason.STOPPED,
        "SendingPausedException",
        "AccountSendingPausedException",
        "ConfigurationSetSendingPausedException",
        "AccountSuspendedException",
        "LimitExceededException",
        "NotFoundException",
        "ConfigurationSetDoesNotExist",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "OptInRequired",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    ),
    # The mail itself: malformed, a virus, too large.
    _rule(
        None,
        "MessageRejected",
        "BadRequestException",
        "InvalidParameterValue",
        "ValidationException",
        "RequestEntityTooLarge",
        "413",
    ),
)
UNVERIFIED: Final = "email address is not verified"
"""MessageRejected: "... The following identities failed the check in region ...: <identities>"."""


class SesTransport:
    """A :class:`mailtumble.ports.world.Transport` and ``Account`` on SES v2."""

    def __init__(self, client: SESV2Client, configuration_set: str | None = None) -> None:
        """Send with a configuration set, without which SES publishes no events of a mail.

        The ``client`` must not retry (:attr:`mailtumble.aws.clients.Clients.ses`).
        """
        self._client = client
        self._configuration_set = configuration_set

    def send(self, mail: OutgoingMail) -> str:
        """One SendEmail call with the raw mail; SES's message id."""
        arguments: dict[str, Any] = {
            "FromEmailAddress": mail.sender,
            "Destination": {"ToAddresses": [mail.recipient]},
            "Content": {"Raw": {"Data": mail.raw}},
            "EmailTags": [{"Name": name, "Value": value} for name, value in mail.tags.items()],
        }
        if self._configuration_set:
            arguments["ConfigurationSetName"] = self._configuration_set
        with answers_of_ses(mail.recipient):
            return self._client.send_email(**arguments)["MessageId"]

    def quota(self) -> Quota:
        """GetAccount: once a second at most, for all of the account's users together."""
        with Calling("SES account"):
            answer = self._client.get_account()
        quota = answer["SendQuota"]
        return Quota(
            max_send_rate=float(quota["MaxSendRate"]),
            max_24h=int(quota["Max24HourSend"]),
            sent_24h=int(quota["SentLast24Hours"]),
            sending_enabled=answer["SendingEnabled"],
        )


@contextmanager
def answers_of_ses(recipient: str) -> Iterator[None]:
    """Around a call that sends: what went wrong, by what it means for the mail.

    Raises:
        SendRefused: nothing was sent; the reason says what to do next.
        SendImpossible: nothing was sent, and never will be.
        OutcomeUnknown: no answer came, or none that tells.
    """
    try:
        yield
    except ClientError as error:
        said = code_of(error), message_of(error), status_of(error)
        raise meaning(*said, recipient=recipient) from error
    except (BotoCoreError, ResponseParserError) as error:
        raise meaning_without_answer(error) from error
    except KeyError as error:
        raise OutcomeUnknown("SES answered without a message id") from error


def meaning(code: str, message: str, status: int, *, recipient: str) -> MailtumbleError:
    """What an answer of SES means, as the error to raise.

    An answer no rule knows is refused for now: tried again until the mail expires, rather than
    given up for a code that a newer SES invented.
    """
    if status >= _SERVER_ERRORS_FROM:
        # SES failed somewhere on the way, perhaps after the mail was queued.
        return OutcomeUnknown(f"HTTP {status}: {code}: {message}")
    words = message.lower()
    if code == "MessageRejected" and UNVERIFIED in words:
        # In the sandbox recipients are checked too; else it is our own identity.
        if recipient.lower() in words.partition(UNVERIFIED)[2]:
            return SendImpossible(code, message)
        return SendRefused(DeferReason.UNVERIFIED, f"{code}: {message}")
    for rule in RULES:
        if (not rule.codes or code in rule.codes) and rule.words in words:
            if rule.meaning is None:
                return SendImpossible(code, message)
            return SendRefused(rule.meaning, f"{code}: {message}")
    return SendRefused(DeferReason.TRANSIENT, f"{code or status}: {message}")


def meaning_without_answer(error: Exception) -> MailtumbleError:
    """What it means that no answer came, or none that could be read."""
    if isinstance(error, _NEVER_REACHED):
        return SendRefused(DeferReason.TRANSIENT, f"no connection to SES: {error}")
    if isinstance(error, (HTTPClientError, NoConnectionError, ResponseParserError)):
        return OutcomeUnknown(f"the request may have arrived, its answer didn't: {error}")
    if isinstance(error, (CredentialRetrievalError, MetadataRetrievalError)):
        return SendRefused(DeferReason.TRANSIENT, f"no credentials now: {error}")
    # Credentials, region, endpoint: botocore gave up before it sent anything.
    return SendRefused(DeferReason.STOPPED, str(error))
