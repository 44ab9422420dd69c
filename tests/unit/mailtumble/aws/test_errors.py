"""What botocore raises becomes an error that says what can be done."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from mailtumble.aws.errors import Calling, code_of, is_throttle_or_conflict, translated
from schemas.errors import MailtumbleError, PermanentError, RetryableError
from tests.fakes.answers import error_answer as answer

URL = "https://example.invalid"


@pytest.mark.parametrize(
    "error",
    [
        answer("ProvisionedThroughputExceededException"),
        answer("ThrottlingException"),
        answer("LimitExceededException"),
        answer("TransactionConflictException"),
        answer("ResourceInUseException"),
        answer("UnheardAndTooMany", 429),
        answer("Unheard", 500),
        answer("503", 503),
        ReadTimeoutError(endpoint_url=URL),
        ConnectTimeoutError(endpoint_url=URL),
        EndpointConnectionError(endpoint_url=URL),
        ConnectionClosedError(endpoint_url=URL),
        ResponseParserError("no JSON"),
    ],
    ids=str,
)
def test_what_may_pass_later_is_retryable(error: Exception) -> None:
    """Outages, throttles, conflicts, server errors, answers that can't be read."""
    assert type(translated(error, "table mails")) is RetryableError


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (answer("AccessDeniedException"), "allow it to the role"),
        (answer("ResourceNotFoundException"), "create it"),
        (answer("NoSuchBucket", 404), "create it"),
        (answer("AWS.SimpleQueueService.NonExistentQueue"), "create it"),
        (answer("UnrecognizedClientException"), "check the credentials"),
        (answer("ValidationException"), "ValidationException: said"),
        (NoCredentialsError(), "check region and credentials"),
    ],
    ids=str,
)
def test_what_will_not_pass_names_the_resource_and_a_remedy(error: Exception, advice: str) -> None:
    """One line that somebody can act on."""
    made = translated(error, "table mails")
    assert type(made) is PermanentError
    assert str(made).startswith("table mails: ")
    assert advice in str(made)


def test_calling_translates_botocores_errors_and_keeps_the_cause() -> None:
    """The trace still shows what AWS said."""
    cause = answer("ThrottlingException")
    with pytest.raises(RetryableError, match="queue intake: ThrottlingException") as caught:  # noqa: SIM117
        with Calling("queue intake"):
            raise cause
    assert caught.value.__cause__ is cause


def test_calling_lets_other_errors_pass() -> None:
    """Bugs and our own errors stay what they are."""
    for error in (ValueError("a bug"), MailtumbleError("ours")):
        with pytest.raises(type(error)), Calling("queue intake"):
            raise error


def test_only_what_surely_did_nothing_is_a_throttle_or_conflict() -> None:
    """A server error or a lost reply may have done it."""
    assert is_throttle_or_conflict(answer("ThrottlingException"))
    assert is_throttle_or_conflict(answer("TransactionConflictException"))
    assert not is_throttle_or_conflict(answer("InternalServerError", 500))
    assert not is_throttle_or_conflict(ReadTimeoutError(endpoint_url=URL))


def test_an_error_without_an_answer_has_no_code() -> None:
    """Then there is nothing to compare with."""
    assert code_of(ReadTimeoutError(endpoint_url=URL)) == ""
