"""Items on DynamoDB.

What is repeated and what isn't: a throttle or a conflict did surely nothing, so every call is
made again; a lost reply leaves open what happened, so only what can be repeated unseen is
(reads, unconditional batches, and transactions by their token). A single conditional write
or ADD whose reply was lost ends as RetryableError: the caller knows how to look.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from mailtumble.aws import patience as waiting
from mailtumble.aws.attributes import from_attributes, to_attributes
from mailtumble.aws.errors import (
    BOTO_ERRORS,
    CONFLICTS,
    THROTTLES,
    code_of,
    is_retryable,
    is_throttle_or_conflict,
    translated,
)
from mailtumble.aws.expressions import Placeholders, condition_text, update_text
from mailtumble.aws.patience import Patience, Sleep
from mailtumble.definition import Definition, Table, load_definition, physical_name
from mailtumble.ports.store import (
    TRANSACTION_ACTIONS_MAX,
    Action,
    Check,
    ConditionFailed,
    Delete,
    Item,
    Key,
    Page,
    Put,
    Update,
)
from schemas.errors import InvariantBroken, MailtumbleError, PermanentError, RetryableError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

WRITES_MAX: Final = 25
READS_MAX: Final = 100
_CONDITION: Final = "ConditionalCheckFailed"
_PASSING: Final = THROTTLES | CONFLICTS
_OPERATIONS: Final = {Put: "Put", Delete: "Delete", Update: "Update", Check: "ConditionCheck"}

T = TypeVar("T")


class DynamoItems:
    """An :class:`mailtumble.ports.store.ItemStore`."""

    def __init__(
        self,
        client: DynamoDBClient,
        prefix: str,
        *,
        definition: Definition | None = None,
        patience: Patience | None = None,
        sleep: Sleep = waiting.sleep,
    ) -> None:
        """Use the tables whose physical names begin with ``prefix``."""
        tables = (definition or load_definition()).tables
        self._client = client
        self._tables: Mapping[str, Table] = {table.name: table for table in tables}
        self._physical = {table.name: physical_name(prefix, table.name) for table in tables}
        self._patience = patience or Patience()
        self._sleep = sleep

    def transact(self, actions: Sequence[Action]) -> None:
        """Do all or none. An empty transaction is done at once."""
        if not actions:
            return
        entries = self._entries(actions)
        resource = f"tables {', '.join(sorted({action.table for action in actions}))}"
        pauses = self._patience.pauses()
        # One token for all tries: if an earlier one went through unseen, a later one does nothing.
        token = str(uuid.uuid4())
        while True:
            try:
                self._client.transact_write_items(TransactItems=entries, ClientRequestToken=token)
            except BOTO_ERRORS as error:
                failure = _transaction_failure(error, resource)
                pause = next(pauses, None)
                if pause is None or not isinstance(failure, RetryableError):
                    raise failure from error
                self._sleep(pause)
            else:
                return

    def write(self, action: Put | Delete | Update) -> Item | None:
        """One action by itself; the item as it is afterwards."""
        arguments = self._arguments(action)
        match action:
            case Put():
                self._write(action, lambda: self._client.put_item(**arguments))
                return from_attributes(arguments["Item"])
            case Delete():
                self._write(action, lambda: self._client.delete_item(**arguments))
                return None
            case Update():
                arguments["ReturnValues"] = "ALL_NEW"
                answer = self._write(action, lambda: self._client.update_item(**arguments))
                return from_attributes(answer["Attributes"])

    def write_all(self, actions: Sequence[Put | Delete]) -> None:
        """Unconditional puts and deletes; of several on one item the last counts."""
        requests: dict[tuple[object, ...], tuple[str, dict[str, Any]]] = {}
        for action in actions:
            if action.when:
                raise InvariantBroken("a batch of writes can't have conditions")
            content = (
                {"PutRequest": {"Item": to_attributes(action.item)}}
                if isinstance(action, Put)
                else {"DeleteRequest": {"Key": to_attributes(action.key)}}
            )
            requests[self._identity(action)] = (self._name(action.table), content)
        todo = list(requests.values())
        for start in range(0, len(todo), WRITES_MAX):
            batch = _by_table(todo[start : start + WRITES_MAX])
            self._until_processed(
                batch,
                lambda left: self._client.batch_write_item(RequestItems=left)["UnprocessedItems"],
            )

    def get(self, table: str, key: Key) -> Item | None:
        """One item."""
        answer = self._read(
            table,
            lambda: self._client.get_item(
                TableName=self._name(table), Key=to_attributes(key), ConsistentRead=True
            ),
        )
        found = answer.get("Item")
        return None if found is None else from_attributes(found)

    def get_all(self, table: str, keys: Sequence[Key]) -> Sequence[Item | None]:
        """Items in the order of ``keys``."""
        identities = [self._key_of(table, key) for key in keys]
        wanted = dict(zip(identities, keys, strict=True))
        name = self._name(table)
        found: dict[tuple[object, ...], Item] = {}

        def read(left: dict[str, Any]) -> Mapping[str, Any]:
            answer = self._client.batch_get_item(RequestItems=left)
            for attributes in answer["Responses"].get(name, ()):
                item = from_attributes(attributes)
                found[self._key_of(table, item)] = item
            return answer["UnprocessedKeys"]

        distinct = list(wanted.values())
        for start in range(0, len(distinct), READS_MAX):
            chosen = [to_attributes(key) for key in distinct[start : start + READS_MAX]]
            self._until_processed({name: {"Keys": chosen, "ConsistentRead": True}}, read)
        return [None if (item := found.get(key)) is None else dict(item) for key in identities]

    def query(
        self,
        table: str,
        partition: str,
        *,
        after: str | int | None = None,
        until: str | int | None = None,
        limit: int | None = None,
        descending: bool = False,
        index: str | None = None,
    ) -> Page:
        """Items of one partition, between the bounds."""
        if limit == 0 or _is_empty(after, until):
            return Page((), more=limit == 0)
        partition_name, sort_name = self._query_keys(table, index)
        arguments = self._range(partition_name, sort_name, partition, after, until)
        arguments |= {"ScanIndexForward": not descending, "ConsistentRead": index is None}
        if index is not None:
            arguments["IndexName"] = index
        if limit is not None:
            # Both bounds make BETWEEN, which lets the lower bound itself in.
            arguments["Limit"] = limit + (after is not None and until is not None)
        items: list[Item] = []
        for page, more in self._pages(table, self._client.query, arguments):
            items += [item for item in page if after is None or item[sort_name] != after]
            if limit is not None and len(items) >= limit:
                return Page(items[:limit], more=more or len(items) > limit)
        return Page(items, more=False)

    def scan(self, table: str) -> Sequence[Item]:
        """Every item."""
        arguments: dict[str, Any] = {"ConsistentRead": True}
        pages = self._pages(table, self._client.scan, arguments)
        return [item for page, _ in pages for item in page]

    def _range(
        self,
        partition_name: str,
        sort_name: str,
        partition: str,
        after: str | int | None,
        until: str | int | None,
    ) -> dict[str, Any]:
        held = Placeholders()
        text = f"{held.name(partition_name)} = {held.value(partition)}"
        if after is not None and until is not None:
            bounds = f"BETWEEN {held.value(after)} AND {held.value(until)}"
            text += f" AND {held.name(sort_name)} {bounds}"
        elif after is not None:
            text += f" AND {held.name(sort_name)} > {held.value(after)}"
        elif until is not None:
            text += f" AND {held.name(sort_name)} <= {held.value(until)}"
        return {"KeyConditionExpression": text, **held.arguments()}

    def _pages(
        self, table: str, call: Callable[..., Any], arguments: dict[str, Any]
    ) -> Iterator[tuple[list[Item], bool]]:
        """Each page's items, and whether there may be another page."""
        arguments["TableName"] = self._name(table)
        while True:
            answer = self._read(table, lambda: call(**arguments))
            last = answer.get("LastEvaluatedKey")
            yield [from_attributes(each) for each in answer["Items"]], bool(last)
            if not last:
                return
            arguments["ExclusiveStartKey"] = last

    def _until_processed(
        self,
        requests: Mapping[str, Any],
        call: Callable[[dict[str, Any]], Mapping[str, Any]],
    ) -> None:
        """Make a batch call again with what it left undone, until nothing is."""
        left = dict(requests)
        resource = f"tables {', '.join(left)}"
        pauses = self._patience.pauses()
        while left:
            problem: Exception | None = None
            try:
                left = dict(call(left))
            except BOTO_ERRORS as error:
                problem = translated(error, resource)
                if not isinstance(problem, RetryableError):
                    raise problem from error
            if not left:
                return
            pause = next(pauses, None)
            if pause is None:
                raise problem or RetryableError(f"{resource}: DynamoDB leaves items unprocessed")
            self._sleep(pause)

    def _write(self, action: Put | Delete | Update, call: Callable[[], T]) -> T:
        def attempt() -> T:
            try:
                return call()
            except self._client.exceptions.ConditionalCheckFailedException as error:
                stored: Any = error.response.get("Item")
                raise ConditionFailed([0], [stored and from_attributes(stored)]) from None

        resource = f"table {self._name(action.table)}"
        return self._repeated(attempt, resource, is_throttle_or_conflict)

    def _read(self, table: str, call: Callable[[], T]) -> T:
        return self._repeated(call, f"table {self._name(table)}", is_retryable)

    def _repeated(
        self, call: Callable[[], T], resource: str, worth_it: Callable[[Exception], bool]
    ) -> T:
        """Make a call again after errors that are ``worth_it``, as long as patience lasts."""
        pauses = self._patience.pauses()
        while True:
            try:
                return call()
            except BOTO_ERRORS as error:
                pause = next(pauses, None) if worth_it(error) else None
                if pause is None:
                    raise translated(error, resource) from error
                self._sleep(pause)

    def _entries(self, actions: Sequence[Action]) -> list[Any]:
        """The actions of a transaction as DynamoDB wants them."""
        if len(actions) > TRANSACTION_ACTIONS_MAX:
            raise InvariantBroken(
                f"{len(actions)} actions in a transaction, {TRANSACTION_ACTIONS_MAX} may be"
            )
        if len({self._identity(action) for action in actions}) < len(actions):
            raise InvariantBroken("two actions of a transaction on the same item")
        return [{_OPERATIONS[type(each)]: self._arguments(each)} for each in actions]

    def _arguments(self, action: Action) -> dict[str, Any]:
        """The arguments of the single call, and of the transaction's entry alike."""
        held = Placeholders()
        arguments: dict[str, Any] = {"TableName": self._name(action.table)}
        if isinstance(action, Put):
            arguments["Item"] = to_attributes(action.item)
        else:
            arguments["Key"] = to_attributes(action.key)
        if isinstance(action, Update):
            arguments["UpdateExpression"] = update_text(action, held)
        key_attribute = self._tables[action.table].partition_key.name
        condition = condition_text(action.when, key_attribute, held)
        if condition is not None:
            arguments["ConditionExpression"] = condition
            arguments["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        elif isinstance(action, Check):
            raise InvariantBroken(f"{action.table}: a check that demands nothing")
        return arguments | held.arguments()

    def _identity(self, action: Action) -> tuple[object, ...]:
        key = action.item if isinstance(action, Put) else action.key
        return (action.table, *self._key_of(action.table, key))

    def _key_of(self, table: str, item: Mapping[str, Any]) -> tuple[object, ...]:
        self._name(table)
        shape = self._tables[table]
        try:
            partition = item[shape.partition_key.name]
            if shape.sort_key is None:
                return (partition,)
            return (partition, item[shape.sort_key.name])
        except KeyError as error:
            raise PermanentError(f"{table}: the key attribute {error} is missing") from None

    def _query_keys(self, table: str, index: str | None) -> tuple[str, str]:
        self._name(table)
        shape = self._tables[table]
        asked = shape if index is None else next(i for i in shape.indexes if i.name == index)
        sort_key = asked.sort_key or asked.partition_key
        return asked.partition_key.name, sort_key.name

    def _name(self, table: str) -> str:
        try:
            return self._physical[table]
        except KeyError:
            raise PermanentError(f"there is no table {table}") from None


def _is_empty(after: Any, until: Any) -> bool:  # noqa: ANN401 - both str or both int
    """Whether nothing can lie between; DynamoDB refuses bounds in the wrong order."""
    return after is not None and until is not None and bool(until <= after)


def _by_table(requests: Sequence[tuple[str, dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    batch: dict[str, list[dict[str, Any]]] = {}
    for name, content in requests:
        batch.setdefault(name, []).append(content)
    return batch


def _transaction_failure(error: Exception, resource: str) -> MailtumbleError:
    """What to raise; conditions that did not hold count for more than a conflict beside them."""
    if code_of(error) != "TransactionCanceledException":
        return translated(error, resource)
    reasons: list[dict[str, Any]] = getattr(error, "response", {}).get("CancellationReasons", [])
    failed = [place for place, each in enumerate(reasons) if each.get("Code") == _CONDITION]
    if failed:
        stored = [reasons[place].get("Item") for place in failed]
        return ConditionFailed(failed, [item and from_attributes(item) for item in stored])
    told = [each for each in reasons if each.get("Code") not in (None, "None")]
    texts = [f"{each['Code']}: {each.get('Message', '')}" for each in told]
    text = f"{resource}: transaction cancelled: {'; '.join(texts)}"
    if told and all(each["Code"] in _PASSING for each in told):
        return RetryableError(text)
    return PermanentError(text)
