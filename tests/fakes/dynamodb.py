"""DynamoDB's TransactWriteItems over the tables in memory, for the product's own retries."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mailtumble.aws.attributes import to_attributes
from mailtumble.aws.dynamodb import DynamoItems
from mailtumble.ports.store import ConditionFailed
from tests.fakes.answers import error_answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailtumble.ports.store import Action
    from tests.fakes.clock import VirtualClock
    from tests.fakes.items import InMemoryItems

TOKEN_KEPT_US: Final = 600 * 1_000_000
"""DynamoDB API reference, TransactWriteItems: a token is valid for 10 minutes."""
TOKENS_KEPT: Final = 1_000


@dataclass(frozen=True, slots=True)
class _Done:
    actions: Sequence[Action]
    at: int


class InMemoryDynamo:
    """The one call of a boto3 client that :meth:`TransactingItems.transact` makes.

    Attributes:
        repeated: how many transactions were known by their token and did nothing.
    """

    def __init__(self, items: InMemoryItems, clock: VirtualClock) -> None:
        """Write to ``items``; tokens are forgotten by ``clock``."""
        self._items = items
        self._clock = clock
        self._done: OrderedDict[str, _Done] = OrderedDict()
        self.repeated = 0

    def transact_write_items(
        self,
        *,
        TransactItems: Sequence[Action],  # noqa: N803 - boto3's name
        ClientRequestToken: str,  # noqa: N803 - boto3's name
    ) -> None:
        """Do all or none; a token that has done the same before does nothing.

        Raises:
            ClientError: TransactionCanceledException where a condition does not hold, and
                IdempotentParameterMismatchException where the token has done something else.
        """
        now = self._clock.now()
        before = self._done.get(ClientRequestToken)
        if before is not None and now - before.at < TOKEN_KEPT_US:
            if before.actions != TransactItems:
                raise error_answer("IdempotentParameterMismatchException")
            self.repeated += 1
            return
        try:
            self._items.transact(TransactItems)
        except ConditionFailed as error:
            raise error_answer(
                "TransactionCanceledException",
                CancellationReasons=_reasons(len(TransactItems), error),
            ) from None
        self._done[ClientRequestToken] = _Done(TransactItems, now)
        while len(self._done) > TOKENS_KEPT:
            self._done.popitem(last=False)


def conflict(actions: Sequence[Action]) -> Exception:
    """What DynamoDB answers when another transaction is at work on the first item."""
    reasons: list[dict[str, Any]] = [{"Code": "None"} for _ in actions]
    reasons[0] = {"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"}
    return error_answer("TransactionCanceledException", CancellationReasons=reasons)


class TransactingItems(DynamoItems):
    """The product's ``transact`` with its token and its retries; the client takes plain actions."""

    def _entries(self, actions: Sequence[Action]) -> list[Any]:
        return list(actions)


def _reasons(count: int, error: ConditionFailed) -> list[dict[str, Any]]:
    reasons: list[dict[str, Any]] = [{"Code": "None"} for _ in range(count)]
    for place, item in zip(error.failed, error.items, strict=True):
        reasons[place] = {"Code": "ConditionalCheckFailed"}
        if item is not None:
            reasons[place]["Item"] = to_attributes(item)
    return reasons
