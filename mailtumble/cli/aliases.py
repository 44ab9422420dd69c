"""``mailtumble aliases``: who stands behind which address."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from mailtumble.aws.aliases import DynamoAliases
from mailtumble.cli import state
from mailtumble.cli.output import print_hint, print_json, print_line, print_table
from mailtumble.cli.state import state_option
from mailtumble.ports.world import AliasUnreadable, Clock
from mailtumble.wiring import Wiring
from processors.routing.decider import TARGETS_MAX
from schemas.errors import BadInput, MailtumbleError, PermanentError, RetryableError
from schemas.values import SECOND_US

SEEN_WITHIN_US: Final = 10 * SECOND_US
PAUSE_S: Final = 0.1
ADDRESS_MAX: Final = 320
"""64 for the local part, 255 for the domain, and the @ (RFC 5321, section 4.5.3.1)."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Keep aliases: local@domain, or @domain for all that is left of a domain."""


@command.command("add")
@click.argument("alias")
@click.argument("targets", metavar="TARGET...", nargs=-1, required=True)
@click.option(
    "--tenant", help="Who owns it, for fairness in sending; the alias itself if not told."
)
@state_option
def add(
    alias: str,
    targets: tuple[str, ...],
    *,
    tenant: str | None,
    state_dir: Path | None,
    debug: bool,
) -> None:
    """Create or replace an alias; returns when look-ups see it.

    \b
    Example:  mailtumble aliases add info@house.example jane@example.com joe@example.com
              mailtumble aliases add @house.example postmaster@example.com
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    alias = checked_alias(alias)
    targets = checked_targets(targets)
    wired = state.wiring(state_dir)
    with _look_up_place(wired):
        repository = wired.aliases()
        version = repository.put(alias, targets, tenant or alias)
        _await_seen(repository, alias, version, wired.clock)
    print_line(f"{alias} stands for {', '.join(targets)} (version {version})")


@command.command("list")
@click.option(
    "--json", "as_json", is_flag=True, help="An array of {alias, version, tenant, targets}."
)
@state_option
def list_aliases(*, as_json: bool, state_dir: Path | None, debug: bool) -> None:
    """List every alias.

    \b
    Example:  mailtumble aliases list
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    wired = state.wiring(state_dir)
    broken: AliasUnreadable | None = None
    with _look_up_place(wired):
        try:
            entries = list(wired.aliases().list())
        except AliasUnreadable as error:
            broken = error
            entries = [error.readable[name] for name in sorted(error.readable)]
    if as_json:
        print_json([asdict(entry) for entry in entries])
    elif entries:
        rows = [
            (each.alias, str(each.version), each.tenant, ", ".join(each.targets))
            for each in entries
        ]
        print_table(("ALIAS", "VERSION", "TENANT", "TARGETS"), rows)
    elif broken is None:
        print_hint("No alias yet: mailtumble aliases add info@house.example you@example.com")
    if broken is not None:
        raise broken


@command.command("remove")
@click.argument("alias")
@state_option
def remove(alias: str, *, state_dir: Path | None, debug: bool) -> None:
    """Take an alias away; mail that was looked up before still goes out.

    \b
    Example:  mailtumble aliases remove info@house.example
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    # Not checked for its form: whatever stands in the table can be removed.
    alias = alias.lower()
    wired = state.wiring(state_dir)
    with _look_up_place(wired):
        if not wired.aliases().remove(alias):
            raise MailtumbleError(f"there is no alias {alias}: mailtumble aliases list shows them")
    print_line(f"{alias} is removed")


def checked_alias(alias: str) -> str:
    """The alias in lower case.

    Raises:
        BadInput: it is neither ``local@domain`` nor ``@domain``.
    """
    if not (_is_plain(alias) and alias.rpartition("@")[2] and "@" in alias):
        raise BadInput(f"{alias!r} is no alias: give local@domain, or @domain for all of a domain")
    return alias.lower()


def checked_targets(targets: Sequence[str]) -> tuple[str, ...]:
    """The targets, each once.

    Raises:
        BadInput: one is no address, or there are too many of them.
    """
    for target in targets:
        local_part, _, domain = target.rpartition("@")
        if not (_is_plain(target) and local_part and domain):
            raise BadInput(f"target {target!r} is no address: give local@domain, in ASCII")
    distinct = tuple(dict.fromkeys(targets))
    if len(distinct) > TARGETS_MAX:
        raise BadInput(
            f"{len(distinct)} targets, an alias may have {TARGETS_MAX}: use several aliases"
        )
    return distinct


def _is_plain(address: str) -> bool:
    fits = len(address) <= ADDRESS_MAX and address.isascii() and address.isprintable()
    return fits and not set(address) & set(" <>,;")


def _await_seen(repository: DynamoAliases, alias: str, version: int, clock: Clock) -> None:
    deadline = clock.now() + SEEN_WITHIN_US
    while True:
        problem = "look-ups do not see it yet"
        try:
            entry = repository.find([alias]).get(alias)
        except RetryableError as error:
            entry, problem = None, str(error)
        if entry is not None and entry.version >= version:
            return
        if clock.now() > deadline:
            raise RetryableError(f"{alias} is written, but {problem}")
        clock.sleep(PAUSE_S)


@contextmanager
def _look_up_place(wired: Wiring) -> Iterator[None]:
    """Where look-ups go elsewhere, an error says where: it is not the AWS of all the rest."""
    try:
        yield
    except PermanentError as error:
        place = wired.settings.lookup_endpoint_url
        if not place:
            raise
        raise PermanentError(f"{error} (aliases are at {place}, by lookup_endpoint_url)") from error
