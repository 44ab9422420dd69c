"""What a worker measures, in Prometheus's text format.

Only who serves the page imports this: the KCL's children, which start while mail waits, don't.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from mailtumble.worker.metrics import METRICS, Kind
from mailtumble.worker.web import Vitals

FAMILIES: Final = {Kind.COUNTER: CounterMetricFamily, Kind.GAUGE: GaugeMetricFamily}


def metrics(vitals: Vitals, now: int) -> str:
    """All that is measured, in Prometheus's text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Worker(vitals, now))
    return generate_latest(registry).decode()


class _Worker(Collector):
    """Gives the library what one worker measures; nothing of it is kept between two calls."""

    def __init__(self, vitals: Vitals, now: int) -> None:
        self._vitals = vitals
        self._values = {**vitals.counts(), **vitals.gauges(now)}

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """The families that have a value, in the order of the catalogue."""
        for metric in METRICS:
            found = sorted(
                (labels, value)
                for (name, labels), value in self._values.items()
                if name == metric.name
            )
            if not found:
                continue
            labels = ["worker", *metric.labels]
            family = FAMILIES[metric.kind](metric.name, metric.meaning, labels=labels)
            for values, value in found:
                family.add_metric([self._vitals.worker, *values], value)
            yield family
