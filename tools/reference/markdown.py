"""The pieces that all pages are put together from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

GENERATED: Final = "<!-- Written by python -m tools.reference: change the code, not this file. -->"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table."""
    yield f"| {' | '.join(headings)} |"
    yield "|---" * len(headings) + "|"
    for row in rows:
        yield f"| {' | '.join(map(_cell, row))} |"


def code(text: str) -> str:
    """Text as it is typed; nothing where there is none."""
    return f"`{text}`" if text else ""


def prose(text: str) -> str:
    """Text in which ``<`` opens no tag."""
    return text.replace("<", "&lt;")


def fence(lines: Iterable[str], language: str = "") -> Iterator[str]:
    """A block of lines as they are."""
    yield f"```{language}"
    yield from lines
    yield "```"


def _cell(text: str) -> str:
    # A bar ends a cell, even in code.
    return text.replace("|", "\\|")
