"""Every port twice: its fake in memory, and its adapter against MiniStack.

A contract test asks for ``stream``, ``items``, ``objects``, ``queue``, ``aliases`` or ``provider``
and runs on both. What the servers keep is shared by the session: tests use names of their own
(``unique``).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailtumble.aws.aliases import DynamoAliases
from mailtumble.aws.clients import Clients
from mailtumble.aws.dynamodb import DynamoItems
from mailtumble.aws.kinesis import KinesisStream
from mailtumble.aws.s3 import S3Objects
from mailtumble.aws.ses import SesTransport
from mailtumble.aws.ses_v1 import SesV1Transport
from mailtumble.aws.sqs import SqsQueue
from mailtumble.local.bootstrap import Resources, create_resources
from mailtumble.local.ministack import REGION, MiniStack
from mailtumble.ports.store import ItemStore
from mailtumble.ports.stream import EventStream
from mailtumble.ports.world import MessageQueue, ObjectStore
from tests.fakes import (
    InMemoryAliases,
    InMemoryItems,
    InMemoryObjects,
    InMemoryProvider,
    InMemoryQueue,
    InMemoryStream,
    VirtualClock,
)

PREFIX = "contract"
MEMORY, MINISTACK = "memory", "ministack"
BOTH = [MEMORY, pytest.param(MINISTACK, marks=pytest.mark.servers)]

_numbers = itertools.count(1)


def _adapter(request: pytest.FixtureRequest) -> Clients | None:
    """The clients where the test runs against MiniStack."""
    if request.param == MEMORY:
        return None
    clients: Clients = request.getfixturevalue("clients")
    return clients


@pytest.fixture
def unique() -> str:
    """A name no other test has."""
    return f"n{next(_numbers)}"


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    """Clients of a MiniStack; boto's variables point at it only while the clients are made."""
    log: Path = tmp_path_factory.mktemp("ministack") / "ministack.log"
    with MiniStack(log) as aws:
        made = Clients(REGION)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in aws.environment().items():
                patch.setenv(name, value)
            for service in ("kinesis", "dynamodb", "lookup", "s3", "sqs", "sns", "ses", "ses_v1"):
                getattr(made, service)
        yield made
        made.close()


@pytest.fixture(scope="session")
def resources(clients: Clients) -> Resources:
    """Everything the definition names, created."""
    return create_resources(clients, PREFIX)


@pytest.fixture(params=BOTH)
def items(request: pytest.FixtureRequest) -> ItemStore:
    """An item store with the definition's tables."""
    clients = _adapter(request)
    if clients is None:
        return InMemoryItems()
    request.getfixturevalue("resources")
    return DynamoItems(clients.dynamodb, PREFIX)


@pytest.fixture(params=BOTH)
def stream(request: pytest.FixtureRequest, unique: str) -> EventStream:
    """An empty stream of two shards."""
    clients = _adapter(request)
    if clients is None:
        return InMemoryStream(VirtualClock(), shards=2)
    clients.kinesis.create_stream(StreamName=unique, ShardCount=2)
    while _status(clients, unique) != "ACTIVE":
        pass
    return KinesisStream(clients.kinesis, unique)


@pytest.fixture(params=BOTH)
def objects(request: pytest.FixtureRequest) -> ObjectStore:
    """An object store that has the bucket ``contract-mail``."""
    clients = _adapter(request)
    if clients is None:
        return InMemoryObjects()
    request.getfixturevalue("resources")
    return S3Objects(clients.s3)


@pytest.fixture(params=BOTH)
def open_queue(request: pytest.FixtureRequest, unique: str) -> Callable[[int], MessageQueue]:
    """Opens an empty queue with a visibility time-out in seconds."""
    clients = _adapter(request)

    def opened(visibility_s: int) -> MessageQueue:
        if clients is None:
            return InMemoryQueue(VirtualClock(), visibility_s=visibility_s)
        answer = clients.sqs.create_queue(
            QueueName=unique, Attributes={"VisibilityTimeout": str(visibility_s)}
        )
        return SqsQueue(clients.sqs, answer["QueueUrl"])

    return opened


@pytest.fixture(params=BOTH)
def aliases(request: pytest.FixtureRequest) -> Iterator[InMemoryAliases | DynamoAliases]:
    """A repository of aliases."""
    clients = _adapter(request)
    if clients is None:
        yield InMemoryAliases()
        return
    resources: Resources = request.getfixturevalue("resources")
    # A patient one: how long it may take is tested where the endpoint hangs.
    repository = DynamoAliases(clients.dynamodb, resources.tables["aliases"], timeout_s=60)
    yield repository
    repository.close()


@pytest.fixture(
    params=[MEMORY, *(pytest.param(api, marks=pytest.mark.servers) for api in ("sesv2", "sesv1"))]
)
def provider(request: pytest.FixtureRequest) -> InMemoryProvider | SesTransport | SesV1Transport:
    """A transport that is an account too; of SES both APIs."""
    clients = _adapter(request)
    if clients is None:
        return InMemoryProvider(VirtualClock())
    clients.ses.create_email_identity(EmailIdentity="a@example.org")
    if request.param == "sesv1":
        return SesV1Transport(clients.ses_v1)
    return SesTransport(clients.ses)


def _status(clients: Clients, name: str) -> str:
    answer = clients.kinesis.describe_stream_summary(StreamName=name)
    return answer["StreamDescriptionSummary"]["StreamStatus"]
