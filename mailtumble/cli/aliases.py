"""``mailtumble aliases``: who stands behind which address."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from mailtumble.cli.state import state_option, wiring
from processors.routing.decider import TARGETS_MAX
from schemas.errors import RetryableError

SEEN_WITHIN_S: Final = 10.0


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Add and list aliases: local@domain, or @domain for all that is left of a domain."""


@command.command("add")
@click.argument("alias")
@click.argument("targets", nargs=-1, required=True)
@click.option(
    "--tenant", help="Who owns it, for fairness in sending; the alias itself if not told."
)
@state_option
def add(
    alias: str,
    targets: tuple[str, ...],
    tenant: str | None,
    state_dir: Path | None,
    debug: bool,  # noqa: FBT001 - click gives it by name
) -> None:
    """Create or replace an alias; returns when look-ups see it.

    \b
    Example:  mailtumble aliases add info@house.example jane@example.com joe@example.com
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    alias = alias.lower()
    if not alias.rpartition("@")[2] or "@" not in alias:
        raise click.UsageError(f"{alias!r} is no alias: give local@domain, or @domain")
    for target in targets:
        local_part, _, domain = target.rpartition("@")
        if not (local_part and domain and target.isascii()):
            raise click.UsageError(f"{target!r} is no address that SES can send to")
    if len(targets) > TARGETS_MAX:
        raise click.UsageError(f"{len(targets)} targets: at most {TARGETS_MAX} an alias")
    repository = wiring(state_dir).aliases()
    version = repository.put(alias, targets, tenant or alias)
    deadline = time.monotonic() + SEEN_WITHIN_S
    while not _seen(repository.find([alias]).get(alias), version):
        if time.monotonic() > deadline:
            raise RetryableError(f"{alias} was written, but look-ups do not see it yet")
        time.sleep(0.1)
    click.echo(f"{alias} stands for {', '.join(targets)} (version {version})")


def _seen(entry: object, version: int) -> bool:
    return getattr(entry, "version", 0) >= version


@command.command("list")
@click.option(
    "--json", "as_json", is_flag=True, help="An array of {alias, version, tenant, targets}."
)
@state_option
def list_aliases(
    as_json: bool,  # noqa: FBT001 - click gives it by name
    state_dir: Path | None,
    debug: bool,  # noqa: FBT001 - click gives it by name
) -> None:
    """List every alias.

    \b
    Example:  mailtumble aliases list
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    entries = wiring(state_dir).aliases().list()
    if as_json:
        click.echo(json.dumps([asdict(entry) for entry in entries], indent=1, ensure_ascii=False))
        return
    for entry in entries:
        click.echo(f"{entry.alias} -> {', '.join(entry.targets)}  (version {entry.version})")
    if not entries:
        click.echo("No alias yet: mailtumble aliases add ALIAS TARGET", err=True)
