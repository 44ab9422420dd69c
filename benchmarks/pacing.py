"""Measures what a fleet makes of one sending quota, and how often it is refused for going too fast.

- virtual: the product's own pacing in virtual time, against three limiters, with 1, 4 and 16
  senders whose clocks are off by up to 500 ms (they set them right by AWS's replies), jitter and
  latency drawn by seed; the quota changed and senders killed in the middle. Worst of all seeds.

"Throttled" counts answers of the server. "Used" is the share of what the quota allowed while the
queue was not empty. Ends with exit code 1 if a row is not as asked.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import _virtual
from _measure import Table, command, show
from _outcome import COLUMNS, Outcome

PARTS: Final[Mapping[str, Callable[[argparse.Namespace], Iterator[Outcome]]]] = {
    "virtual": lambda options: _virtual.rows(options.virtual_seconds, options.seeds),
}


def say(text: str) -> None:
    """Progress, apart from what is printed at the end."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Measure and print."""
    parser = command(__doc__)
    parser.add_argument("--only", choices=tuple(PARTS), help="one part of the table (default: all)")
    parser.add_argument("--seeds", type=int, default=5, help="of a virtual row (default: 5)")
    parser.add_argument(
        "--virtual-seconds", type=int, default=60, help="of a virtual run (default: 60)"
    )
    options = parser.parse_args()
    started = time.monotonic()
    table = Table("One quota, many senders", COLUMNS)
    held = True
    for name in [options.only] if options.only else PARTS:
        for outcome in PARTS[name](options):
            table.rows.append(outcome.row())
            held = held and outcome.holds()
            say("  ".join(str(cell) for cell in table.rows[-1] if cell is not None))
    table.notes = (f"Measured in {time.monotonic() - started:.0f} s.",)
    show([table], as_json=options.json)
    if not held:
        sys.exit("a row is not as asked")


if __name__ == "__main__":
    main()
