"""Health fails where something does not move; metrics are what Prometheus can read."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from mailtumble.worker.exposition import metrics
from mailtumble.worker.metrics import (
    BY_NAME,
    CONFLICTS,
    FAILED,
    LAG,
    METRICS,
    RECORDS,
    VOID,
    Kind,
    Meter,
    Tally,
)
from mailtumble.worker.web import STALLED_US, Pulse, Vitals, health
from schemas.values import SECOND_US

NOW = 1_000 * SECOND_US
LONG_AGO = NOW - STALLED_US - 1


def vitals(**pulses: Pulse) -> Vitals:
    """A reader's."""
    return Vitals("sender", 0, needs_shards=True, pulses=pulses)


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """What Prometheus's own parser reads."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_shard_that_moves_is_healthy() -> None:
    """200, with its lag."""
    status, body = health(vitals(a=Pulse(NOW - SECOND_US, 1_500, {"ticks": NOW})), NOW)
    assert (status, body["status"], body["stalled"]) == (200, "ok", [])
    assert body["shards"] == {"a": {"lag_ms": 1500, "silent_ms": 1000}}


def test_a_shard_whose_reading_stands_still_fails() -> None:
    """Whatever ends: reads that fail, and a batch that waits for an outage, look the same."""
    status, body = health(vitals(a=Pulse(LONG_AGO), b=Pulse(NOW)), NOW)
    assert (status, body["status"], body["stalled"]) == (503, "stalled", ["a"])
    assert body["shards"]["a"]["stalled"] == ["reading"]


def test_a_step_beside_the_reading_that_does_not_end_fails() -> None:
    """The stream is read on, but ticks or sends stand still: the shard does not move."""
    status, body = health(vitals(a=Pulse(NOW, 0, {"ticks": NOW, "sending": LONG_AGO})), NOW)
    assert (status, body["shards"]["a"]["stalled"]) == (503, ["sending"])


def test_a_reader_without_shards_fails_once_it_had_time_to_find_some() -> None:
    """A stream that can't be listed leaves a worker without any."""
    none = Vitals("core", 0, needs_shards=True, settles_us=STALLED_US)
    assert health(none, STALLED_US - 1)[0] == 200
    assert health(none, STALLED_US)[0] == 503


def test_a_shard_without_a_process_fails() -> None:
    """The lease is this worker's, and nobody works for it."""
    found = vitals(a=Pulse(NOW))
    found.missing = ("b",)
    status, body = health(found, NOW)
    assert (status, body["stalled"]) == (503, ["b"])


def test_the_lag_of_a_shard_that_stands_still_grows() -> None:
    """What the last read said would stay small for ever."""
    pulse = Pulse(NOW, 200)
    assert pulse.lag_us(NOW + SECOND_US) == 200_000
    assert pulse.lag_us(NOW + 90 * SECOND_US) == 200_000 + 90 * SECOND_US


def test_prometheus_reads_what_is_written() -> None:
    """Names, labels, escapes and values survive its parser; each family has its HELP and TYPE."""
    odd = 'a "code"\\ with\nall'
    found = vitals(a=Pulse(NOW, 250))
    found.meter.count(FAILED, odd)
    found.meter.count(RECORDS, "a", by=3)
    text = metrics(found, NOW)
    read = samples(text)
    assert read["mailtumble_failed_total", (("code", odd), ("worker", "sender"))] == 1
    assert read["mailtumble_records_total", (("shard", "a"), ("worker", "sender"))] == 3
    assert read["mailtumble_shard_lag_seconds", (("shard", "a"), ("worker", "sender"))] == 0.25
    assert f"# HELP mailtumble_shard_lag_seconds {LAG.meaning}" in text
    assert "# TYPE mailtumble_records_total counter" in text


def test_the_catalogue_keeps_to_prometheus_rules() -> None:
    """Counters end in _total, what has a unit says so last; names are told apart."""
    assert len(BY_NAME) == len(METRICS)
    for metric in METRICS:
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER), metric
        assert metric.meaning.endswith("."), metric
    on_cloudwatch = [each.cloudwatch for each in METRICS if each.cloudwatch]
    assert len(set(on_cloudwatch)) == len(on_cloudwatch)
    assert {"LagMilliseconds", "Refusals", "QueueDepth"} <= set(on_cloudwatch)


def test_what_a_lane_has_counted_outlives_it() -> None:
    """A shard is read to its end, or taken over again: the sum never falls."""
    meter = Meter()
    first, second = Tally(void=2), Tally(void=1)
    second.kinds.update(["SendScheduled", "SendScheduled"])
    meter.watch(lambda: first.series("a"))
    meter.watch(lambda: second.series("a"))
    assert meter.counts()[CONFLICTS.of("a", VOID)] == 3
    assert meter.counts()["mailtumble_decisions_total", ("a", "SendScheduled")] == 2
