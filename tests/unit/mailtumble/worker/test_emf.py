"""What CloudWatch is told: valid in its format, growth of counters, the worst shard's lag."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

from mailtumble.worker import metrics
from mailtumble.worker.emf import EmbeddedMetrics
from mailtumble.worker.metrics import QUEUE_DEPTH, REFUSALS, SENDS
from mailtumble.worker.web import Pulse, Vitals
from schemas.values import SECOND_US

MINUTE = 60 * SECOND_US


class World:
    """A sender with two shards."""

    def __init__(self) -> None:
        """Nothing is sent yet."""
        self.now = 1_700_000_000 * SECOND_US
        pulses = {"s-0": Pulse(self.now, 250), "s-1": Pulse(self.now, 9_000)}
        self.vitals = Vitals("sender", self.now, needs_shards=True, pulses=pulses)
        self.stream = io.StringIO()
        self.embedded = EmbeddedMetrics(self.vitals, lambda: self.now, self.stream)

    def told(self) -> list[dict[str, Any]]:
        """What this minute's lines say."""
        self.stream.truncate(0)
        self.stream.seek(0)
        asyncio.run(self.embedded.tell())
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


def test_every_line_keeps_to_the_format() -> None:
    """Each metric it names has a number at its top, each dimension a text; 100 at the most."""
    world = World()
    world.vitals.meter.count(SENDS)
    lines = world.told()
    assert len(lines) == 3
    for line in lines:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert line["_aws"]["Timestamp"] == 1_700_000_000_000
        assert directive["Namespace"] == "mailtumble"
        assert 0 < len(directive["Metrics"]) <= 100
        for metric in directive["Metrics"]:
            assert isinstance(line[metric["Name"]], int | float)
            assert metric["Unit"] in ("Count", "Milliseconds")
        for dimensions in directive["Dimensions"]:
            assert all(isinstance(line[name], str) for name in dimensions)


def test_counters_tell_what_came_since_the_last_time() -> None:
    """Summed over their labels; zero is told too, so that an alarm sees data."""
    world = World()
    world.vitals.meter.count(REFUSALS, "throttled", by=3)
    world.vitals.meter.count(REFUSALS, "daily_quota", by=2)
    assert world.told()[0]["Refusals"] == 5
    world.now += MINUTE
    world.vitals.meter.count(REFUSALS, "throttled")
    assert world.told()[0]["Refusals"] == 1
    assert world.told()[0]["Refusals"] == 0


def test_a_depth_is_summed_and_a_lag_told_by_shard() -> None:
    """Times can't be added up; their maximum over the application's dimension is the worst."""
    world = World()
    world.vitals.meter.set(QUEUE_DEPTH, "s-0", value=4)
    world.vitals.meter.set(QUEUE_DEPTH, "s-1", value=5)
    whole, *shards = world.told()
    assert whole["QueueDepth"] == 9
    assert "shard" not in whole
    assert {line["shard"]: line["LagMilliseconds"] for line in shards} == {"s-0": 250, "s-1": 9000}
    for line in shards:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert directive["Dimensions"] == [["application"], ["application", "shard"]]


def test_a_worker_tells_what_is_its_own() -> None:
    """Intake has no queue of sends, and no lag."""
    world = World()
    world.vitals.worker = "intake"
    world.vitals.needs_shards = False
    (line,) = world.told()
    assert line["Received"] == 0
    assert not {"QueueDepth", "Refusals", "LagMilliseconds"} & set(line)


def test_a_closed_output_is_no_end_of_the_worker() -> None:
    """Metrics are not worth a mail."""

    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(text)

    world = World()
    world.embedded = EmbeddedMetrics(world.vitals, lambda: world.now, Closed())
    assert world.told() == []


def test_every_metric_is_named_among_all() -> None:
    """One that is not would end the writing of lines at its first value."""
    made = {each for each in vars(metrics).values() if isinstance(each, metrics.Metric)}
    assert made == set(metrics.METRICS)
