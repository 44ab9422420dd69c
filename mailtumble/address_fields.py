"""The addresses in a header field, whatever else is in it."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from email.utils import getaddresses
from typing import Any, Final

FIELD_CHARS_MAX: Final = 64 * 1024
"""As much of a field is parsed: parsing takes about a microsecond a character."""

_LENIENT: Final[dict[str, Any]] = (
    {"strict": False} if "strict" in inspect.signature(getaddresses).parameters else {}
)
"""Pythons with the answer to CVE-2023-27043 give up a whole field for one broken address in it.
What is read here decides about no permission; a mail with a broken neighbour has to arrive."""


def addresses_in(values: Sequence[str]) -> Sequence[tuple[str, str]]:
    """Pairs of (display name, address) of these fields; a part that is none has no address."""
    try:
        return getaddresses([value[:FIELD_CHARS_MAX] for value in values], **_LENIENT)
    except (ValueError, IndexError, AttributeError, TypeError, RecursionError):
        # The parser recurses into nested comments and trips over some garbage.
        return ()
