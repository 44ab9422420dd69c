"""Measures what a fleet makes of one sending quota, and how often it is refused for going too fast.

- virtual: the product's own pacing in virtual time, against three limiters, with 1, 4 and 16
  senders whose clocks are off by up to 500 ms (they set them right by AWS's replies), jitter and
  latency drawn by seed; the quota changed and senders killed in the middle. Worst of all seeds.
- processes: the same with real processes, boto3 and a local SES that answers after 40 ms: whole
  senders with a queue filled beforehand, or (where it says so) the product's pacing and transport
  alone; the quota changed and a third of the senders killed with -9 in the middle.
- takeover: whole senders with core beside them; a third is killed with -9 in the middle, and
  another process takes its place some seconds later, as a supervisor sees to it. The queue drains
  to its end: nothing is lost, and what SES has accepted twice the log has marked. SES's own events
  don't come, so that nobody tells what became of the dead one's calls.
- baselines: botocore's adaptive retry mode, and a token bucket in each process with its share of
  95.2 % of the rate.
- rules: fairness beside a campaign, the estimate, the end of a daily quota, and lost replies, in a
  table of its own: in virtual time, and with all processes of a local stack.
- short (only where asked for): ten seconds of a whole fleet and of its pacing alone, as the tests
  run them.

"Throttled" counts answers of the server; where the rate is halved there may be some, within three
seconds, and none before. "Used" is the share of what the quota allowed while the
queue was not empty. Ends with exit code 1 if a row is not as asked, or if all of it took more than
20 minutes.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import _fleet
import _rules
import _takeover
import _virtual
from _measure import Table, command, show, shown
from _outcome import COLUMNS, Outcome
from _stage import Late

from schemas.errors import MailtumbleError

PARTS: Final[Mapping[str, Callable[[argparse.Namespace], Iterator[Outcome]]]] = {
    "virtual": lambda options: _virtual.rows(options.virtual_seconds, options.seeds),
    "processes": lambda options: _fleet.processes(options.seconds),
    "takeover": lambda _: iter([_takeover.play()]),
    "baselines": lambda options: _fleet.baselines(options.seconds),
    "short": lambda _: _fleet.short(),
}


RULES: Final = "rules"
NOT_AS_ASKED: Final = "a row is not as asked"
FAILURES: Final = (Late, MailtumbleError, OSError)
"""Of a process that does not start, or dies: what was measured until then is shown all the same."""
WHOLE_WITHIN_S: Final = 20 * 60
WHOLE: Final = ("virtual", "processes", "takeover", "baselines", RULES)


def say(text: str) -> None:
    """Progress, apart from what is printed at the end."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Measure and print."""
    parser = command(__doc__)
    parser.add_argument(
        "--only", choices=(*PARTS, RULES), help="one part of the tables (default: all)"
    )
    parser.add_argument("--seeds", type=int, default=5, help="of a virtual row (default: 5)")
    parser.add_argument(
        "--virtual-seconds", type=int, default=60, help="of a virtual run (default: 60)"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=30.0,
        help="measured of a run with real processes, which takes 10 to 20 s more (default: 30)",
    )
    options = parser.parse_args()
    started = time.monotonic()
    tables: list[Table] = []
    wrong: list[str] = []
    wanted = (options.only,) if options.only else WHOLE
    parts = [each for each in wanted if each != RULES]
    if parts:
        tables.append(_pace(parts, options, wrong))
    if RULES in wanted:
        tables.append(_kept(wrong))
    took_s = time.monotonic() - started
    tables[-1].notes = (
        *tables[-1].notes,
        f"Measured in {took_s:.0f} s on {os.cpu_count()} cores.",
    )
    show(tables, as_json=options.json)
    if not options.only and took_s > WHOLE_WITHIN_S:
        wrong.append("all of it took more than 20 minutes")
    if wrong:
        sys.exit("; ".join(dict.fromkeys(wrong)))


def _pace(parts: Sequence[str], options: argparse.Namespace, wrong: list[str]) -> Table:
    table = Table("One quota, many senders", COLUMNS)
    table.notes = (
        "Aim: the share of MaxSendRate that is aimed at. CPU: shares of one core; the servers are",
        "MiniStack, the local SES and core, others what else ran on this machine: where they leave",
        "too little, calls come late, and lose their instants. In virtual time accepted and",
        "throttled are those of all seeds together, used is the least of them.",
    )
    for name in parts:
        try:
            for outcome in PARTS[name](options):
                table.rows.append(outcome.row())
                if not outcome.holds():
                    wrong.append(NOT_AS_ASKED)
                say("  ".join(filter(None, map(shown, table.rows[-1]))))
        except FAILURES as error:
            wrong.append(f"{name}: {error}")
    return table


def _kept(wrong: list[str]) -> Table:
    table = Table("What a fleet owes", _rules.COLUMNS)
    try:
        for rule in _rules.rules():
            table.rows.append(rule.row())
            if not rule.holds:
                wrong.append(NOT_AS_ASKED)
            say(f"{rule.what}: {shown(rule.found)}")
    except FAILURES as error:
        wrong.append(f"{RULES}: {error}")
    return table


if __name__ == "__main__":
    main()
