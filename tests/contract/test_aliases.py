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
from schemas.values import Schedule
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
    """And tells whether there was something: the version of its absence, or 0."""
    aliases.put(unique, ["x@example.org"], "t")
    assert aliases.remove(unique) == 2
    assert aliases.remove(unique) == 0
    assert aliases.find([unique]) == {}
    assert unique not in [entry.alias for entry in aliases.list()]
    assert aliases.remove(f"{unique}-never") == 0
    assert aliases.find([f"{unique}-never"]) == {}


def test_versions_go_on_growing_over_a_removal(aliases: Aliases, unique: str) -> None:
    """So that no version ever stands for two things, whatever comes and goes."""
    versions = [aliases.put(unique, ["x@example.org"], "t"), aliases.remove(unique)]
    versions += [aliases.put(unique, ["y@example.org"], "u"), aliases.remove(unique)]
    versions.append(aliases.put(unique, ["z@example.org"], "v"))
    assert versions == [1, 2, 3, 4, 5]
    assert aliases.find([unique]) == {unique: AliasEntry(unique, 5, "v", ("z@example.org",))}


SCHEDULE = Schedule(
    not_before=1_760_000_000_000_001, delay_us=90_000_000, window="Mon-Fri 08:00-18:00 UTC"
)


def test_moderation_and_schedule_are_kept(aliases: Aliases, unique: str) -> None:
    """As they were put, to the microsecond; a later put replaces them."""
    aliases.put(unique, ["x@example.org"], "t", moderated=True, schedule=SCHEDULE)
    entry = AliasEntry(unique, 1, "t", ("x@example.org",), moderated=True, schedule=SCHEDULE)
    assert aliases.find([unique]) == {unique: entry}
    assert entry in aliases.list()
    aliases.put(unique, ["x@example.org"], "t")
    assert aliases.find([unique]) == {unique: AliasEntry(unique, 2, "t", ("x@example.org",))}


def test_a_removed_alias_leaves_nothing_to_its_successor(aliases: Aliases, unique: str) -> None:
    """Neither moderation nor hours come back with the name."""
    aliases.put(unique, ["x@example.org"], "t", moderated=True, schedule=SCHEDULE)
    aliases.remove(unique)
    aliases.put(unique, ["x@example.org"], "t")
    assert aliases.find([unique]) == {unique: AliasEntry(unique, 3, "t", ("x@example.org",))}


def test_listing_is_by_name(aliases: Aliases, unique: str) -> None:
    """Other tests' aliases may be among them."""
    for name in (f"{unique}-b", f"{unique}-a"):
        aliases.put(name, ["x@example.org"], "t")
    listed = [entry.alias for entry in aliases.list() if entry.alias.startswith(f"{unique}-")]
    assert listed == [f"{unique}-a", f"{unique}-b"]


WELL = {"targets": {"L": []}, "version": {"N": "1"}, "tenant": {"S": "t"}}


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
        ({**WELL, "moderated": {"S": "yes"}}, "moderated is neither"),
        ({**WELL, "delay_us": {"S": "90"}}, "delay_us is not a whole number"),
        ({**WELL, "not_before": {"N": "-1"}}, "not_before is not a whole number"),
        ({**WELL, "window": {"N": "8"}}, "window is not a text"),
        ({**WELL, "tenant": {"S": "t" * 453}}, "is too long: 453 bytes"),
        ({**WELL, "window": {"S": "Mon-Fri 08:00 Mars/Olympus"}}, "no time zone"),
    ],
    ids=[
        *("targets no list", "a target no text", "version no number", "no tenant"),
        *("moderated no truth", "delay no number", "before time", "window no text", "long tenant"),
        "no zone",
    ],
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
def test_a_table_of_somebody_elses_may_know_nothing_of_moderation_and_schedules(
    clients: Clients, resources: Resources, unique: str
) -> None:
    """Then there is none of them; and it can be removed and put like any other."""
    table = resources.tables["aliases"]
    repository = DynamoAliases(clients.dynamodb, table, timeout_s=60)
    clients.dynamodb.put_item(TableName=table, Item={"alias": {"S": unique}, **WELL})  # type: ignore[dict-item]
    assert repository.find([unique]) == {unique: AliasEntry(unique, 1, "t", ())}
    assert repository.remove(unique) == 2
    assert repository.find([unique]) == {}
    repository.close()


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
