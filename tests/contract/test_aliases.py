"""The contract of AliasRepository, and what "unavailable" looks like on DynamoDB."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from mailtumble.aws.aliases import DynamoAliases
from mailtumble.aws.clients import Clients
from mailtumble.local.bootstrap import Resources
from mailtumble.local.ministack import HOST, REGION, free_port
from mailtumble.ports.world import AliasEntry, AliasUnreadable
from schemas.errors import RetryableError
from tests.fakes import InMemoryAliases

Aliases = InMemoryAliases | DynamoAliases


def test_entries_are_found_by_name(aliases: Aliases, unique: str) -> None:
    """Those that exist, with all they know; others are left out."""
    aliases.put(f"{unique}-a", ["one@example.org", "two@example.org"], "tenant-1")
    aliases.put(f"{unique}-b", ["three@example.org"], "tenant-2")
    found = aliases.find([f"{unique}-a", f"{unique}-missing", f"{unique}-b", f"{unique}-a"])
    assert found == {
        f"{unique}-a": AliasEntry(
            f"{unique}-a", 1, "tenant-1", ("one@example.org", "two@example.org")
        ),
        f"{unique}-b": AliasEntry(f"{unique}-b", 1, "tenant-2", ("three@example.org",)),
    }


def test_nothing_asked_is_nothing_found(aliases: Aliases) -> None:
    """No names, no call; a name that is empty has no entry."""
    assert aliases.find([]) == {}
    assert aliases.find([""]) == {}


def test_more_names_than_a_call_takes(aliases: Aliases, unique: str) -> None:
    """250 names are three calls' worth, and one answer."""
    names = [f"{unique}-{number}" for number in range(250)]
    for name in names[::50]:
        aliases.put(name, ["x@example.org"], "t")
    assert sorted(aliases.find(names)) == sorted(names[::50])


def test_a_change_raises_the_version(aliases: Aliases, unique: str) -> None:
    """Every put counts one up and replaces the targets."""
    assert aliases.put(unique, ["old@example.org"], "t") == 1
    assert aliases.put(unique, ["new@example.org"], "u") == 2
    assert aliases.find([unique]) == {unique: AliasEntry(unique, 2, "u", ("new@example.org",))}


def test_removing_takes_away(aliases: Aliases, unique: str) -> None:
    """And tells whether there was something."""
    aliases.put(unique, ["x@example.org"], "t")
    assert aliases.remove(unique) is True
    assert aliases.remove(unique) is False
    assert aliases.find([unique]) == {}


def test_listing_is_by_name(aliases: Aliases, unique: str) -> None:
    """Other tests' aliases may be among them."""
    for name in (f"{unique}-b", f"{unique}-a"):
        aliases.put(name, ["x@example.org"], "t")
    listed = [entry.alias for entry in aliases.list() if entry.alias.startswith(f"{unique}-")]
    assert listed == [f"{unique}-a", f"{unique}-b"]


@pytest.mark.servers
@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (
            {"targets": {"S": "x@example.org"}, "version": {"N": "1"}, "tenant": {"S": "t"}},
            "targets",
        ),
        ({"targets": {"L": [{"N": "1"}]}, "version": {"N": "1"}, "tenant": {"S": "t"}}, "targets"),
        ({"targets": {"L": []}, "version": {"S": "1"}, "tenant": {"S": "t"}}, "version"),
        ({"targets": {"L": []}, "version": {"N": "1"}}, "tenant"),
    ],
    ids=["targets no list", "a target no text", "version no number", "no tenant"],
)
def test_a_broken_item_is_unavailable_not_missing(
    clients: Clients,
    resources: Resources,
    unique: str,
    broken: dict[str, dict[str, object]],
    problem: str,
) -> None:
    """Its mail waits until it is mended; the good ones of the same batch are told beside it."""
    table = resources.tables["aliases"]
    repository = DynamoAliases(clients.dynamodb, table, timeout_s=60)
    repository.put(f"{unique}-good", ["x@example.org"], "t")
    clients.dynamodb.put_item(
        TableName=table,
        Item={"alias": {"S": f"{unique}-bad"}, **broken},  # type: ignore[dict-item]
    )
    with pytest.raises(AliasUnreadable, match=problem) as caught:
        repository.find([f"{unique}-bad", f"{unique}-good"])
    clients.dynamodb.delete_item(TableName=table, Key={"alias": {"S": f"{unique}-bad"}})
    repository.close()
    assert isinstance(caught.value, RetryableError)
    assert list(caught.value.problems) == [f"{unique}-bad"]
    assert list(caught.value.readable) == [f"{unique}-good"]


@pytest.mark.servers
def test_a_missing_table_is_unavailable(clients: Clients) -> None:
    """A fault in the set-up loses no mail either."""
    repository = DynamoAliases(clients.dynamodb, "no-such-table", timeout_s=60)
    with pytest.raises(RetryableError, match=r"unavailable.*no-such-table|ResourceNotFound"):
        repository.find(["a"])
    repository.close()


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something to sign with."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


@pytest.mark.usefixtures("credentials")
def test_a_refusing_endpoint_is_unavailable() -> None:
    """Nobody listens there."""
    clients = Clients(REGION, lookup_endpoint=f"http://{HOST}:{free_port()}")
    repository = DynamoAliases(clients.lookup, "aliases")
    with pytest.raises(RetryableError, match="unavailable"):
        repository.find(["a"])
    repository.close()
    clients.close()


@pytest.fixture
def hanging() -> Iterator[str]:
    """An endpoint that takes connections and answers nothing until the test is over."""
    over = threading.Event()
    with socket.create_server((HOST, 0)) as listening:
        thread = threading.Thread(target=over.wait, daemon=True)
        thread.start()
        yield f"http://{HOST}:{listening.getsockname()[1]}"
        over.set()
        thread.join()


@pytest.mark.usefixtures("credentials")
def test_a_hanging_endpoint_is_unavailable_while_it_hangs(hanging: str) -> None:
    """The deadline ends the wait, not the client: its own time-out is far longer."""
    clients = Clients(REGION, lookup_endpoint=hanging, lookup_timeout_s=3)
    repository = DynamoAliases(clients.lookup, "aliases", timeout_s=0.2)
    with pytest.raises(RetryableError, match=r"no answer within 0\.2 s"):
        repository.find([f"name-{number}" for number in range(1000)])
    repository.close()
    clients.close()
