"""Names and shapes of the AWS resources, from the one file that Terraform reads too.

The file is ``infra/terraform/definition.json``. Terraform reads it with
``jsondecode(file(...))``; the wheel carries a copy as ``mailtumble/definition.json``,
so a release and the infrastructure it runs on can't drift apart.

Names in it are short (``events``, ``mails``). The physical name of a stream, bucket,
topic, queue or table is ``<prefix>-<name>`` (see :func:`physical_name`). SES's own
names take no prefix: a region of an account has one active receipt rule set anyway.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

_FILE_NAME = "definition.json"
_IN_CHECKOUT = Path(__file__).resolve().parent.parent / "infra" / "terraform" / _FILE_NAME

AttributeType = Literal["S", "N", "B"]


class DefinitionError(ValueError):
    """The definition is missing, unreadable or contradicts itself."""


@dataclass(frozen=True, slots=True)
class KeyAttribute:
    """A key attribute of a table, with DynamoDB's letter for its type."""

    name: str
    type: AttributeType


@dataclass(frozen=True, slots=True)
class Index:
    """A global secondary index; it projects all attributes."""

    name: str
    partition_key: KeyAttribute
    sort_key: KeyAttribute | None


@dataclass(frozen=True, slots=True)
class Table:
    """A DynamoDB table, billed on demand. ``ttl`` names its expiry attribute (epoch seconds)."""

    name: str
    partition_key: KeyAttribute
    sort_key: KeyAttribute | None
    ttl: str | None
    indexes: tuple[Index, ...]

    def key_attributes(self) -> tuple[KeyAttribute, ...]:
        """Give each attribute that is a key of the table or of an index, once, in order."""
        keys = [self.partition_key, self.sort_key]
        for index in self.indexes:
            keys += [index.partition_key, index.sort_key]
        return tuple(dict.fromkeys(key for key in keys if key is not None))


@dataclass(frozen=True, slots=True)
class Stream:
    """The Kinesis stream. In production the number of shards is Terraform's variable."""

    name: str
    local_shards: int
    retention_hours: int


@dataclass(frozen=True, slots=True)
class Redrive:
    """Where a queue's message goes once it was received ``receives_max`` times in vain."""

    queue: str
    receives_max: int


@dataclass(frozen=True, slots=True)
class Queue:
    """An SQS queue and the topics it is subscribed to."""

    name: str
    topics: tuple[str, ...]
    raw_delivery: bool
    visibility_seconds: int
    retention_seconds: int
    redrive: Redrive | None


@dataclass(frozen=True, slots=True)
class Ses:
    """SES's names, which take no prefix, and where in the bucket it stores received mail."""

    configuration_set: str
    rule_set: str
    object_prefix: str


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_NamedT = TypeVar("_NamedT", bound=_Named)


@dataclass(frozen=True, slots=True)
class Definition:
    """Everything that has to exist in AWS, by short names."""

    stream: Stream
    buckets: tuple[str, ...]
    topics: tuple[str, ...]
    queues: tuple[Queue, ...]
    tables: tuple[Table, ...]
    ses: Ses

    def table(self, name: str) -> Table:
        """Give the table of that short name; ``KeyError`` if there is none."""
        return _by_name(self.tables, name)

    def queue(self, name: str) -> Queue:
        """Give the queue of that short name; ``KeyError`` if there is none."""
        return _by_name(self.queues, name)


def physical_name(prefix: str, name: str) -> str:
    """Give the name under which AWS knows a resource: ``<prefix>-<name>``."""
    return f"{prefix}-{name}"


@cache
def load_definition() -> Definition:
    """Read the definition: out of the package, or in a checkout from ``infra/terraform``.

    An editable install has no copy in the package, so the checkout's file is read then.
    Raises :class:`DefinitionError`.
    """
    packaged = resources.files("mailtumble").joinpath(_FILE_NAME)
    for place in (packaged, _IN_CHECKOUT):
        if place.is_file():
            return parse_definition(place.read_text(encoding="utf-8"))
    message = f"{_FILE_NAME} is neither in the package nor at {_IN_CHECKOUT}"
    raise DefinitionError(message)


def parse_definition(text: str) -> Definition:
    """Read a definition from JSON. Raises :class:`DefinitionError`, naming what is wrong."""
    try:
        definition = _definition(json.loads(text))
    except KeyError as error:
        message = f"the definition lacks {error}"
        raise DefinitionError(message) from error
    except (TypeError, json.JSONDecodeError) as error:
        message = f"the definition can't be read: {error}"
        raise DefinitionError(message) from error
    _check_references(definition)
    return definition


def _definition(raw: dict[str, Any]) -> Definition:
    return Definition(
        stream=Stream(**raw["stream"]),
        buckets=tuple(bucket["name"] for bucket in raw["buckets"]),
        topics=tuple(topic["name"] for topic in raw["topics"]),
        queues=tuple(_queue(queue) for queue in raw["queues"]),
        tables=tuple(_table(table) for table in raw["tables"]),
        ses=Ses(**raw["ses"]),
    )


def _queue(raw: dict[str, Any]) -> Queue:
    redrive = raw["redrive"]
    return Queue(
        name=raw["name"],
        topics=tuple(raw["topics"]),
        raw_delivery=raw["raw_delivery"],
        visibility_seconds=raw["visibility_seconds"],
        retention_seconds=raw["retention_seconds"],
        redrive=None if redrive is None else Redrive(**redrive),
    )


def _table(raw: dict[str, Any]) -> Table:
    return Table(
        name=raw["name"],
        partition_key=KeyAttribute(**raw["partition_key"]),
        sort_key=_optional_key(raw["sort_key"]),
        ttl=raw["ttl"],
        indexes=tuple(_index(index) for index in raw["indexes"]),
    )


def _index(raw: dict[str, Any]) -> Index:
    return Index(
        name=raw["name"],
        partition_key=KeyAttribute(**raw["partition_key"]),
        sort_key=_optional_key(raw["sort_key"]),
    )


def _optional_key(raw: dict[str, Any] | None) -> KeyAttribute | None:
    return None if raw is None else KeyAttribute(**raw)


def _check_references(definition: Definition) -> None:
    queues = [queue.name for queue in definition.queues]
    tables = [table.name for table in definition.tables]
    for kind, names in (
        ("bucket", definition.buckets),
        ("topic", definition.topics),
        ("queue", queues),
        ("table", tables),
    ):
        _check_unique(kind, names)
    for queue in definition.queues:
        for topic in queue.topics:
            _check_known("topic", topic, definition.topics, queue.name)
        if queue.redrive is not None:
            _check_known("queue", queue.redrive.queue, queues, queue.name)
    for table in definition.tables:
        # DynamoDB lists each attribute once: two keys of one name need one type.
        _check_unique(
            f"key attribute of {table.name}", [key.name for key in table.key_attributes()]
        )


def _check_unique(kind: str, names: Iterable[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        message = f"{kind} defined twice: {', '.join(twice)}"
        raise DefinitionError(message)


def _check_known(kind: str, name: str, known: Iterable[str], queue: str) -> None:
    if name not in known:
        message = f"queue {queue} refers to the {kind} {name}, which isn't defined"
        raise DefinitionError(message)


def _by_name(items: Iterable[_NamedT], name: str) -> _NamedT:
    for item in items:
        if item.name == name:
            return item
    raise KeyError(name)
