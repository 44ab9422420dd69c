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

KEY_BYTES_MAX: Final = 1024
"""DynamoDB's limit for a sort key. The queue's: ``tenant|source|destination|rank#due#attempt``."""
DOMAIN_BYTES_MAX: Final = 255
"""RFC 5321, section 4.5.3.1.2."""
_REST_BYTES: Final = len("|||") + len(_PLAIN) + len("#") + 20 + len("#") + 36
"""Separators, the rank, the due time in 20 digits, and the attempt's UUID: 62."""
TENANT_BYTES_MAX: Final = KEY_BYTES_MAX - 2 * DOMAIN_BYTES_MAX - _REST_BYTES
"""What is left for a tenant's name as it stands in the key, percent-encoded: 452."""


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


def tenant_problem(tenant: str) -> str | None:
    """What is wrong with a tenant's name, if anything: it has to fit into the queue's key."""
    length = len(quote(tenant, safe=""))
    if length <= TENANT_BYTES_MAX:
        return None
    return (
        f"the tenant {tenant[:20]}... is too long: {length} bytes, percent-encoded as in the "
        f"queue's key, which has room for {TENANT_BYTES_MAX}"
    )


def domain_of(address: str) -> str:
    """What stands behind the last ``@``, in lower case; "" where there is none."""
    return address.rpartition("@")[2].lower() if "@" in address else ""
