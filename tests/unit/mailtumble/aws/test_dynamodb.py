"""The item store where DynamoDB throttles, conflicts, or leaves an answer open."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from mailtumble.aws.clients import Clients
from mailtumble.aws.dynamodb import DynamoItems
from mailtumble.aws.patience import Patience
from mailtumble.ports.store import Condition, ConditionFailed, Put, Update
from schemas.errors import PermanentError, RetryableError
from tests.fakes.answers import error_answer

TIMEOUT = ReadTimeoutError(endpoint_url="https://example.invalid")
THROTTLE = error_answer("ProvisionedThroughputExceededException")
ABSENT = (Condition(exists=False),)
ITEM = {"subject_key": {"S": "a"}, "n": {"N": "1"}}


class ScriptedDynamo:
    """Answers each call with the next of its answers; the last one for ever."""

    def __init__(self, clients: Clients, *answers: dict[str, Any] | Exception) -> None:
        """Errors are raised."""
        self.exceptions = clients.dynamodb.exceptions
        self._answers = list(answers)
        self.calls: list[dict[str, Any]] = []

    def __getattr__(self, operation: str) -> Any:  # noqa: ANN401 - any operation of the client
        """Whatever is called is written down."""

        def call(**arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - its arguments
            self.calls.append({"operation": operation, **arguments})
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def _items(client: Any, pauses: list[float]) -> DynamoItems:  # noqa: ANN401 - scripted
    patience = Patience(tries=3, first_s=1, longest_s=9)
    return DynamoItems(client, "test", patience=patience, sleep=pauses.append)


def _cancelled(*reasons: dict[str, Any]) -> Exception:
    return error_answer("TransactionCanceledException", CancellationReasons=list(reasons))


CONFLICT = {"Code": "TransactionConflict", "Message": "ongoing"}
FAILED = {"Code": "ConditionalCheckFailed", "Item": ITEM}
NONE = {"Code": "None"}
TWO = [Put("subjects", {"subject_key": "a"}, ABSENT), Put("cursors", {"cursor": "c"}, ABSENT)]


@pytest.mark.parametrize(
    "failure",
    [
        _cancelled(CONFLICT, NONE),
        _cancelled(NONE, {"Code": "ThrottlingError"}),
        _cancelled({"Code": "ProvisionedThroughputExceeded"}, CONFLICT),
        error_answer("TransactionInProgressException"),
        error_answer("InternalServerError", 500),
        THROTTLE,
        TIMEOUT,
    ],
    ids=[
        "conflict",
        "throttle inside",
        "throttle and conflict",
        "in progress",
        "server error",
        "throttle",
        "time-out",
    ],
)
def test_a_transaction_is_tried_again_under_one_token(
    clients: Clients, pauses: list[float], failure: Exception
) -> None:
    """If an earlier try went through unseen, a later one with its token does nothing."""
    client = ScriptedDynamo(clients, failure, failure, {})
    _items(client, pauses).transact(TWO)
    assert len({call["ClientRequestToken"] for call in client.calls}) == 1
    assert (len(client.calls), pauses) == (3, [1, 2])


def test_each_transaction_has_a_token_of_its_own(clients: Clients, pauses: list[float]) -> None:
    """The same actions again are another transaction."""
    client = ScriptedDynamo(clients, {})
    _items(client, pauses).transact(TWO)
    _items(client, pauses).transact(TWO)
    assert len({call["ClientRequestToken"] for call in client.calls}) == 2


def test_a_conflict_that_lasts_is_retryable(clients: Clients, pauses: list[float]) -> None:
    """The caller's patience may be longer."""
    client = ScriptedDynamo(clients, _cancelled(CONFLICT, NONE))
    with pytest.raises(RetryableError, match="TransactionConflict: ongoing"):
        _items(client, pauses).transact(TWO)
    assert len(client.calls) == 3


def test_a_condition_beside_a_conflict_is_a_failed_condition(
    clients: Clients, pauses: list[float]
) -> None:
    """Only the actions whose condition failed are named, and nothing is tried again."""
    client = ScriptedDynamo(clients, _cancelled(CONFLICT, FAILED))
    with pytest.raises(ConditionFailed) as caught:
        _items(client, pauses).transact(TWO)
    assert (caught.value.failed, caught.value.items) == ((1,), ({"subject_key": "a", "n": 1},))
    assert pauses == []


def test_a_transaction_dynamodb_finds_invalid_is_permanent(
    clients: Clients, pauses: list[float]
) -> None:
    """An item that grew too big, say: also beside a conflict."""
    reason = {"Code": "ValidationError", "Message": "Item size has exceeded"}
    client = ScriptedDynamo(clients, _cancelled(CONFLICT, reason))
    with pytest.raises(PermanentError, match="Item size has exceeded"):
        _items(client, pauses).transact(TWO)
    assert pauses == []


def test_a_throttled_write_is_made_again(clients: Clients, pauses: list[float]) -> None:
    """It surely did nothing."""
    client = ScriptedDynamo(clients, THROTTLE, {"Attributes": ITEM})
    update = Update("subjects", {"subject_key": "a"}, add={"n": 1})
    assert _items(client, pauses).write(update) == {"subject_key": "a", "n": 1}
    assert pauses == [1]


@pytest.mark.parametrize(
    "failure", [TIMEOUT, error_answer("InternalServerError", 500)], ids=["time-out", "500"]
)
def test_a_write_of_unknown_outcome_is_not_made_again(
    clients: Clients, pauses: list[float], failure: Exception
) -> None:
    """A number must not be added twice unseen."""
    client = ScriptedDynamo(clients, failure)
    with pytest.raises(RetryableError):
        _items(client, pauses).write(Update("subjects", {"subject_key": "a"}, add={"n": 1}))
    assert (len(client.calls), pauses) == (1, [])


@pytest.mark.parametrize("failure", [TIMEOUT, THROTTLE], ids=["time-out", "throttle"])
def test_a_read_is_made_again_whatever_went_wrong(
    clients: Clients, pauses: list[float], failure: Exception
) -> None:
    """Reading twice harms nobody."""
    client = ScriptedDynamo(clients, failure, failure, {"Item": ITEM})
    read = _items(client, pauses).get("subjects", {"subject_key": "a"})
    assert read == {"subject_key": "a", "n": 1}
    assert pauses == [1, 2]


def test_a_denied_read_is_not(clients: Clients, pauses: list[float]) -> None:
    """It will be denied again; the text names the physical table."""
    client = ScriptedDynamo(clients, error_answer("AccessDeniedException"))
    with pytest.raises(PermanentError, match=r"table test-subjects: .* allow it to the role"):
        _items(client, pauses).get("subjects", {"subject_key": "a"})
    assert pauses == []


def test_unprocessed_writes_are_sent_again_alone(clients: Clients, pauses: list[float]) -> None:
    """A batch call may do a part."""
    left = {"test-subjects": [{"PutRequest": {"Item": {"subject_key": {"S": "b"}}}}]}
    client = ScriptedDynamo(clients, {"UnprocessedItems": left}, {"UnprocessedItems": {}})
    _items(client, pauses).write_all([Put("subjects", {"subject_key": key}) for key in "ab"])
    assert [len(call["RequestItems"]["test-subjects"]) for call in client.calls] == [2, 1]
    assert client.calls[1]["RequestItems"] == left
    assert pauses == [1]


def test_writes_that_stay_unprocessed_are_retryable(clients: Clients, pauses: list[float]) -> None:
    """Patience ends there too."""
    left = {"test-subjects": [{"PutRequest": {"Item": {"subject_key": {"S": "b"}}}}]}
    client = ScriptedDynamo(clients, {"UnprocessedItems": left})
    with pytest.raises(RetryableError, match="unprocessed"):
        _items(client, pauses).write_all([Put("subjects", {"subject_key": "b"})])
    assert pauses == [1, 2]


def test_unprocessed_keys_are_asked_again(clients: Clients, pauses: list[float]) -> None:
    """Answers of all calls are put together in the order of the keys."""
    left = {"test-subjects": {"Keys": [{"subject_key": {"S": "b"}}]}}
    found = {key: {"test-subjects": [{"subject_key": {"S": key}}]} for key in "ab"}
    client = ScriptedDynamo(
        clients,
        {"Responses": found["a"], "UnprocessedKeys": left},
        TIMEOUT,
        {"Responses": found["b"], "UnprocessedKeys": {}},
    )
    read = _items(client, pauses).get_all("subjects", [{"subject_key": key} for key in "ba"])
    assert read == [{"subject_key": "b"}, {"subject_key": "a"}]
    assert pauses == [1, 2]


def test_reads_are_strongly_consistent_but_the_indexs(
    clients: Clients, pauses: list[float]
) -> None:
    """DynamoDB refuses a consistent read of a global index."""
    client = ScriptedDynamo(clients, {"Items": [], "Responses": {}, "UnprocessedKeys": {}})
    items = _items(client, pauses)
    items.get("subjects", {"subject_key": "a"})
    items.query("timers", "000")
    items.scan("fleet")
    items.query("mails", "2025-01-01", index="by_received")
    assert [call["ConsistentRead"] for call in client.calls] == [True, True, True, False]
