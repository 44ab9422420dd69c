"""CloudWatch's embedded metric format: JSON lines that CloudWatch Logs makes metrics of.

Format: CloudWatch User Guide, "Specification: Embedded metric format". The lines go to standard
output, logs to standard error; on ECS both come to the same log group. No call to CloudWatch is
made, so nothing can fail or wait.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TextIO

from mailtumble.worker.metrics import BY_NAME, METRICS, Kind, Metric, Series
from mailtumble.worker.web import Vitals

NAMESPACE: Final = "mailtumble"
APPLICATION: Final = "application"
SHARD: Final = "shard"
US_PER_MS: Final = 1000
SCALES: Final = {"Milliseconds": 1000.0, "Count": 1.0}
"""From what the meter holds (seconds, pieces) to CloudWatch's units."""

logger = logging.getLogger(__name__)


class EmbeddedMetrics:
    """Writes what a worker measures; a counter as what it grew by since the last write."""

    def __init__(
        self, vitals: Vitals, now: Callable[[], int], stream: TextIO | None = None
    ) -> None:
        """``now`` is microseconds UTC; ``stream`` is standard output where not told."""
        self._vitals = vitals
        self._now = now
        self._stream = stream
        self._before: Mapping[Series, float] = {}

    async def tell(self) -> None:
        """:meth:`write`, as a timer's body."""
        try:
            self.write()
        except OSError as error:
            logger.warning("the embedded metrics can't be written: %s", error)

    def write(self) -> None:
        """Write the lines of the time since the last write."""
        now = self._now()
        stream = self._stream or sys.stdout
        counts = self._vitals.counts()
        values = {**_grown(counts, self._before), **self._vitals.gauges(now)}
        self._before = counts
        for line in lines(self._vitals.worker, values, now):
            print(json.dumps(line), file=stream)
        stream.flush()


def lines(worker: str, values: Mapping[Series, float], now: int) -> Iterator[dict[str, Any]]:
    """One object for the whole worker, and one for each of its shards.

    A shard's lag counts for the application, too: its worst shard is the maximum there. Other
    metrics are summed over shards and labels, in one object: a sum of zero is told as well, so
    that an alarm sees data.
    """
    yield _line(worker, now, _whole(worker, values))
    shards: dict[str, dict[Metric, float]] = {}
    for (name, labels), value in values.items():
        metric = BY_NAME[name]
        if _by_shard(metric):
            shards.setdefault(labels[0], {})[metric] = value
    for shard, found in sorted(shards.items()):
        yield _line(worker, now, found, shard)


def _by_shard(metric: Metric) -> bool:
    """Whether each shard's value counts by itself: seconds can't be added up."""
    return bool(metric.cloudwatch) and metric.unit == "Milliseconds"


def _whole(worker: str, values: Mapping[Series, float]) -> dict[Metric, float]:
    found: dict[Metric, float] = {
        metric: 0
        for metric in METRICS
        if metric.cloudwatch and worker in metric.workers and not _by_shard(metric)
    }
    for (name, _), value in values.items():
        metric = BY_NAME[name]
        if metric in found:
            found[metric] += value
    return found


def _line(
    worker: str, now: int, values: Mapping[Metric, float], shard: str | None = None
) -> dict[str, Any]:
    """An object of the format. ``Timestamp``: milliseconds since 1970."""
    dimensions = [[APPLICATION]] if shard is None else [[APPLICATION], [APPLICATION, SHARD]]
    told = [{"Name": each.cloudwatch, "Unit": each.unit} for each in values]
    directive = {"Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": told}
    return {
        "_aws": {"Timestamp": now // US_PER_MS, "CloudWatchMetrics": [directive]},
        APPLICATION: worker,
        **({} if shard is None else {SHARD: shard}),
        **{each.cloudwatch: value * SCALES[each.unit] for each, value in values.items()},
    }


def _grown(counts: Mapping[Series, float], before: Mapping[Series, float]) -> dict[Series, float]:
    """What came since the last time."""
    return {
        series: max(0, value - before.get(series, 0))
        for series, value in counts.items()
        if BY_NAME[series[0]].kind is Kind.COUNTER
    }
