"""Sends a burst of mails through the whole system, and looks what became of each.

What `mailtumble local` starts is started here: an embedded AWS, the local SES (it enforces its
rate by a debt bucket), intake, core and sender, each a process. The raw mails lie in S3 first, as
SES puts them there. Then their notifications, in the form in which SNS hands them to SQS, are
offered in batches of ten at 50,000 a minute.

- paced: SES allows --rate a second. All mails have to be on the stream within 90 s of the first
  offer (50,000 of them), and accepted within 5 % of the floor mails / (0.95 x rate) seconds. The
  memory of a worker is flat: at the end it has at most a fifth more than in the middle.
- sustained: the rate is out of the way: how many mails a second all processes together, servers
  included, take from the queue to SES and back (SES's own events are read, too).

What is told comes from the stream itself and from the local SES's list, read afterwards. Memory is
the resident one, in MB; CPU is user and system time. Ends with exit code 1 if a mail was lost,
doubled or throttled, or if a bound does not hold.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from typing import Final

from _burst_run import Load, Outcome, burst
from _measure import Cell, Table, command, show

from schemas.errors import MailtumbleError

ON_STREAM_WITHIN_S: Final = 90.0
BURST: Final = 50_000
"""Bounds of coming in, and of memory that is flat, are for so many. Of fewer, offered at the same
pace, nothing is demanded; what they show of memory is how a worker warms up."""
SUSTAINED: Final = 15_000
"""Enough that the seconds in which all processes find their pace, and run out of work, are few."""
OFFERED_WITHIN_S: Final = 60.0
SHARE: Final = 0.95
WITHIN: Final = 1.05
MEMORY_MB: Final = 200.0
GROWTH: Final = 1.2
AIM_PER_S: Final = 150.0
AIM_MS: Final = 4.0
"""Of the product's own CPU, for a mail of 50 KB."""
OUT_OF_THE_WAY: Final = 400.0
PRODUCT: Final = ("intake", "core", "sender")
SERVERS: Final = {"aws": "MiniStack", "ses": "local SES", "feeder": "this script, as SNS"}


def floor_s(load: Load) -> float:
    """The least that the drain may take."""
    return load.mails / (SHARE * load.rate)


def stages(outcome: Outcome) -> Table:
    """When each stage began and ended, beside its bound."""
    load, kinds = outcome.load, outcome.on_stream
    sent_at = outcome.sent.at or [outcome.began]
    table = Table(
        f"{load.mails:,} mails of {load.size:,} bytes, {load.rate:g} a second allowed: the stages, "
        "seconds from the first offer",
        ("stage", "mails", "first", "last", "took", "bound"),
    )
    whole = load.mails >= BURST
    rows: list[tuple[str, int, float, float, float | None]] = [
        (
            "offered in SQS",
            load.mails,
            outcome.began,
            outcome.offered,
            OFFERED_WITHIN_S if whole else None,
        )
    ]
    for name, kind, bound in (
        ("on the stream", "MailReceived", ON_STREAM_WITHIN_S if whole else None),
        ("scheduled by core", "SendScheduled", None),
    ):
        seen = kinds.of(kind)
        rows.append((name, len(seen.mails), seen.first, seen.last, bound))
    rows.append(("accepted by SES", len(outcome.sent.mails), sent_at[0], sent_at[-1], None))
    seen = kinds.of("DeliveryConfirmed")
    rows.append(("delivery read back", len(seen.mails), seen.first, seen.last, None))
    for name, count, first, last, bound in rows:
        begins = outcome.began
        table.rows.append((name, count, first - begins, last - begins, last - first, bound))
    return table


def results(outcome: Outcome, *, paced: bool) -> Table:
    """What became of the mails."""
    load, sent = outcome.load, outcome.sent
    took_s = drain_s(outcome)
    table = Table("What became of them", ("what", "found", "bound", "aim"))
    rows: list[tuple[str, Cell, Cell, Cell]] = [
        ("accepted by SES", sum(sent.mails.values()), load.mails, None),
        ("lost", lost(outcome), 0, None),
        ("duplicates at SES", doubled(outcome), 0, None),
        ("throttled by SES", outcome.stats["throttled"], 0, None),
        ("most in one second", outcome.stats["peak_per_second"], None, None),
        ("deferred or unknown on the stream", unsure(outcome), None, None),
    ]
    if paced:
        rows += [
            ("drain, first to last acceptance, s", took_s, WITHIN * floor_s(load), None),
            ("the floor, s", floor_s(load), None, None),
            ("quota used, %", 100 * load.mails / (load.rate * took_s), None, None),
        ]
    else:
        what = "mails a second, from first offer to the last event read"
        rows.append((what, speed(outcome), None, AIM_PER_S))
    rows += [
        ("records on the stream a mail", outcome.on_stream.records / load.mails, None, None),
        ("bytes on the stream a mail", outcome.on_stream.size_bytes / load.mails, None, None),
    ]
    table.rows += rows
    return table


def drain_s(outcome: Outcome) -> float:
    """From the first to the last acceptance."""
    at = outcome.sent.at
    return max(at[-1] - at[0], 1e-3) if at else float("inf")


def speed(outcome: Outcome) -> float:
    """Mails a second, from the first offer until the last of SES's events is on the stream."""
    last = max(outcome.on_stream.of("DeliveryConfirmed").last, (outcome.sent.at or [0.0])[-1])
    return outcome.load.mails / max(last - outcome.began, 1e-3)


def lost(outcome: Outcome) -> int:
    """Mails that SES never got."""
    return len(outcome.wanted - outcome.sent.mails.keys())


def left_open(outcome: Outcome) -> int:
    """Mails of which the log does not say how they ended."""
    return len(outcome.wanted - outcome.on_stream.of("MailCompleted").mails)


def doubled(outcome: Outcome) -> int:
    """Acceptances above one a mail."""
    return sum(count - 1 for count in outcome.sent.mails.values())


def unsure(outcome: Outcome) -> int:
    """Rounds that ended without an acceptance."""
    kinds = ("SendDeferred", "SendUnknown", "SendFailed")
    return sum(outcome.on_stream.of(kind).count for kind in kinds)


def processes(outcome: Outcome) -> Table:
    """CPU and memory, the product's own processes first."""
    mails = outcome.load.mails
    table = Table(
        "Processes, while the mails went through",
        (
            *("process", "CPU ms a mail", "aim"),
            *("RSS begin", "middle", "end", "end at most", "most", "bound", "PSS end"),
        ),
    )

    def row(name: str, label: str, bound: float | None) -> None:
        taken = outcome.taken[name]
        begin, middle, end = (taken.stage(share) for share in (0.0, 0.5, 1.0))
        flat = GROWTH * middle if bound and mails >= BURST else None
        memory = (begin, middle, end, flat, max(taken.rss_mb), bound, taken.pss_mb)
        table.rows.append((label, taken.cpu_s * 1e3 / mails, None, *memory))

    for name in PRODUCT:
        row(name, name, MEMORY_MB)
    table.rows.append(("the product's own", product_ms(outcome), AIM_MS, *[None] * 7))
    for name, label in SERVERS.items():
        row(name, f"({label})", None)
    whole_s = sum(each.cpu_s for each in outcome.taken.values())
    table.rows.append(("everything", whole_s * 1e3 / mails, *[None] * 8))
    table.notes = (
        f"{whole_s / outcome.watched_s:.2f} of {os.cpu_count()} cores were in use.",
        "MiniStack keeps what is stored in memory: mails, records, items.",
    )
    return table


def product_ms(outcome: Outcome) -> float:
    """CPU-milliseconds a mail of the product's own processes."""
    return sum(outcome.taken[name].cpu_s for name in PRODUCT) * 1e3 / outcome.load.mails


def complaints(outcome: Outcome, *, paced: bool) -> list[str]:
    """The bounds that don't hold."""
    load = outcome.load
    found = [
        (lost(outcome) > 0, "mails were lost"),
        (left_open(outcome) > 0, "mails have not ended"),
        (doubled(outcome) > 0, "mails were doubled"),
        (outcome.stats["throttled"] > 0, "SES throttled calls"),
        (
            max(max(outcome.taken[name].rss_mb) for name in PRODUCT) > MEMORY_MB,
            f"a worker took more than {MEMORY_MB:.0f} MB",
        ),
    ]
    if paced:
        found.append((drain_s(outcome) > WITHIN * floor_s(load), "the drain took too long"))
    if paced and load.mails >= BURST:
        last = outcome.on_stream.of("MailReceived").last
        late = last - outcome.began > ON_STREAM_WITHIN_S
        slow = outcome.offered - outcome.began > OFFERED_WITHIN_S
        grown = [name for name in PRODUCT if outcome.taken[name].growth > GROWTH]
        found += [
            (slow, "the mails were offered too slowly: what came of it says little"),
            (late, "the mails came to the stream too late"),
            (bool(grown), f"memory is not flat: {', '.join(grown)}"),
        ]
    return [text for holds, text in found if holds]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = command(__doc__)
    parser.add_argument("--mails", type=int, default=BURST, help="paced ones (default: 50000)")
    parser.add_argument("--rate", type=float, default=80.0, help="SES's limit a second (80)")
    parser.add_argument("--size", type=int, default=50_000, help="bytes of a mail (default: 50000)")
    parser.add_argument(
        "--sustained",
        type=int,
        default=SUSTAINED,
        metavar="MAILS",
        help=f"mails with the rate out of the way; 0: that part is left out (default: {SUSTAINED})",
    )
    options: argparse.Namespace = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING)
    tables: list[Table] = []
    wrong: list[str] = []
    for mails, rate, paced in (
        (options.mails, options.rate, True),
        (options.sustained, OUT_OF_THE_WAY, False),
    ):
        if not mails:
            continue
        try:
            outcome = burst(Load(mails=mails, rate=rate, size=options.size))
        except (MailtumbleError, OSError) as error:  # what was measured before is shown
            wrong.append(str(error))
        else:
            tables += [stages(outcome), results(outcome, paced=paced), processes(outcome)]
            wrong += complaints(outcome, paced=paced)
    show(tables, as_json=options.json)
    if wrong:
        sys.exit("; ".join(wrong))


if __name__ == "__main__":
    main()
