"""Rates per CPU-second, compared within one run, and the tables that show them.

CPU time is this process's own (:func:`time.process_time`), so that a busy machine disturbs it
less than the wall clock; it still drifts by up to 40 % from run to run. Hence: the cases take
turns, round by round, and what counts is the ratio between them.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

Work = Callable[[], int]
"""Does a portion of at least a millisecond; gives how many units that was."""

Cell = str | int | float | None

THREE_DIGITS: Final = 1000
TWO_DIGITS: Final = 100
ONE_DIGIT: Final = 10


@dataclass(frozen=True, slots=True)
class Rates:
    """What was measured: for each case, its units per CPU-second in every round."""

    rounds: Mapping[str, Sequence[float]]

    def rate(self, case: str) -> float:
        """Units per CPU-second: the median of the rounds."""
        return median(self.rounds[case])

    def ratio(self, case: str, to: str) -> float:
        """How many times as fast as ``to`` the case is: the median of the rounds' own ratios."""
        pairs = zip(self.rounds[case], self.rounds[to], strict=True)
        return median(mine / other for mine, other in pairs)


def measure(cases: Mapping[str, Work], *, rounds: int, slice_s: float) -> Rates:
    """Run the cases by turns, ``slice_s`` CPU-seconds each a round, in both directions."""
    for work in cases.values():
        work()
    measured: dict[str, list[float]] = {name: [] for name in cases}
    order = list(cases)
    for _ in range(rounds):
        for name in order:
            measured[name].append(_slice(cases[name], slice_s))
        order.reverse()
    return Rates(measured)


def _slice(work: Work, slice_s: float) -> float:
    gc.collect()
    units = 0
    start = now = time.process_time()
    while now - start < slice_s:
        units += work()
        now = time.process_time()
    return units / (now - start)


@dataclass(slots=True)
class Table:
    """Figures with their units in the columns' names, and what has to be known to read them."""

    title: str
    columns: Sequence[str]
    rows: list[Sequence[Cell]] = field(default_factory=list)
    notes: Sequence[str] = ()

    def text(self) -> str:
        """The table for people: the first column to the left, figures to the right."""
        table = [list(self.columns), *([shown(cell) for cell in row] for row in self.rows)]
        widths = [max(len(line[place]) for line in table) for place in range(len(self.columns))]
        table.insert(1, ["-" * width for width in widths])
        lines = [self.title, ""]
        for first, *others in table:
            cells = [first.ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
            lines.append("  " + "  ".join(cells).rstrip())
        lines += ["", *(f"  {note}" for note in self.notes)] if self.notes else []
        return "\n".join(lines) + "\n"

    def plain(self) -> dict[str, object]:
        """The table for machines: a row is an object by the columns' names."""
        rows = [dict(zip(self.columns, row, strict=True)) for row in self.rows]
        return {"title": self.title, "rows": rows, "notes": list(self.notes)}


def shown(cell: Cell) -> str:
    """Three significant digits: more than that is noise."""
    if cell is None or isinstance(cell, str):
        return cell or ""
    if isinstance(cell, int):
        return f"{cell:,}"
    size = abs(cell)
    if size >= THREE_DIGITS:
        return f"{float(f'{cell:.3g}'):,.0f}"
    return f"{cell:.{0 if size >= TWO_DIGITS else 1 if size >= ONE_DIGIT else 2}f}"


def show(tables: Sequence[Table], *, as_json: bool) -> None:
    """Print the tables: one JSON array, or text."""
    if as_json:
        print(json.dumps([table.plain() for table in tables], indent=2))
        return
    for table in tables:
        print(table.text())


def command(description: str) -> argparse.ArgumentParser:
    """A script's command line, with what they all have."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print the tables as JSON")
    return parser


def with_rounds(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The same, for a script whose cases take turns."""
    parser.add_argument("--rounds", type=int, default=7, help="turns of each case (default: 7)")
    parser.add_argument(
        "--slice-s", type=float, default=0.25, help="CPU-seconds of a turn (default: 0.25)"
    )
    return parser
