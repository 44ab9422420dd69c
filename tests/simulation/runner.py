"""Runs many seeds, on several processes, and sums up what they met."""

from __future__ import annotations

import logging
import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from tests.simulation.faults import KINDS, SITES
from tests.simulation.judge import verdict
from tests.simulation.mutations import mutation
from tests.simulation.scenes import SCENES, least, scenes
from tests.simulation.world import World

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

CHUNK: Final = 10
"""Seeds that a process takes at a time."""


@dataclass(frozen=True)
class Result:
    """One seed: the judge's complaints, exceptions that ended workers, and what was met."""

    seed: int
    complaints: tuple[str, ...]
    exceptions: tuple[str, ...]
    met: Counter[tuple[str, str]]
    calls: Counter[str]
    scenes: Counter[str]

    @property
    def good(self) -> bool:
        """Whether nothing is to be said against it."""
        return not self.complaints and not self.exceptions

    def __str__(self) -> str:
        """The seed and all that is to be said."""
        lines = [f"seed {self.seed}:", *self.complaints]
        lines.extend(f"exception: {each}" for each in self.exceptions)
        return "\n  ".join(lines)


def run_seed(seed: int, mutant: str | None = None) -> Result:
    """Run one seed and judge it."""
    logging.disable(logging.CRITICAL)
    try:
        with mutation(mutant):
            world = World(seed)
            world.run()
            complaints = tuple(verdict(world))
    finally:
        logging.disable(logging.NOTSET)
    return Result(
        seed,
        complaints,
        tuple(world.errors),
        world.faults.met,
        world.faults.calls,
        scenes(world),
    )


def run_seeds(
    seeds: Iterable[int], *, processes: int, mutant: str | None = None
) -> Iterator[Result]:
    """Run seeds side by side; results come in their order."""
    # Spawned, not forked: a test runner's threads and greenlets stay where they are.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        yield from pool.map(partial(run_seed, mutant=mutant), seeds, chunksize=CHUNK)


@dataclass
class Report:
    """The sum over all seeds."""

    seeds: int = 0
    failed: list[Result] = field(default_factory=list)
    met: Counter[tuple[str, str]] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    scenes: Counter[str] = field(default_factory=Counter)

    def add(self, result: Result) -> None:
        """Count a seed in."""
        self.seeds += 1
        if not result.good:
            self.failed.append(result)
        self.met.update(result.met)
        self.calls.update(result.calls)
        self.scenes.update(result.scenes)

    def unmet(self) -> list[str]:
        """What a run of this many seeds should have met, and did not, or met unlisted."""
        sites = [
            f"{site} never met: {kind}"
            for site in SITES
            for kind in KINDS
            if not self.met[site, kind]
        ]
        strangers = [f"{site} is not listed" for site in sorted(self.calls.keys() - {*SITES})]
        missing = [
            f"{scene}: {self.scenes[scene]} times, {least(self.seeds)} are due"
            for scene in SCENES
            if self.scenes[scene] < least(self.seeds)
        ]
        return [*sites, *strangers, *missing]

    def table(self) -> str:
        """Call sites against kinds of faults, and the scenes."""
        width = max(map(len, SITES))
        lines = [_row("call site", ("calls", *KINDS), width)]
        lines.extend(
            _row(site, (self.calls[site], *(self.met[site, kind] for kind in KINDS)), width)
            for site in sorted(self.calls.keys() | {*SITES})
        )
        lines.append("")
        lines.extend(_row(scene, (self.scenes[scene],), width) for scene in SCENES)
        return "\n".join(lines)


def _row(name: str, cells: Sequence[object], width: int) -> str:
    return f"{name:<{width + 4}}" + "".join(f"{cell:>14}" for cell in cells)
