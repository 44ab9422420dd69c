"""Aliases on DynamoDB: a table of ours, or one that somebody else keeps.

An item is ``{alias, targets: [address, ...], tenant, version}``, and may have ``moderated``,
``not_before`` and ``delay_us`` (microseconds), ``window``, and ``removed``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Any, Final

from mailtumble.aws.attributes import from_attributes, to_attributes
from mailtumble.aws.errors import BOTO_ERRORS, Calling, translated
from mailtumble.ports.store import Item
from mailtumble.ports.world import AliasEntry, AliasUnreadable
from processors.sending.lanes import tenant_problem
from processors.sending.schedule import parse_window
from schemas.errors import BadInput, RetryableError
from schemas.values import ALWAYS, Schedule

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

READS_MAX: Final = 100
_PAUSE_S: Final = 0.05


class DynamoAliases:
    """An :class:`mailtumble.ports.world.AliasRepository`, and the means to change it."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        *,
        timeout_s: float = 1.0,
        threads: int = 4,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Use the table with this physical name; ``find`` takes ``timeout_s`` at most.

        A time-out of the ``client`` bounds a connection or a read, not a call with its DNS
        look-up, and not several calls: hence a deadline here, and threads to leave behind.
        """
        self._client = client
        self._table = table
        self._timeout_s = timeout_s
        self._monotonic = monotonic
        self._sleep = sleep
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="alias-lookup")

    def find(self, names: Sequence[str]) -> Mapping[str, AliasEntry]:
        """The entries that exist, by name.

        Whatever goes wrong, a fault in the set-up too, is "unavailable": it says nothing about
        the names, and no mail may be lost for it.

        Raises:
            AliasUnreadable: some items are broken (the others are in ``readable``).
        """
        distinct = list(dict.fromkeys(name for name in names if name))
        deadline = self._monotonic() + self._timeout_s
        calls = [
            self._threads.submit(self._read, distinct[start : start + READS_MAX], deadline)
            for start in range(0, len(distinct), READS_MAX)
        ]
        items = [item for call in calls for item in self._result(call, calls, deadline)]
        return _entries(items)

    def put(
        self,
        alias: str,
        targets: Sequence[str],
        tenant: str,
        *,
        moderated: bool = False,
        schedule: Schedule = ALWAYS,
    ) -> int:
        """Create or replace an alias; its version, which grows by one with every change."""
        fields: Item = {
            "targets": targets,
            "tenant": tenant,
            "moderated": moderated,
            "not_before": schedule.not_before,
            "delay_us": schedule.delay_us,
            "window": schedule.window,
            "removed": False,
        }
        names = {f"#{name}": name for name in (*fields, "version")}
        values = {f":{name}": value for name, value in fields.items()}
        sets = ", ".join(f"#{name} = :{name}" for name in fields)
        with Calling(f"table {self._table}"):
            answer = self._client.update_item(
                TableName=self._table,
                Key={"alias": {"S": alias}},
                UpdateExpression=f"SET {sets} ADD #version :one",
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=to_attributes({**values, ":one": 1}),
                ReturnValues="UPDATED_NEW",
            )
        return int(answer["Attributes"]["version"]["N"])

    def remove(self, alias: str) -> int:
        """Take an alias away; the version of its absence, or 0 where it was not there.

        Its item stays, without effect, so that versions go on growing if it comes back.
        """
        with Calling(f"table {self._table}"):
            try:
                answer = self._client.update_item(
                    TableName=self._table,
                    Key={"alias": {"S": alias}},
                    UpdateExpression="SET #removed = :yes ADD #version :one",
                    ConditionExpression="attribute_exists(#alias) AND NOT #removed = :yes",
                    ExpressionAttributeNames={
                        "#removed": "removed",
                        "#version": "version",
                        "#alias": "alias",
                    },
                    ExpressionAttributeValues=to_attributes({":yes": True, ":one": 1}),
                    ReturnValues="UPDATED_NEW",
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                return 0
        return int(answer["Attributes"]["version"]["N"])

    def list(self) -> Sequence[AliasEntry]:
        """Every alias by name.

        Raises:
            AliasUnreadable: some items are broken (the others are in ``readable``).
        """
        items: list[Item] = []
        arguments: dict[str, Any] = {"TableName": self._table, "ConsistentRead": True}
        while True:
            with Calling(f"table {self._table}"):
                answer = self._client.scan(**arguments)
            items += [from_attributes(each) for each in answer["Items"]]
            if not answer.get("LastEvaluatedKey"):
                break
            arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        entries = _entries(items)
        return [entries[name] for name in sorted(entries)]

    def close(self) -> None:
        """Let the threads go; look-ups under way end by the client's time-outs."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _result(
        self, call: Future[Sequence[Item]], calls: Sequence[Future[Sequence[Item]]], deadline: float
    ) -> Sequence[Item]:
        try:
            return call.result(timeout=max(0.0, deadline - self._monotonic()))
        except FutureTimeoutError:
            problem = f"no answer within {self._timeout_s} s"
        except BOTO_ERRORS as error:
            problem = str(translated(error, "look-up"))
        for other in calls:
            other.cancel()
        raise RetryableError(f"aliases in table {self._table} are unavailable: {problem}")

    def _read(self, names: Sequence[str], deadline: float) -> Sequence[Item]:
        """Runs on a thread: one batch, and again what the table left unprocessed."""
        keys = [{"alias": {"S": name}} for name in names]
        left: Any = {self._table: {"Keys": keys, "ConsistentRead": True}}
        items: list[Item] = []
        while True:
            answer = self._client.batch_get_item(RequestItems=left)
            items += [from_attributes(each) for each in answer["Responses"].get(self._table, ())]
            left = answer.get("UnprocessedKeys")
            if not left or self._monotonic() >= deadline:
                break
            self._sleep(_PAUSE_S)
        if left:
            raise FutureTimeoutError
        return items


def _entries(items: Sequence[Item]) -> Mapping[str, AliasEntry]:
    entries: dict[str, AliasEntry] = {}
    problems: dict[str, str] = {}
    for item in items:
        name = str(item["alias"])
        if item.get("removed") is True:
            continue
        problem = _problem(item)
        if problem is None:
            entries[name] = _entry(item)
        else:
            problems[name] = problem
    if problems:
        raise AliasUnreadable(problems, entries)
    return entries


def _problem(item: Mapping[str, Any]) -> str | None:
    """What is wrong with an item, if anything."""
    targets = item.get("targets")
    if not isinstance(targets, list) or not all(isinstance(each, str) for each in targets):
        return "targets is not a list of texts"
    tenant = item.get("tenant")
    if not isinstance(tenant, str):
        return "tenant is not a text"
    if problem := tenant_problem(tenant):
        return problem
    version = item.get("version")
    if not isinstance(version, int) or isinstance(version, bool):
        return "version is not a whole number"
    return _schedule_problem(item)


def _schedule_problem(item: Mapping[str, Any]) -> str | None:
    """What a table of somebody else's may leave out: moderation and a schedule."""
    if not isinstance(item.get("moderated", False), bool):
        return "moderated is neither true nor false"
    for name in ("not_before", "delay_us"):
        number = item.get(name, 0)
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            return f"{name} is not a whole number of microseconds"
    window = item.get("window", "")
    if not isinstance(window, str):
        return "window is not a text"
    try:
        if window:
            parse_window(window)
    except BadInput as error:
        return str(error)
    return None


def _entry(item: Mapping[str, Any]) -> AliasEntry:
    return AliasEntry(
        item["alias"],
        item["version"],
        item["tenant"],
        tuple(item["targets"]),
        moderated=item.get("moderated", False),
        schedule=Schedule(
            not_before=item.get("not_before", 0),
            delay_us=item.get("delay_us", 0),
            window=item.get("window", ""),
        ),
    )
