"""Files of aliases, to be imported whole or not at all."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mailtumble.cli.checks import checked_alias, checked_targets
from mailtumble.ports.world import AliasEntry
from mailtumble.toml_aliases import entry_of, read_aliases
from schemas.errors import BadInput

COLUMNS: Final = ("alias", "targets", "tenant", "moderated", "not_before", "delay_s", "window")
NO: Final = frozenset({"", "0", "false", "no"})
YES: Final = frozenset({"1", "true", "yes"})
PROBLEMS_SHOWN_MAX: Final = 5

Aliases = dict[str, AliasEntry]
Problems = dict[str, str]
"""What is wrong, by the place in the file."""


def read_file(path: Path) -> list[AliasEntry]:
    """The aliases of a .csv or .toml file.

    Raises:
        BadInput: it is neither, or one of its aliases is broken: the text names it.
    """
    match path.suffix.lower():
        case ".toml":
            entries, problems = _toml(path)
        case ".csv":
            entries, problems = _csv(path)
        case _:
            raise BadInput(f"{path}: give a .csv or a .toml file")
    if problems:
        told = [f"{place}: {problem}" for place, problem in problems.items()]
        some = "; ".join(told[:PROBLEMS_SHOWN_MAX])
        more = len(told) - PROBLEMS_SHOWN_MAX
        rest = f"; and {more} more" if more > 0 else ""
        raise BadInput(f"{path}: nothing is imported, since {some}{rest}")
    return list(entries.values())


def _toml(path: Path) -> tuple[Aliases, Problems]:
    try:
        entries, problems = read_aliases(path)
    except OSError as error:
        raise BadInput(f"{path} can't be read: {error}") from error
    for alias, entry in entries.items():
        try:
            _check(entry)
        except BadInput as error:
            problems[alias] = str(error)
    return entries, problems


def _csv(path: Path) -> tuple[Aliases, Problems]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows = [(reader.line_num, row) for row in reader]
            names = reader.fieldnames or []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path} can't be read: {error}") from error
    unknown = [name for name in names if name not in COLUMNS]
    if unknown or "alias" not in names or "targets" not in names:
        raise BadInput(
            f"{path}: its first line names the columns alias and targets, and none but "
            f"{', '.join(COLUMNS)}; it has {', '.join(map(str, names)) or 'none'}"
        )
    entries: Aliases = {}
    problems: Problems = {}
    for line, row in rows:
        alias = (row["alias"] or "").strip().lower()
        try:
            entry = entry_of(checked_alias(alias), _fields(row))
            _check(entry)
        except BadInput as error:
            problems[f"line {line} ({alias})"] = str(error)
            continue
        if alias in entries:
            problems[f"line {line} ({alias})"] = "it stands there twice"
        entries[alias] = entry
    return entries, problems


def _check(entry: AliasEntry) -> None:
    """As strictly as what is typed at the command line."""
    checked_alias(entry.alias)
    checked_targets(entry.targets)


def _fields(row: Mapping[str, Any]) -> dict[str, object]:
    if None in row or None in row.values():
        raise BadInput("it has more or fewer cells than there are columns")
    fields: dict[str, object] = {"targets": str(row["targets"]).split()}
    for name in ("tenant", "window"):
        if text := _cell(row, name):
            fields[name] = text
    flag = _cell(row, "moderated").lower()
    if flag not in NO | YES:
        raise BadInput("moderated is neither yes nor no")
    fields["moderated"] = flag in YES
    for name in ("not_before", "delay_s"):
        if text := _cell(row, name):
            fields[name] = _value(name, text)
    return fields


def _cell(row: Mapping[str, Any], name: str) -> str:
    return str(row.get(name) or "").strip()


def _value(name: str, text: str) -> object:
    """A cell as TOML would have it: a date and time, or a number."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError) as error:
        raise BadInput(
            f"{name} is {text!r}: give it as 2026-12-24T18:00:00Z, or as a number"
        ) from error
