"""Which names of an alias are tried for a recipient, and which of the entries found wins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

Entry = TypeVar("Entry")


def names_to_try(recipient: str) -> tuple[str, ...]:
    """The alias names for an envelope recipient, the most particular one first.

    The exact address, the address without its ``+tag`` (RFC 5233 calls it the detail), then
    ``@domain`` for all that is left. Case is ignored, as everybody's mail server does.
    """
    address = recipient.strip().lower()
    local_part, at, domain = address.rpartition("@")
    if not at:
        return (address,)
    names = [address]
    stripped, plus, _ = local_part.partition("+")
    if plus and stripped:
        names.append(f"{stripped}@{domain}")
    names.append(f"@{domain}")
    return tuple(names)


def choose(names: tuple[str, ...], entries: Mapping[str, Entry]) -> Entry | None:
    """The entry of the most particular name that has one."""
    return next((entries[name] for name in names if name in entries), None)
