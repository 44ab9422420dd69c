"""A queue on SQS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from mailtumble.aws import patience as waiting
from mailtumble.aws.errors import Calling
from mailtumble.aws.patience import Patience, Sleep
from mailtumble.ports.world import BATCH_MAX, QueueDepth, QueueMessage
from schemas.errors import PermanentError, RetryableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

BYTES_MAX: Final = 256 * 1024
"""Of all bodies of one call; SQS raised it to 1 MiB in 2025, emulators did not."""
WAIT_MAX_S: Final = 20

_VISIBLE: Final[Sequence[QueueAttributeNameType]] = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
)
_IN_FLIGHT: Final = "ApproximateNumberOfMessagesNotVisible"


class SqsQueue:
    """An :class:`mailtumble.ports.world.MessageQueue`."""

    def __init__(
        self,
        client: SQSClient,
        url: str,
        *,
        patience: Patience | None = None,
        sleep: Sleep = waiting.sleep,
    ) -> None:
        """Use the queue at ``url``."""
        self._client = client
        self._url = url
        self._patience = patience or Patience(tries=5)
        self._sleep = sleep

    def arn(self) -> str:
        """The queue's ARN."""
        with Calling(f"queue {self._url}"):
            answer = self._client.get_queue_attributes(
                QueueUrl=self._url, AttributeNames=["QueueArn"]
            )
        return answer["Attributes"]["QueueArn"]

    def receive(self, wait_s: int) -> Sequence[QueueMessage]:
        """Up to 10 messages, by long polling."""
        with Calling(f"queue {self._url}"):
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=BATCH_MAX,
                WaitTimeSeconds=min(wait_s, WAIT_MAX_S),
                AttributeNames=["ApproximateReceiveCount"],
            )
        return [_message(each) for each in answer.get("Messages", ())]

    def delete(self, messages: Sequence[QueueMessage]) -> None:
        """Remove messages; one whose receipt is void is left: it comes again, and is known by id.

        Raises:
            RetryableError: SQS kept refusing some; they come again.
        """
        for start in range(0, len(messages), BATCH_MAX):
            entries = [
                {"Id": str(place), "ReceiptHandle": message.receipt}
                for place, message in enumerate(messages[start : start + BATCH_MAX])
            ]
            self._until_done(entries, self._client.delete_message_batch)

    def send(self, bodies: Sequence[str]) -> None:
        """Add messages.

        Raises:
            PermanentError: SQS can't take one of them; others may have been added.
        """
        for chunk in _chunks(bodies):
            entries = [{"Id": str(place), "MessageBody": body} for place, body in enumerate(chunk)]
            faults = self._until_done(entries, self._client.send_message_batch)
            if faults:
                raise PermanentError(f"queue {self._url} can't take a message: {faults[0]}")

    def depth(self) -> QueueDepth:
        """Return about how many messages there are, by one call."""
        with Calling(f"queue {self._url}"):
            answer = self._client.get_queue_attributes(
                QueueUrl=self._url, AttributeNames=[*_VISIBLE, _IN_FLIGHT]
            )
        counts = answer.get("Attributes", {})
        return QueueDepth(
            visible=sum(int(counts.get(name, 0)) for name in _VISIBLE),
            in_flight=int(counts.get(_IN_FLIGHT, 0)),
        )

    def _until_done(self, entries: list[dict[str, str]], call: Callable[..., Any]) -> list[str]:
        """Repeat what failed by SQS's fault; the codes of what failed by ours."""
        faults: list[str] = []
        pauses = self._patience.pauses()
        while True:
            with Calling(f"queue {self._url}"):
                answer = call(QueueUrl=self._url, Entries=entries)
            failed: Mapping[str, Any] = {each["Id"]: each for each in answer.get("Failed", ())}
            faults += [each["Code"] for each in failed.values() if each["SenderFault"]]
            entries = [each for each in entries if _may_pass(failed.get(each["Id"]))]
            if not entries:
                return faults
            pause = next(pauses, None)
            if pause is None:
                code = failed[entries[0]["Id"]]["Code"]
                raise RetryableError(f"queue {self._url}: {len(entries)} messages refused: {code}")
            self._sleep(pause)


def _may_pass(failure: Mapping[str, Any] | None) -> bool:
    return failure is not None and not failure["SenderFault"]


def _chunks(bodies: Sequence[str]) -> Iterator[Sequence[str]]:
    start = size = 0
    for place, body in enumerate(bodies):
        weight = len(body.encode())
        if place > start and (place - start == BATCH_MAX or size + weight > BYTES_MAX):
            yield bodies[start:place]
            start, size = place, 0
        size += weight
    if start < len(bodies):
        yield bodies[start:]


def _message(answer: Any) -> QueueMessage:  # noqa: ANN401 - botocore's dict
    return QueueMessage(
        id=answer["MessageId"],
        body=answer["Body"],
        receipt=answer["ReceiptHandle"],
        receive_count=int(answer.get("Attributes", {}).get("ApproximateReceiveCount", 1)),
    )
