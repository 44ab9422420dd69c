"""Where aliases are looked up: drivers of the entry-point group ``mailtumble.lookup``.

A driver is a function that takes the settings and the AWS clients and returns an
:class:`mailtumble.ports.world.AliasRepository`. A package of anybody's may bring one::

    [project.entry-points."mailtumble.lookup"]
    ldap = "our_package.aliases:repository"

and ``MAILTUMBLE_LOOKUP=ldap`` chooses it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final, cast

from mailtumble.aws.aliases import DynamoAliases
from mailtumble.aws.clients import Clients
from mailtumble.definition import physical_name
from mailtumble.ports.world import AliasRepository
from mailtumble.settings import Settings
from mailtumble.toml_aliases import TomlAliases
from schemas.errors import BadInput

GROUP: Final = "mailtumble.lookup"

Driver = Callable[[Settings, Clients], AliasRepository]


def dynamodb(settings: Settings, clients: Clients) -> DynamoAliases:
    """The alias table."""
    table = settings.lookup_table or physical_name(settings.prefix, "aliases")
    return DynamoAliases(clients.lookup, table, timeout_s=settings.lookup_timeout_s)


def toml(settings: Settings, clients: Clients) -> TomlAliases:  # noqa: ARG001 - a driver's shape
    """A file.

    Raises:
        BadInput: no file is named.
    """
    if not settings.lookup_file:
        raise BadInput("MAILTUMBLE_LOOKUP=toml needs a file: set MAILTUMBLE_LOOKUP_FILE")
    return TomlAliases(Path(settings.lookup_file))


def open_repository(settings: Settings, clients: Clients) -> AliasRepository:
    """The repository that the settings choose.

    Raises:
        BadInput: no installed package has that driver, or what it needs is not installed.
    """
    found = entry_points(group=GROUP, name=settings.lookup)
    for entry_point in found:
        try:
            driver = cast("Driver", entry_point.load())
        except (ImportError, AttributeError) as error:
            raise BadInput(
                f"MAILTUMBLE_LOOKUP: the driver {settings.lookup} ({entry_point.value}) can't be "
                f"loaded: {error}"
            ) from error
        return driver(settings, clients)
    known = ", ".join(sorted({each.name for each in entry_points(group=GROUP)}))
    raise BadInput(
        f"MAILTUMBLE_LOOKUP: there is no driver {settings.lookup!r}, but {known or 'none at all'}"
    )
