"""What botocore raises, as errors that say what can be done: the one place that decides it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    MetadataRetrievalError,
)
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.parsers import ResponseParserError

from schemas.errors import MailtumbleError, PermanentError, RetryableError

if TYPE_CHECKING:
    from types import TracebackType

THROTTLES: Final = frozenset(
    {
        "LimitExceededException",  # Kinesis's word for too many ListShards calls
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingError",
        "ThrottlingException",
        "TooManyRequestsException",
        "KMSThrottlingException",
    }
)
CONFLICTS: Final = frozenset(
    {
        "ReplicatedWriteConflictException",
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
_OTHER_RETRYABLE: Final = frozenset(
    {
        "ExpiredToken",  # credentials that rotate: botocore fetches the next ones
        "ExpiredTokenException",
        "InternalFailure",
        "InternalServerError",
        "OperationAborted",
        "RequestTimeout",
        "RequestTimeoutException",
        "ResourceInUseException",  # being created or changed
        "ServiceUnavailable",
        "ServiceUnavailableException",
    }
)
_RETRYABLE: Final = THROTTLES | CONFLICTS | _OTHER_RETRYABLE

_MISSING: Final = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "NoSuchBucket",
        "NotFound",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
    }
)
_DENIED: Final = frozenset(
    {"AccessDenied", "AccessDeniedException", "AllAccessDisabled", "AuthorizationError", "403"}
)
_CREDENTIALS: Final = frozenset(
    {
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "NotAuthorized",
        "OptInRequired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)

_TOO_MANY_REQUESTS: Final = 429
_SERVER_ERRORS_FROM: Final = 500

_NO_ANSWER: Final = (
    CredentialRetrievalError,  # the service that hands out the role's credentials
    HTTPClientError,
    IncompleteReadError,
    MetadataRetrievalError,
    NoConnectionError,
    ResponseParserError,
)

BOTO_ERRORS: Final = (ClientError, BotoCoreError, ResponseParserError)


def code_of(error: BaseException) -> str:
    """AWS's error code, or an empty string where the error is not an answer of AWS."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return ""


def message_of(error: BaseException) -> str:
    """What AWS said, or what botocore says."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Message", ""))
    return str(error)


def status_of(error: BaseException) -> int:
    """The HTTP status of AWS's answer, 0 where there was none."""
    if isinstance(error, ClientError):
        return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return 0


def is_throttle_or_conflict(error: BaseException) -> bool:
    """Whether AWS surely did nothing, and may do it a moment later."""
    return code_of(error) in THROTTLES | CONFLICTS


def is_retryable(error: BaseException) -> bool:
    """Whether the same call may go through later, whatever became of this one."""
    return isinstance(translated(error, ""), RetryableError)


def translated(error: BaseException, resource: str) -> MailtumbleError:
    """The error to raise instead of botocore's, with the resource and what to do about it."""
    if isinstance(error, _NO_ANSWER):
        return RetryableError(f"{resource}: no usable answer from AWS: {error}")
    if not isinstance(error, ClientError):
        return PermanentError(f"{resource}: {error}; check region and credentials")
    code, status = code_of(error), status_of(error)
    said = f"{resource}: {code or status}: {message_of(error)}"
    if code in _RETRYABLE or status == _TOO_MANY_REQUESTS or status >= _SERVER_ERRORS_FROM:
        return RetryableError(said)
    return PermanentError(f"{said}{_advice(code)}")


def _advice(code: str) -> str:
    if code in _MISSING:
        return "; create it (terraform apply, or mailtumble local) or correct the prefix"
    if code in _DENIED:
        return "; allow it to the role (S3 says this also of missing objects without ListBucket)"
    if code in _CREDENTIALS:
        return "; check the credentials and this machine's clock"
    return ""


class Calling:
    """``with Calling("table mails"):`` turns what botocore raises inside into our errors."""

    __slots__ = ("_resource",)

    def __init__(self, resource: str) -> None:
        """Name what is called, for the error's text."""
        self._resource = resource

    def __enter__(self) -> Self:
        """Nothing to prepare."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Raise the translation of a botocore error; let everything else pass."""
        if isinstance(error, BOTO_ERRORS):
            raise translated(error, self._resource) from error
