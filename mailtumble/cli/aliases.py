"""``mailtumble aliases``: who stands behind which address."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from mailtumble.cli import state
from mailtumble.cli.alias_files import read_file
from mailtumble.cli.checks import checked_alias, checked_targets, checked_tenant
from mailtumble.cli.orders import moment, user_name
from mailtumble.cli.output import print_hint, print_json, print_line, print_table
from mailtumble.cli.state import state_option
from mailtumble.ports.world import AliasEditor, AliasEntry, AliasUnreadable, Clock
from mailtumble.story.words import instant
from mailtumble.wiring import Wiring
from mailtumble.worker.application import Fact
from mailtumble.worker.records import outgoing
from processors.sending.lanes import TENANT_BYTES_MAX
from processors.sending.schedule import parse_window
from schemas.errors import BadInput, MailtumbleError, PermanentError, RetryableError
from schemas.events import AliasChanged, AliasRemoved
from schemas.ids import alias_subject, derive
from schemas.values import SECOND_US, Schedule

SEEN_WITHIN_US: Final = 10 * SECOND_US
PAUSE_S: Final = 0.1
DECIDER: Final = "operator"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Keep aliases: local@domain, or @domain for all that is left of a domain."""


@command.command("add")
@click.argument("alias")
@click.argument("targets", metavar="TARGET...", nargs=-1, required=True)
@click.option(
    "--tenant",
    help="Who owns it, for fairness in sending; the alias itself if not told. At most"
    f" {TENANT_BYTES_MAX} bytes, percent-encoded.",
)
@click.option("--moderated", is_flag=True, help="Hold its mail for a moderator.")
@click.option("--not-before", metavar="TIME", help="Send nothing before: 2026-12-24T18:00Z, +90m.")
@click.option(
    "--delay", "delay_s", type=click.FloatRange(0, 365 * 86400), help="Seconds after the receipt."
)
@click.option(
    "--window",
    metavar="TEXT",
    help='Send only in: "Mon-Fri 08:00-18:00 Europe/Berlin".',
)
@click.option("--by", default=None, metavar="NAME", help="Who puts it (default: your user name).")
@state_option
def add(
    alias: str,
    targets: tuple[str, ...],
    state_dir: Path | None,
    **options: Any,  # noqa: ANN401
) -> None:
    """Create or replace an alias; returns when look-ups see it.

    \b
    Example:  mailtumble aliases add info@house.example jane@example.com joe@example.com
              mailtumble aliases add @house.example postmaster@example.com
              mailtumble aliases add news@house.example list@example.com --moderated
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    alias = checked_alias(alias)
    targets = checked_targets(targets)
    wired = state.wiring(state_dir)
    if options["window"]:
        parse_window(options["window"])
    at, delay_s = options["not_before"], options["delay_s"] or 0.0
    if math.isnan(delay_s):
        raise BadInput("--delay is no number of seconds")
    schedule = Schedule(
        # What was before 1970 is over, as all of the past is.
        not_before=max(0, moment(at, wired.clock.now())) if at else 0,
        delay_us=round(delay_s * SECOND_US),
        window=options["window"] or "",
    )
    entry = AliasEntry(
        alias,
        0,
        checked_tenant(options["tenant"] or alias),
        targets,
        moderated=options["moderated"],
        schedule=schedule,
    )
    (version,) = put_aliases(wired, [entry], options["by"])
    print_line(f"{alias} stands for {', '.join(targets)} (version {version})")


@command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--by", default=None, metavar="NAME", help="Who puts them (default: your user name).")
@state_option
def import_file(file: Path, *, by: str | None, state_dir: Path | None, debug: bool) -> None:
    """Create or replace all aliases of a file; nothing is done if one of them is broken.

    A .toml file is as the look-up driver toml takes it (docs/how-to.md); a .csv file has the
    columns alias and targets (with blanks between them), and may have tenant, moderated,
    not_before, delay_s and window.

    \b
    Example:  mailtumble aliases import aliases.csv
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    entries = read_file(file)
    wired = state.wiring(state_dir)
    put_aliases(wired, entries, by)
    print_line("1 alias is put" if len(entries) == 1 else f"{len(entries)} aliases are put")


def put_aliases(wired: Wiring, entries: Sequence[AliasEntry], by: str | None) -> list[int]:
    """Put aliases, tell it on the log, and wait until look-ups see them; their versions."""
    with _look_up_place(wired):
        repository = editor(wired)
        versions = [
            repository.put(
                each.alias,
                each.targets,
                each.tenant,
                moderated=each.moderated,
                schedule=each.schedule,
            )
            for each in entries
        ]
        _tell(wired, entries, versions, by or user_name())
        _await_seen(
            repository,
            {each.alias: version for each, version in zip(entries, versions, strict=True)},
            wired.clock,
        )
    return versions


def _tell(wired: Wiring, entries: Sequence[AliasEntry], versions: Sequence[int], by: str) -> None:
    facts = [
        _fact(
            each.alias,
            version,
            AliasChanged(
                alias=each.alias,
                version=version,
                tenant=each.tenant,
                targets=each.targets,
                moderated=each.moderated,
                schedule=each.schedule,
                by=by,
            ),
        )
        for each, version in zip(entries, versions, strict=True)
    ]
    wired.stream().append([outgoing(fact, wired.clock.now()) for fact in facts])


def _fact(alias: str, version: int, event: AliasChanged | AliasRemoved) -> Fact:
    name = derive("alias", alias, str(version))
    return Fact(name, alias_subject(alias), name, DECIDER, (event,))


def editor(wired: Wiring) -> AliasEditor:
    """The repository, if it can be changed from here.

    Raises:
        MailtumbleError: it is kept elsewhere.
    """
    repository = wired.aliases()
    if not isinstance(repository, AliasEditor):
        raise MailtumbleError(
            f"aliases are looked up by the driver {wired.settings.lookup}, which only reads: "
            "change them where they are kept"
        )
    return repository


@command.command("list")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="An array of {alias, version, tenant, targets, moderated, schedule}.",
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
            (each.alias, str(each.version), each.tenant, ", ".join(each.targets), _notes(each))
            for each in entries
        ]
        print_table(("ALIAS", "VERSION", "TENANT", "TARGETS", "NOTES"), rows)
    elif broken is None:
        print_hint("No alias yet: mailtumble aliases add info@house.example you@example.com")
    if broken is not None:
        raise broken


@command.command("remove")
@click.argument("alias")
@click.option(
    "--by", default=None, metavar="NAME", help="Who removes it (default: your user name)."
)
@state_option
def remove(alias: str, *, by: str | None, state_dir: Path | None, debug: bool) -> None:
    """Take an alias away; mail that was looked up before still goes out.

    \b
    Example:  mailtumble aliases remove info@house.example
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    # Not checked for its form: whatever stands in the table can be removed.
    alias = alias.lower()
    wired = state.wiring(state_dir)
    with _look_up_place(wired):
        version = editor(wired).remove(alias)
        if not version:
            raise MailtumbleError(f"there is no alias {alias}: mailtumble aliases list shows them")
        removed = AliasRemoved(alias=alias, version=version, by=by or user_name())
        fact = _fact(alias, version, removed)
        wired.stream().append([outgoing(fact, wired.clock.now())])
    print_line(f"{alias} is removed")


def _notes(entry: AliasEntry) -> str:
    schedule = entry.schedule
    notes = ["moderated"] if entry.moderated else []
    if schedule.not_before:
        notes.append(f"not before {instant(schedule.not_before)[:16]}")
    if schedule.delay_us:
        notes.append(f"{schedule.delay_us / SECOND_US:g} s later")
    if schedule.window:
        notes.append(schedule.window)
    return ", ".join(notes)


def _await_seen(repository: AliasEditor, versions: dict[str, int], clock: Clock) -> None:
    deadline = clock.now() + SEEN_WITHIN_US
    while True:
        problem = "look-ups do not see it yet"
        try:
            found = repository.find(list(versions))
        except RetryableError as error:
            found, problem = {}, str(error)
        unseen = [
            alias
            for alias, version in versions.items()
            if alias not in found or found[alias].version < version
        ]
        if not unseen:
            return
        if clock.now() > deadline:
            raise RetryableError(f"{unseen[0]} is written, but {problem}")
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
