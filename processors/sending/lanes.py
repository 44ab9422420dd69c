"""Lanes: the parts of the queue that stop and go as a whole, so that none stands in another's way.

What can be stopped or slowed by itself is a tenant, the domain that mail goes out from (SES may
not let it), and the domain that mail goes to (its servers may be slow). A mail with the tag
``urgent``, which moderation rules give, has the way before all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

URGENT_TAG: Final = "urgent"
_SEPARATOR: Final = "|"
_URGENT, _PLAIN = "0", "1"


@dataclass(frozen=True, slots=True)
class Lane:
    """Whose mail, from which domain, to which domain (both in lower case)."""

    tenant: str
    source: str
    destination: str
    urgent: bool = False

    @property
    def text(self) -> str:
        """As it stands in the queue's key; without ``#``."""
        rank = _URGENT if self.urgent else _PLAIN
        parts = (quote(each, safe="") for each in (self.tenant, self.source, self.destination))
        return _SEPARATOR.join((*parts, rank))


NOWHERE: Final = Lane("", "", "")


def read_lane(text: str) -> Lane:
    """A lane from the queue's key."""
    tenant, source, destination, rank = text.split(_SEPARATOR)
    return Lane(unquote(tenant), unquote(source), unquote(destination), urgent=rank == _URGENT)


def domain_of(address: str) -> str:
    """What stands behind the last ``@``, in lower case; "" where there is none."""
    return address.rpartition("@")[2].lower() if "@" in address else ""
