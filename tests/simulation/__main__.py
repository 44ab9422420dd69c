"""``python -m tests.simulation --seeds 100000``: the simulation by hand, for as long as you like.

``--first N --seeds 1`` runs one seed again; ``--mutation NAME`` takes something away first.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulation.mutations import MUTATIONS
from tests.simulation.runner import Report, run_seeds


def main() -> int:
    """Run the seeds; 1 when one failed, or when some call site was never hit."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: 0)")
    parser.add_argument("--processes", type=int, default=2, help="side by side (default: 2)")
    parser.add_argument("--mutation", choices=sorted(MUTATIONS), help="what to take away")
    options = parser.parse_args()
    began = time.monotonic()
    report = Report()
    seeds = range(options.first, options.first + options.seeds)
    for result in run_seeds(seeds, processes=options.processes, mutant=options.mutation):
        report.add(result)
        if not result.good:
            _say(str(result))
        if report.seeds % 100 == 0:
            seconds = time.monotonic() - began
            _say(f"{report.seeds} seeds, {len(report.failed)} failed, {seconds:.0f} s")
    _say(report.table())
    unmet = report.unmet()
    for each in unmet:
        _say(each)
    if report.failed:
        _say(f"failed: {' '.join(str(each.seed) for each in report.failed)}")
    return 1 if report.failed or unmet else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
