"""Aliases in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtumble.ports.world import AliasEntry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class InMemoryAliases:
    """An :class:`mailtumble.ports.world.AliasRepository`, and the means to fill it."""

    def __init__(self) -> None:
        """Start without any alias."""
        self._entries: dict[str, AliasEntry] = {}

    def find(self, names: Sequence[str]) -> Mapping[str, AliasEntry]:
        """The entries that exist, by name."""
        return {name: self._entries[name] for name in names if name in self._entries}

    def put(self, alias: str, targets: Sequence[str], tenant: str) -> int:
        """Create or replace an alias; its version, which grows by one each time."""
        before = self._entries.get(alias)
        version = 1 if before is None else before.version + 1
        self._entries[alias] = AliasEntry(alias, version, tenant, tuple(targets))
        return version

    def remove(self, alias: str) -> bool:
        """Take an alias away; whether it was there."""
        return self._entries.pop(alias, None) is not None

    def list(self) -> Sequence[AliasEntry]:
        """Every alias by name."""
        return [self._entries[name] for name in sorted(self._entries)]
