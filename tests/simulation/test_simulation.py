"""Whatever befalls the workers: no mail is lost, or doubled without a word, and views are true."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.runner import Report, run_seeds

ROOT = Path(__file__).parents[2]
MEETS_ALL = 300
"""As many seeds as it takes to meet every fault at every call, and every scene often enough."""

STORY = """
import hashlib
from tests.simulation.world import World
world = World(11)
world.run()
told = b"".join(record.data for record in world.stream.records())
print(hashlib.sha256(told).hexdigest(), world.clock.now())
"""


def test_every_seed_keeps_every_promise(seed_count: int, processes: int) -> None:
    """No seed loses or doubles a mail, and together they crash at every call in every way."""
    report = Report()
    for result in run_seeds(range(seed_count), processes=processes):
        report.add(result)
    print(report.table())  # noqa: T201 - what was met; pytest shows it on failure
    assert not report.failed, "\n".join(map(str, report.failed))
    if seed_count >= MEETS_ALL:
        assert report.unmet() == []


@pytest.mark.programs
def test_a_seed_tells_the_same_story_in_every_process() -> None:
    """A failing seed can be run again: the stream's bytes follow from the seed alone."""
    stories = {
        subprocess.run(
            [sys.executable, "-c", STORY],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(stories) == 1
