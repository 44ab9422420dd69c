"""Aliases in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtumble.ports.world import AliasEntry
from schemas.values import ALWAYS, Schedule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class InMemoryAliases:
    """An :class:`mailtumble.ports.world.AliasRepository`, and the means to fill it."""

    def __init__(self) -> None:
        """Start without any alias."""
        self._entries: dict[str, AliasEntry] = {}
        self._versions: dict[str, int] = {}

    def find(self, names: Sequence[str]) -> Mapping[str, AliasEntry]:
        """The entries that exist, by name."""
        return {name: self._entries[name] for name in names if name in self._entries}

    def put(
        self,
        alias: str,
        targets: Sequence[str],
        tenant: str,
        *,
        moderated: bool = False,
        schedule: Schedule = ALWAYS,
    ) -> int:
        """Create or replace an alias; its version, which grows by one with every change."""
        version = self._next(alias)
        self._entries[alias] = AliasEntry(
            alias, version, tenant, tuple(targets), moderated=moderated, schedule=schedule
        )
        return version

    def remove(self, alias: str) -> int:
        """Take an alias away; the version of its absence, or 0 where it was not there."""
        return 0 if self._entries.pop(alias, None) is None else self._next(alias)

    def list(self) -> Sequence[AliasEntry]:
        """Every alias by name."""
        return [self._entries[name] for name in sorted(self._entries)]

    def _next(self, alias: str) -> int:
        self._versions[alias] = self._versions.get(alias, 0) + 1
        return self._versions[alias]
