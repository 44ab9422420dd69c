"""The rows of benchmarks/pacing.py with real processes: senders, a local SES, a MiniStack.

Each run has all of them to itself, started and stopped by it. Accepted and throttled are the local
SES's own counts; the CPU is read from ``/proc``.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Final

from _outcome import Cpu, Outcome, least_after_change, least_after_deaths
from _stage import QUEUED_WITHIN_S, STARTS_WITHIN_S, Look, Run, Stage

from mailtumble.local.ses.limiters import LIMITERS
from processors.sending.control import EPOCH_US
from schemas.values import SECOND_US

SETTLES_S: Final = 5.0
LOOKS_EVERY_S: Final = 0.5
SPARE_S: Final = 10
"""Mails for so many seconds more: the queue must not run empty."""
SHORT_LEAST: Final = 0.6
"""Where others use the cores calls miss their instants, and those are lost."""
NAMES: Final = {
    "whole": "whole sender",
    "parts": "its pacing and transport",
    "adaptive": "botocore adaptive",
    "bucket": "token bucket each",
}
"""The kinds of sender (see benchmarks/_senders.py)."""


@dataclass(slots=True)
class Seen:
    """What was seen of a run: looks from its begin on, CPU-seconds of all that ran meanwhile."""

    looks: list[Look] = field(default_factory=list)
    senders_cpu_s: float = 0.0
    servers_cpu_s: float = 0.0
    machine_cpu_s: float = 0.0
    doubled: int = 0
    refused_before: int = 0

    @contextlib.contextmanager
    def watching(self, stage: Stage) -> Iterator[None]:
        """Once the fleet has found its pace, look at the begin of the block and at its end."""
        stage.until(lambda: stage.look().accepted > 0, STARTS_WITHIN_S, "mail accepted")
        time.sleep(SETTLES_S)
        before = stage.cpu_s()
        self.looks.append(stage.look())
        yield
        self.looks.append(stage.look())
        self.senders_cpu_s, self.servers_cpu_s, self.machine_cpu_s = (
            now - then for now, then in zip(stage.cpu_s(), before, strict=True)
        )


def processes(seconds: float) -> Iterator[Outcome]:
    """The product's own senders: all of it, or its pacing and transport."""
    for limiter in LIMITERS:
        for senders in (1, 4):
            yield play(Run(kind="whole", limiter=limiter, senders=senders, seconds=seconds))
    fast = Run(kind="parts", limiter="debt", senders=4, rate=200.0, seconds=seconds)
    yield play(fast)
    yield play(replace(fast, kind="whole"))
    yield play(Run(kind="parts", limiter="sliding", senders=4, skew_ms=500, seconds=seconds))
    yield from changing(seconds)


def changing(seconds: float) -> Iterator[Outcome]:
    """In the middle a third is killed, or the rate is another."""
    run = Run(kind="whole", limiter="sliding", senders=4, seconds=seconds)
    least = least_after_deaths(1, 3, seconds)
    yield play(replace(run, senders=3, killed=1, least=least))
    least = least_after_change(40.0, 80.0, seconds)
    yield play(replace(run, rate=40.0, changed_to=80.0, least=least))
    least = least_after_change(80.0, 40.0, seconds)
    yield play(replace(run, changed_to=40.0, least=least, refusable_us=EPOCH_US))


def short() -> Iterator[Outcome]:
    """What the tests run, on a machine that is busy with others: less than 95 % may be used."""
    for kind in ("whole", "parts"):
        run = Run(kind=kind, limiter="debt", senders=4, seconds=10.0, least=SHORT_LEAST)
        yield play(run)


def baselines(seconds: float) -> Iterator[Outcome]:
    """What else paces: of these nothing is asked."""
    for kind in ("adaptive", "bucket"):
        for limiter in LIMITERS:
            yield play(
                Run(
                    kind=kind,
                    limiter=limiter,
                    senders=4,
                    seconds=seconds,
                    least=None,
                    refusable_us=None,
                )
            )


def play(run: Run) -> Outcome:
    """Start everything, let it run, stop it, and say what came of it.

    Raises:
        Late: something does not start.
    """
    with (
        tempfile.TemporaryDirectory(prefix="mailtumble-bench-") as folder,
        contextlib.ExitStack() as stack,
    ):
        stage = Stage(run, Path(folder), stack)
        if run.kind == "whole":
            fastest = max(run.rate, run.changed_to)
            mails = round(fastest * (run.seconds + SETTLES_S + SPARE_S))
            stage.fill(mails)
            stage.start_senders()
            stage.until(lambda: stage.queued() == mails, QUEUED_WITHIN_S, "full queue")
            stage.start_ses()
        else:
            stage.start_ses()
            stage.start_senders()
        seen = _watch(stage, run)
    return outcome_of(run, seen)


def _watch(stage: Stage, run: Run) -> Seen:
    seen = Seen()
    with seen.watching(stage):
        begin = time.monotonic()
        changes = bool(run.changed_to or run.killed)
        while (elapsed := time.monotonic() - begin) < run.seconds:
            if changes and elapsed >= run.seconds / 2:
                changes = False
                seen.refused_before = stage.look().throttled
                if run.changed_to:
                    stage.change_rate(run.changed_to)
                stage.kill(run.killed)
            time.sleep(min(LOOKS_EVERY_S, run.seconds - elapsed))
            seen.looks.append(stage.look())
    if run.kind == "whole":
        seen.doubled = len(stage.sent().doubled)
    return seen


def outcome_of(run: Run, seen: Seen) -> Outcome:
    """The row of a run."""
    first, last = seen.looks[0], seen.looks[-1]
    took_s = last.at - first.at
    allowed = run.rate * took_s
    changed = ""
    if run.changed_to:
        allowed = (run.rate + run.changed_to) * took_s / 2
        changed = f" to {run.changed_to:g}"
    refused = [
        after.at for before, after in pairwise(seen.looks) if after.throttled > before.throttled
    ]
    return Outcome(
        sender=NAMES[run.kind],
        limiter=run.limiter,
        senders=run.senders,
        per_s=f"{run.rate:g}{changed}",
        fraction=None if run.kind == "adaptive" else run.fraction,
        accepted=last.accepted,
        throttled=last.throttled,
        used=(last.accepted - first.accepted) / allowed,
        least=run.least,
        refusable_us=run.refusable_us,
        refused_for_us=round((refused[-1] - refused[0]) * SECOND_US) if refused else 0,
        refused_before=seen.refused_before,
        # Nobody decides here about a second attempt: none can have been marked.
        unmarked=seen.doubled,
        cpu=Cpu(
            seen.senders_cpu_s / took_s,
            seen.servers_cpu_s / took_s,
            max(0.0, seen.machine_cpu_s - seen.senders_cpu_s - seen.servers_cpu_s) / took_s,
        ),
        remark=_remark(run, seen),
    )


def _remark(run: Run, seen: Seen) -> str:
    remarks = (
        f"clocks off by +-{run.skew_ms} ms" if run.skew_ms else "",
        f"kill -9 of {run.killed} in the middle, its mail left alone" if run.killed else "",
        f"{seen.doubled} sent twice" if seen.doubled else "",
    )
    return ", ".join(filter(None, remarks))
