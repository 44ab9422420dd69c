"""The row of benchmarks/pacing.py in which a killed sender's successor takes its shards over.

What ``mailtumble`` is from the log on works here: senders under one quota, and core, which decides
again about what has failed. All that came in has to come out, with nothing sent twice unsaid.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from _fleet import LOOKS_EVERY_S, Seen, outcome_of
from _outcome import Outcome, least_after_deaths
from _stage import QUEUED_WITHIN_S, Run, Stage

from mailtumble.settings import PREFIX

MAILS: Final = 1_800
KILLED_AFTER_S: Final = 6.0
AWAY_S: Final = 4.0
"""A supervisor notices, waits a little, and starts another."""
LAST_S: Final = 2.0
"""The queue of some shard may be empty before: so many seconds' mails are not measured."""
DRAINS_WITHIN_S: Final = 90.0
ENDS_WITHIN_S: Final = 60.0
"""The dead one's claims reach their deadline, unknown outcomes theirs, and what goes again goes."""
RUN: Final = Run(
    kind="whole",
    limiter="sliding",
    senders=3,
    killed=1,
    latency_ms=400,  # so that calls are in the air when it dies
    settings={f"{PREFIX}CALL_TIMEOUT_S": "3", f"{PREFIX}UNKNOWN_WAIT_S": "1"},
)


def play() -> Outcome:
    """Start everything, kill and replace in the middle, drain, and say what came of it.

    Raises:
        Late: something does not start.
    """
    with (
        tempfile.TemporaryDirectory(prefix="mailtumble-bench-") as folder,
        contextlib.ExitStack() as stack,
    ):
        stage = Stage(RUN, Path(folder), stack)
        wanted = stage.receive(MAILS)
        stage.start_core()
        stage.start_senders()
        stage.until(lambda: stage.queued() == MAILS, QUEUED_WITHIN_S, "full queue")
        stage.start_ses()
        seen = Seen()
        with seen.watching(stage):
            for _ in _each_look(stage, seen):
                if seen.looks[-1].accepted >= MAILS - LAST_S * RUN.rate:
                    break
        _await_end(stage, wanted)
        return _outcome(stage, seen, wanted)


def _each_look(stage: Stage, seen: Seen) -> Iterator[None]:
    """Look again and again, and meanwhile let happen what is to happen."""
    begun = time.monotonic()
    steps: list[tuple[float, Callable[[], object]]] = [
        (KILLED_AFTER_S, lambda: stage.kill(RUN.killed)),
        (KILLED_AFTER_S + AWAY_S, stage.replace_killed),
    ]
    while (elapsed := time.monotonic() - begun) < DRAINS_WITHIN_S:
        while steps and elapsed >= steps[0][0]:
            steps.pop(0)[1]()
        time.sleep(LOOKS_EVERY_S)
        seen.looks.append(stage.look())
        yield


def _await_end(stage: Stage, wanted: frozenset[str]) -> None:
    """Until all have ended; those that have not by then are lost."""
    deadline = time.monotonic() + ENDS_WITHIN_S
    while not stage.ended() >= wanted and time.monotonic() < deadline:
        time.sleep(1)


def _outcome(stage: Stage, seen: Seen, wanted: frozenset[str]) -> Outcome:
    sent, on_stream, last = stage.sent(), stage.on_stream(), stage.look()
    lost = len(wanted - (sent.mails.keys() & stage.ended()))
    unmarked = len(sent.doubled - on_stream.marked)
    unknown = on_stream.of("SendUnknown").count
    took_s = seen.looks[-1].at - seen.looks[0].at
    return replace(
        outcome_of(RUN, seen),
        least=least_after_deaths(RUN.killed, RUN.senders, took_s),
        accepted=last.accepted,
        throttled=last.throttled,
        lost=lost,
        unmarked=unmarked,
        doubled=len(sent.doubled),
        remark=(
            f"kill -9 of {RUN.killed}, replaced {AWAY_S:g} s later: {lost} lost, {unknown} unknown "
            f"at first, {len(sent.doubled)} sent twice, {unmarked} of them unmarked"
        ),
    )
