"""Measures the way from the stream to "scheduled" on a real MiniStack, with the real adapters.

Mails are put on the stream as intake puts them (MailReceived); core's lanes read them, look their
aliases up, decide, append, commit, read their own decisions back and commit those. Measured are:

- core's lanes driven bare (on one thread, and on a thread a shard) and hosted by Faust: what the
  hosting costs;
- beside them, the limit: what boto3 alone takes for the same records and items, called between
  the rounds of the same run, and the computing alone (benchmarks/fold.py);
- all of it at a growing length of the stream: what lies behind the cursor must cost nothing.

CPU time is this process's; MiniStack is another. Taking the shards over is measured by itself.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import Final

from _drive import BARE, FAUST, THREADS, Round, drive
from _limits import COMPUTE, GET, LOOK_UP, PUT, READ, TRANSACT, Limits
from _mails import life
from _measure import Table, command, show
from _world import World, worlds

MODES: Final = (BARE, THREADS, FAUST)
WARMING: Final = 400
"""Mails before anything is measured, to make connections and compile codecs."""
FILLING: Final = 2_000
"""Mails driven at a time to make the stream longer."""
UNMEASURED_S: Final = 0.1
"""Idling where it is not looked at."""


def say(text: str) -> None:
    """Progress, apart from what is printed at the end."""
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Measured:
    """Rounds by mode, and the limits probed between them."""

    rounds: dict[str, list[Round]]
    limits: Limits

    def typical(self, mode: str, figure: Callable[[Round], float]) -> float:
        """The median of a mode's rounds."""
        return median(figure(each) for each in self.rounds[mode])

    def times(self, mode: str, to: str, figure: Callable[[Round], float]) -> float:
        """A mode's figure as a multiple of another's: the median over rounds of the same turn."""
        pairs = zip(self.rounds[mode], self.rounds[to], strict=True)
        return median(figure(mine) / figure(other) for mine, other in pairs)

    def carried(self, operation: str) -> float:
        """Records or items a mail that an operation carries."""
        if operation == READ:
            return self.typical(BARE, lambda each: each.passage.records_read / each.mails)
        return self.typical(BARE, lambda each: each.passage.carried[operation] / each.mails)


def run(warm: World, made: World, options: argparse.Namespace) -> Measured:
    """Turn after turn: make the stream longer, drive in every mode, probe the limits between."""
    say("warming up")
    warmed = [drive(mode, warm, WARMING, UNMEASURED_S) for mode in MODES]
    measured = Measured({mode: [] for mode in MODES}, Limits(warm, warmed[0].sample))
    last = options.turns - 1
    for turn in range(options.turns):
        length = options.longest * turn // max(last, 1)
        while made.length < length:
            missing = (length - made.length + 1) // 2
            drive(THREADS, made, min(FILLING, missing), UNMEASURED_S)
        say(f"turn {turn + 1} of {options.turns}: {made.length:,} records on the stream")
        first = turn % len(MODES)
        for mode in (*MODES[first:], *MODES[:first]):
            # Long enough for every timer of the host: once is enough.
            idle_s = options.idle_s if turn == last else UNMEASURED_S
            measured.rounds[mode].append(drive(mode, made, options.mails, idle_s))
            measured.limits.probe()
    return measured


def speeds(measured: Measured, mails: int) -> Table:
    """How fast, beside the limit, and what the hosting costs."""
    table = Table(
        f"Stream to scheduled: {mails:,} mails a round, {len(measured.rounds[BARE])} rounds a mode",
        (
            "core's lanes",
            "mails per CPU-second",
            "CPU us a mail",
            "times bare",
            "and full GC, us",
            "mails per second",
            "take-over CPU ms",
            "idle CPU ms a second",
        ),
    )
    for mode in MODES:
        cpu_us = measured.typical(mode, Round.cpu_us)
        collections_us = mean(map(Round.collections_us, measured.rounds[mode]))
        table.rows.append(
            (
                mode,
                1e6 / (cpu_us + collections_us),
                cpu_us,
                measured.times(mode, BARE, Round.cpu_us),
                collections_us,
                measured.typical(mode, lambda each: each.mails / each.passage.wall_s),
                measured.typical(mode, lambda each: each.takeover_cpu_s * 1e3),
                measured.rounds[mode][-1].idle_ms,
            )
        )
    bare_us = measured.typical(BARE, Round.cpu_us)
    boto_us, wall_us, compute_us = _limit(measured)
    for name, cpu_us, passed in (
        ("limit: boto3 alone", boto_us, 1e6 / wall_us),
        ("limit: boto3 and the computing", boto_us + compute_us, None),
    ):
        table.rows.append((name, 1e6 / cpu_us, cpu_us, cpu_us / bare_us, None, passed, None, None))
    hosting = [measured.times(FAUST, mode, Round.cpu_us) for mode in (BARE, THREADS)]
    table.notes = (
        f"Faust's hosting: {hosting[0]:.2f} times the CPU of the bare loop, {hosting[1]:.2f} times",
        "that of as many threads without it.",
        "Full GC: a mean, since few rounds have one; mails per CPU-second pay for it.",
        "Take-over: all shards, the host's start included. Idle: bare polls and ticks as often as",
        "the host does, but beats no heart and looks for no shards.",
        "Mails per second are MiniStack's pace, one call at a time in the limit's row.",
    )
    return table


def _limit(measured: Measured) -> tuple[float, float, float]:
    """CPU and wall microseconds a mail of boto3 alone; CPU microseconds of the computing."""
    costs = measured.limits.costs
    calls = (READ, PUT, GET, LOOK_UP, TRANSACT)
    cpu = sum(measured.carried(name) * costs[name].cpu_us() for name in calls)
    wall = sum(measured.carried(name) * costs[name].wall_us() for name in calls)
    return cpu, wall, costs[COMPUTE].cpu_us()


def ceiling(measured: Measured) -> Table:
    """The limit, call by call."""
    table = Table(
        "The limit: the same records and items by boto3 alone",
        ("call", "carried", "CPU ms a call", "CPU us each", "each a mail", "CPU us a mail"),
    )
    for name in (READ, PUT, GET, LOOK_UP, TRANSACT):
        cost, share = measured.limits.costs[name], measured.carried(name)
        each_us = cost.cpu_us()
        call_ms = each_us * cost.carries / 1e3
        table.rows.append((name, cost.carries, call_ms, each_us, share, share * each_us))
    boto_us, _, compute_us = _limit(measured)
    bare_us = measured.typical(BARE, Round.cpu_us)
    for label, cost_us in (
        ("sum of boto3", boto_us),
        ("decode, judge, fold, decide, encode", compute_us),
        ("the rest: items, views, adapters", bare_us - boto_us - compute_us),
        (f"core's lanes {BARE}", bare_us),
    ):
        table.rows.append((label, None, None, None, None, cost_us))
    return table


def calls(measured: Measured) -> Table:
    """AWS calls by operation, bare and hosted, from the first read to the last commit."""
    names = {
        name
        for mode in (BARE, FAUST)
        for each in measured.rounds[mode]
        for name in each.passage.calls
    }
    table = Table(
        "AWS calls of 1,000 mails", ("operation", "bare", "hosted by Faust", "carried a call")
    )

    def rate(name: str) -> Callable[[Round], float]:
        return lambda each: each.passage.calls[name] * 1e3 / each.mails

    for name in sorted(names, key=lambda each: -measured.typical(BARE, rate(each))):
        bare = measured.typical(BARE, rate(name))
        load = measured.carried(name) * 1e3 / bare if bare else None
        table.rows.append((name, bare, measured.typical(FAUST, rate(name)), load))
    whole = [measured.typical(mode, _all_calls) for mode in (BARE, FAUST)]
    table.rows.append(("together", *whole, None))
    return table


def _all_calls(each: Round) -> float:
    return each.passage.calls.total() * 1e3 / each.mails


def records(measured: Measured) -> Table:
    """How much of the stream a mail is."""
    table = Table("A mail on the stream", ("part", "records", "bytes", "bytes a record"))
    rows: Sequence[tuple[str, float, float]] = (
        (
            "read until scheduled",
            measured.carried(READ),
            measured.typical(BARE, lambda each: each.passage.bytes_read / each.mails),
        ),
        (
            "of these written by core",
            measured.typical(BARE, lambda each: each.passage.records_put / each.mails),
            measured.typical(BARE, lambda each: each.passage.bytes_put / each.mails),
        ),
        ("its whole life, one target, delivered", *_life()),
    )
    table.rows += [(name, count, size, size / count) for name, count, size in rows]
    return table


def _life() -> tuple[float, float]:
    history = life("record sizes")
    return float(len(history)), float(sum(map(len, history)))


def lengths(measured: Measured) -> Table:
    """Each turn, by the length of the stream at its beginning."""
    turns = list(zip(*(measured.rounds[mode] for mode in MODES), strict=True))
    table = Table(
        "The length of the stream: CPU us a mail, and what taking the shards over costs",
        (
            "records before",
            *MODES,
            "times the first turn",
            "take-over CPU ms",
            "take-over calls, bare",
        ),
    )
    for rounds in turns:
        grown = median(
            each.cpu_us() / first.cpu_us() for each, first in zip(rounds, turns[0], strict=True)
        )
        table.rows.append(
            (
                min(each.length for each in rounds),
                *(each.cpu_us() for each in rounds),
                grown,
                median(each.takeover_cpu_s * 1e3 for each in rounds),
                rounds[0].takeover_calls,
            )
        )
    half = len(turns) // 2
    if half:
        grown = median(_growth(measured.rounds[mode], half) for mode in MODES)
        table.notes = (
            f"In the later half of the turns a mail costs {grown:.2f} times what it does in the",
            "earlier (the median of the modes).",
        )
    return table


def _growth(rounds: Sequence[Round], half: int) -> float:
    earlier, later = rounds[:half], rounds[-half:]
    return median(map(Round.cpu_us, later)) / median(map(Round.cpu_us, earlier))


def main() -> None:
    """Measure and print."""
    parser = command(__doc__)
    parser.add_argument("--mails", type=int, default=1_000, help="mails a round (default: 1000)")
    parser.add_argument("--turns", type=int, default=6, help="rounds of each mode (default: 6)")
    parser.add_argument(
        "--longest",
        type=int,
        default=40_000,
        help="records on the stream, at least, before the last turn; before the first there are "
        "none (default: 40000)",
    )
    parser.add_argument(
        "--idle-s", type=float, default=3.0, help="seconds of idling in the last turn (default: 3)"
    )
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    # It warns of every tick that waits behind a batch: here every batch is a full one.
    logging.getLogger("mode.timers").setLevel(logging.ERROR)
    with worlds("warmup", "mailtumble") as (warm, made):
        measured = run(warm, made, options)
    tables = [
        speeds(measured, options.mails),
        ceiling(measured),
        calls(measured),
        records(measured),
        lengths(measured),
    ]
    show(tables, as_json=options.json)


if __name__ == "__main__":
    main()
