"""The rows of benchmarks/pacing.py in virtual time: the fleet that the tests play, over more seeds.

The fleet itself lives with the tests (tests/simulation/pacing.py), whose stand-ins it uses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from _outcome import LEAST, Outcome, least_after_change, least_after_deaths

from mailtumble.local.ses.limiters import LIMITERS
from processors.sending.control import EPOCH_US
from tests.simulation.pacing import Result, Scene, changes_at, run

SENDER: Final = "virtual"
FULLER: Final = 0.982
"""The setting under the debt bucket, and what has to come of it."""
FULLER_LEAST: Final = 0.98


def rows(seconds: int, seeds: int) -> Iterator[Outcome]:
    """Row after row, each over ``seeds`` runs of so many virtual seconds."""
    fleets = [(senders, rate) for senders in (1, 4, 16) for rate in (14.0, 80.0, 200.0)]
    for limiter in LIMITERS:
        for senders, rate in fleets:
            yield _row(Scene(limiter=limiter, senders=senders, rate=rate, seconds=seconds), seeds)
    for senders, rate in fleets:
        scene = Scene(limiter="debt", senders=senders, rate=rate, seconds=seconds, fraction=FULLER)
        yield _row(scene, seeds, least=FULLER_LEAST)
    yield from _changes(seconds, seeds)
    unestimated = Scene(limiter="sliding", senders=4, rate=80.0, seconds=seconds, estimates=False)
    yield _row(unestimated, seeds, least=None, refusable_us=None, remark="its clocks not set right")


def _changes(seconds: int, seeds: int) -> Iterator[Outcome]:
    for limiter in LIMITERS:
        dying = Scene(limiter=limiter, senders=6, rate=80.0, seconds=seconds, killed=2)
        least = least_after_deaths(2, 6, seconds)
        yield _row(dying, seeds, least=least, remark="two die in the middle")
        again = Scene(limiter=limiter, senders=4, rate=80.0, seconds=seconds, restarted=1)
        least = least_after_deaths(1, 4, seconds)
        yield _row(again, seeds, least=least, remark="one is restarted in the middle")
        doubled = Scene(limiter=limiter, senders=4, rate=40.0, changed_to=80.0, seconds=seconds)
        yield _row(doubled, seeds, least=least_after_change(40.0, 80.0, seconds))
        halved = Scene(limiter=limiter, senders=4, rate=80.0, changed_to=40.0, seconds=seconds)
        least = least_after_change(80.0, 40.0, seconds)
        yield _row(halved, seeds, least=least, refusable_us=EPOCH_US)


def _row(
    scene: Scene,
    seeds: int,
    *,
    least: float | None = LEAST,
    refusable_us: int | None = 0,
    remark: str = "",
) -> Outcome:
    results = [run(replace(scene, seed=seed)) for seed in range(seeds)]
    changed = f" to {scene.changed_to:g}" if scene.changed_to else ""
    return Outcome(
        sender=SENDER,
        limiter=scene.limiter,
        senders=scene.senders,
        per_s=f"{scene.rate:g}{changed}",
        fraction=scene.fraction,
        accepted=sum(each.accepted for each in results),
        throttled=sum(each.throttled for each in results),
        used=min(each.used for each in results),
        least=least,
        refusable_us=refusable_us,
        refused_for_us=_longest(results),
        refused_before=sum(
            1 for each in results for at in each.refused_at if at < changes_at(scene)
        ),
        remark=remark,
    )


def _longest(results: Sequence[Result]) -> int:
    return max(
        (each.refused_at[-1] - each.refused_at[0] for each in results if each.refused_at), default=0
    )
