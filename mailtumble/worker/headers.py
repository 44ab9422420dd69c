"""The headers of mails, read from where SES has put them, for rules that look into them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from email.errors import MessageError
from email.header import decode_header, make_header
from typing import Any, Final

from mailtumble.ports.world import ObjectMissing, ObjectStore
from processors.forwarding.header_block import read_header

HEADER_BYTES_MAX: Final = 128 * 1024
"""A longer header is cut: SES itself tells 10 KB of it."""

Place = tuple[str, str]
Headers = tuple[tuple[str, str], ...]
SideBySide = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]


class HeaderReader:
    """A :class:`mailtumble.ports.world.MailHeaders`: the fields of the names that rules ask for."""

    def __init__(
        self, objects: ObjectStore, names: frozenset[str], side_by_side: SideBySide = map
    ) -> None:
        """``names`` in lower case; ``side_by_side``: map, or one that uses several threads."""
        self._objects = objects
        self._names = names
        self._side_by_side = side_by_side

    def read(self, places: Sequence[Place]) -> Mapping[Place, Headers]:
        """The fields of each mail that is there."""
        distinct = list(dict.fromkeys(places))
        read = self._side_by_side(self._one, distinct)
        return {
            place: headers
            for place, headers in zip(distinct, read, strict=True)
            if headers is not None
        }

    def _one(self, place: Place) -> Headers | None:
        try:
            raw = self._objects.head(*place, HEADER_BYTES_MAX)
        except ObjectMissing:
            return None
        return tuple(
            (name.decode("ascii"), unfolded(field[len(name) :]))
            for field, name in read_header(raw).fields
            if name and name.lower().decode("ascii") in self._names
        )


def unfolded(value: bytes) -> str:
    """A field's value (from its colon on) as a person reads it: one line, words decoded."""
    text = value.partition(b":")[2].decode("utf-8", "replace")
    line = " ".join(text.split())
    try:
        return str(make_header(decode_header(line)))
    except (MessageError, ValueError, LookupError):
        return line
