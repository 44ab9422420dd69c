"""The driver that looks aliases up is chosen by name, from whatever packages are installed."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from mailtumble import lookup
from mailtumble.aws.aliases import DynamoAliases
from mailtumble.aws.clients import Clients
from mailtumble.lookup import GROUP, open_repository
from mailtumble.ports.world import AliasEditor, AliasRepository
from mailtumble.settings import Settings
from mailtumble.toml_aliases import TomlAliases
from schemas.errors import BadInput
from tests.fakes import InMemoryAliases

ROOT = Path(__file__).parents[3]
OURS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
KNOWN = InMemoryAliases()


def of_somebody(settings: Settings, clients: Clients) -> InMemoryAliases:
    """A driver as another package may have it."""
    assert (settings.region, clients.lookup.meta.region_name) == ("eu-west-1", "eu-west-1")
    return KNOWN


@pytest.fixture
def clients() -> Clients:
    """Nothing is called."""
    return Clients("eu-west-1")


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own drivers, as pyproject.toml names them, and some of other packages."""
    named = {
        **OURS["entry-points"][GROUP],
        "somebody": f"{__name__}:of_somebody",
        "half": "no_such_package.aliases:repository",
        "wrong": "mailtumble.lookup:no_such_function",
    }
    points = EntryPoints(EntryPoint(name, value, GROUP) for name, value in named.items())
    monkeypatch.setattr(lookup, "entry_points", points.select)


def test_dynamodb_is_the_default(clients: Clients) -> None:
    """The table of the prefix, unless another is named; it can be changed from here."""
    repository = open_repository(Settings(region="eu-west-1"), clients)
    assert isinstance(repository, DynamoAliases)
    assert isinstance(repository, AliasEditor)
    assert repository._table == "mailtumble-aliases"
    repository = open_repository(Settings(lookup_table="theirs"), clients)
    assert isinstance(repository, DynamoAliases)
    assert repository._table == "theirs"


def test_a_file_is_read_only(clients: Clients, tmp_path: Path) -> None:
    """It is kept with somebody's configuration."""
    path = tmp_path / "aliases.toml"
    path.write_text('["a@x.example"]\ntargets = ["b@x.example"]\n', encoding="utf-8")
    repository = open_repository(Settings(lookup="toml", lookup_file=str(path)), clients)
    assert isinstance(repository, TomlAliases)
    assert not isinstance(repository, AliasEditor)
    assert list(repository.find(["a@x.example"])) == ["a@x.example"]


def test_a_file_has_to_be_named(clients: Clients) -> None:
    """Before anything is done."""
    with pytest.raises(BadInput, match="set MAILTUMBLE_LOOKUP_FILE"):
        open_repository(Settings(lookup="toml"), clients)


def test_another_package_may_bring_a_driver(clients: Clients) -> None:
    """It gets settings and clients, and what it returns is used."""
    settings = Settings(region="eu-west-1", lookup="somebody")
    repository: AliasRepository = open_repository(settings, clients)
    assert repository is KNOWN


def test_an_unknown_driver_is_a_wrong_setting(clients: Clients) -> None:
    """The error names those that there are."""
    with pytest.raises(BadInput) as refused:
        open_repository(Settings(lookup="ldap"), clients)
    assert str(refused.value) == (
        "MAILTUMBLE_LOOKUP: there is no driver 'ldap', but dynamodb, half, somebody, toml, wrong"
    )


def test_without_any_package_there_is_none(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a checkout that is not installed."""
    monkeypatch.setattr(lookup, "entry_points", EntryPoints().select)
    with pytest.raises(BadInput, match="no driver 'dynamodb', but none at all"):
        open_repository(Settings(), clients)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("half", "no_such_package.aliases:repository"),
        ("wrong", "mailtumble.lookup:no_such_function"),
    ],
)
def test_a_driver_that_does_not_load_is_named(clients: Clients, name: str, place: str) -> None:
    """With where it was to be found: a package that it needs is missing, say."""
    with pytest.raises(BadInput) as refused:
        open_repository(Settings(lookup=name), clients)
    assert f"the driver {name} ({place}) can't be loaded: " in str(refused.value)


def test_our_own_drivers_are_there() -> None:
    """The project file names functions that exist."""
    assert OURS["entry-points"][GROUP] == {
        "dynamodb": "mailtumble.lookup:dynamodb",
        "toml": "mailtumble.lookup:toml",
    }
