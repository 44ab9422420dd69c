"""Aliases in a TOML file, for set-ups whose aliases are kept with their configuration.

::

    ["info@house.example"]
    targets = ["jane@example.com", "joe@example.com"]
    tenant = "house"                            # the alias itself where not told
    moderated = true
    not_before = 2026-12-01T08:00:00Z
    delay_s = 60
    window = "Mon-Fri 08:00-18:00 Europe/Berlin"

A change of the file is seen at the next look-up. An entry's version follows from its content.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from mailtumble.ports.world import AliasEntry, AliasUnreadable
from processors.sending.lanes import tenant_problem
from processors.sending.schedule import parse_window
from schemas.errors import BadInput, RetryableError
from schemas.values import SECOND_US, Schedule

KEYS: Final = frozenset({"targets", "tenant", "moderated", "not_before", "delay_s", "window"})


class TomlAliases:
    """An :class:`mailtumble.ports.world.AliasRepository` that is read-only."""

    def __init__(self, path: Path) -> None:
        """Read the file when it is first needed, and again when it has changed."""
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._entries: Mapping[str, AliasEntry] = {}
        self._problems: Mapping[str, str] = {}

    def find(self, names: Sequence[str]) -> Mapping[str, AliasEntry]:
        """The entries that exist.

        Raises:
            AliasUnreadable: some of those asked for are broken.
            RetryableError: the file can't be read, or is no TOML: mail waits until it is mended.
        """
        self._refresh()
        problems = {name: self._problems[name] for name in names if name in self._problems}
        found = {name: self._entries[name] for name in names if name in self._entries}
        if problems:
            raise AliasUnreadable(problems, found)
        return found

    def list(self) -> Sequence[AliasEntry]:
        """Every alias by name.

        Raises:
            AliasUnreadable: some are broken.
        """
        self._refresh()
        if self._problems:
            raise AliasUnreadable(self._problems, self._entries)
        return [self._entries[name] for name in sorted(self._entries)]

    def _refresh(self) -> None:
        try:
            stat = self._path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            if stamp == self._stamp:
                return
            entries, problems = read_aliases(self._path)
        except (OSError, BadInput) as error:
            raise RetryableError(f"aliases in {self._path} are unavailable: {error}") from error
        self._entries, self._problems, self._stamp = entries, problems, stamp


def read_aliases(path: Path) -> tuple[dict[str, AliasEntry], dict[str, str]]:
    """The entries of a file, and what is wrong with the others, by alias.

    Raises:
        OSError: it can't be read.
        BadInput: it is no TOML.
    """
    try:
        plain = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput(f"{path} is not TOML: {error}") from error
    except RecursionError as error:
        raise BadInput(
            f"{path} is nested too deeply to be read: aliases need no nesting"
        ) from error
    entries: dict[str, AliasEntry] = {}
    problems: dict[str, str] = {}
    for name, fields in plain.items():
        alias = name.lower()
        if alias in entries or alias in problems:
            # Written in capitals too: nobody knows which one is meant.
            entries.pop(alias, None)
            problems[alias] = "it stands there twice"
            continue
        try:
            entries[alias] = entry_of(alias, fields)
        except BadInput as error:
            problems[alias] = str(error)
    return entries, problems


def entry_of(alias: str, fields: object) -> AliasEntry:
    """An entry as the file has it.

    Raises:
        BadInput: it has not the shape of one; the text says why.
    """
    if not isinstance(fields, dict):
        raise BadInput("it is no table with targets")
    unknown = sorted(fields.keys() - KEYS)
    if unknown:
        raise BadInput(f"it has no key {unknown[0]!r}: there are {', '.join(sorted(KEYS))}")
    targets = fields.get("targets")
    if not isinstance(targets, list) or not targets or not all(map(_is_address, targets)):
        raise BadInput("targets is no list of addresses")
    tenant = fields.get("tenant", alias)
    if not isinstance(tenant, str) or not tenant:
        raise BadInput("tenant is no text")
    if problem := tenant_problem(tenant):
        raise BadInput(problem)
    moderated = fields.get("moderated", False)
    if not isinstance(moderated, bool):
        raise BadInput("moderated is neither true nor false")
    digest = hashlib.blake2b(repr(sorted(fields.items())).encode(), digest_size=6).digest()
    return AliasEntry(
        alias,
        int.from_bytes(digest),
        tenant,
        tuple(dict.fromkeys(targets)),
        moderated=moderated,
        schedule=_schedule(fields),
    )


def _is_address(value: object) -> bool:
    return isinstance(value, str) and all(value.rpartition("@")[::2])


def _schedule(fields: Mapping[str, Any]) -> Schedule:
    not_before = fields.get("not_before")
    at = 0
    if not_before is not None:
        if not isinstance(not_before, datetime) or not_before.tzinfo is None:
            raise BadInput("not_before is no date and time with a time zone")
        at = max(0, round(not_before.timestamp() * SECOND_US))
    delay_s = fields.get("delay_s", 0)
    if isinstance(delay_s, bool) or not isinstance(delay_s, int | float) or not 0 <= delay_s < 1e9:  # noqa: PLR2004
        raise BadInput("delay_s is no number of seconds")
    window = fields.get("window", "")
    if not isinstance(window, str):
        raise BadInput("window is no text")
    if window:
        parse_window(window)
    return Schedule(not_before=at, delay_us=round(delay_s * SECOND_US), window=window)
