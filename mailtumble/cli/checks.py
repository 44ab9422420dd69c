"""What people type, checked: aliases and addresses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from processors.routing.decider import TARGETS_MAX
from processors.sending.lanes import DOMAIN_BYTES_MAX, domain_of, tenant_problem
from schemas.errors import BadInput

ADDRESS_MAX: Final = 320
"""64 for the local part, 255 for the domain, and the @ (RFC 5321, section 4.5.3.1)."""


def checked_alias(alias: str) -> str:
    """The alias in lower case.

    Raises:
        BadInput: it is neither ``local@domain`` nor ``@domain``.
    """
    if not (_is_plain(alias) and alias.rpartition("@")[2] and "@" in alias):
        raise BadInput(f"{alias!r} is no alias: give local@domain, or @domain for all of a domain")
    return alias.lower()


def checked_tenant(tenant: str) -> str:
    """The tenant's name.

    Raises:
        BadInput: it does not fit into the queue's key.
    """
    if problem := tenant_problem(tenant):
        raise BadInput(problem)
    return tenant


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


def checked_domain(domain: str) -> str:
    """A domain in lower case, without the ``@`` that may stand before it.

    Raises:
        BadInput: no target's domain is like that.
    """
    name = domain.removeprefix("@").lower()
    if not _is_plain(f"x@{name}") or set(name) & set("@*"):
        raise BadInput(f"{domain!r} is no domain: give it as behind a target's @, in ASCII")
    return name


def checked_address(address: str) -> str:
    """An address as such: no name beside it, no brackets around it. It need not be ASCII.

    Raises:
        BadInput: it is none.
    """
    if not (_is_bare(address) and all(address.rpartition("@")[::2])):
        raise BadInput(f"{address!r} is no address: give local@domain")
    return address


def _is_plain(address: str) -> bool:
    # As it stands in the queue's key.
    domain = quote(domain_of(address), safe="")
    return _is_bare(address) and address.isascii() and len(domain) <= DOMAIN_BYTES_MAX


def _is_bare(address: str) -> bool:
    fits = len(address) <= ADDRESS_MAX and address.isprintable()
    return fits and not set(address) & set(" <>,;")
