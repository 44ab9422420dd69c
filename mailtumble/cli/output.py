"""What commands print: JSON for machines, aligned tables for people, colours on a terminal only."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import click

from schemas.values import Status

COLUMN_GAP: Final = "  "
CELL_MAX: Final = 60
"""A longer cell is cut, so that a row stays a line; JSON has it whole."""

COLOURS: Final = {
    Status.COMPLETED: "green",
    Status.PARKED: "red",
    Status.EXPIRED: "red",
    Status.REJECTED: "red",
    Status.BOUNCED: "red",
    Status.UNROUTABLE: "red",
    Status.UNKNOWN: "yellow",
    Status.DEFERRED: "yellow",
}


def print_json(value: object) -> None:
    """Print a value as indented JSON, with JSON's escapes for whatever could steer a terminal."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    # Outside of strings there is nothing unprintable but line ends, inside there are none.
    click.echo("\n".join(_json_escaped(line) for line in text.split("\n")))


def print_line(text: str) -> None:
    """Print a line that may hold words of strangers (a subject, an SMTP reply)."""
    click.echo(printable(text))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows below their headings, aligned; statuses are coloured on a terminal.

    None is shown as ``-``.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    table = [list(headings), *cells]
    widths = [max(_width(row[place]) for row in table) for place in range(len(headings))]
    _print_row(list(headings), widths, heading=True)
    for row in cells:
        _print_row(row, widths, heading=False)


@contextmanager
def progress_bar(length: int, label: str) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, if that is a terminal; what it gives moves it on to a place."""
    if not sys.stderr.isatty():
        yield lambda place: None  # noqa: ARG005 - nobody looks
        return
    with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
        yield lambda place: bar.update(max(0, place - bar.pos))


def print_hint(text: str) -> None:
    """Tell a person what to do next, on stderr, so that nothing piped is disturbed."""
    click.echo(text, err=True)


def printable(text: str) -> str:
    """The text on one line, with escapes for whatever could steer a terminal."""
    return "".join(each if each.isprintable() else _escape(each) for each in text)


def printable_lines(text: str) -> str:
    """The same for a text of several lines, in which there may be tabs and spaces of any kind."""
    return "\n".join(
        printable("".join(" " if unicodedata.category(each) == "Zs" else each for each in line))
        for line in text.replace("\r\n", "\n").expandtabs().split("\n")
    )


def _json_escaped(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(
        each if each.isprintable() else json.dumps(each).removeprefix('"').removesuffix('"')
        for each in line
    )


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _cell(value: object) -> str:
    text = "-" if value is None else printable(str(value))
    if _width(text) <= CELL_MAX:
        return text
    cut = text[: CELL_MAX - 1]
    while _width(cut) > CELL_MAX - 1:
        cut = cut[:-1]
    return f"{cut}…"


def _width(text: str) -> int:
    """Columns of a terminal: wide characters take two, combining ones none."""
    wide = sum(unicodedata.east_asian_width(each) in "WF" for each in text)
    return len(text) + wide - sum(unicodedata.combining(each) > 0 for each in text)


def _print_row(row: Sequence[str], widths: Sequence[int], *, heading: bool) -> None:
    padded = [cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)]
    padded[-1] = row[-1]
    if heading:
        shown = [click.style(cell, bold=True) for cell in padded]
    else:
        shown = [_coloured(cell) for cell in padded]
    # click takes colours out again where the output is no terminal.
    click.echo(COLUMN_GAP.join(shown), color=False if os.environ.get("NO_COLOR") else None)


def _coloured(cell: str) -> str:
    colour = COLOURS.get(cell.strip())  # type: ignore[call-overload]
    return cell if colour is None else click.style(cell, fg=colour)
