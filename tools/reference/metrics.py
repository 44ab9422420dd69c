"""``metrics.md``: everything that workers measure, and under which names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mailtumble.settings import Settings, variable_of
from mailtumble.worker.emf import NAMESPACE
from mailtumble.worker.metrics import ALL, METRICS, Kind
from mailtumble.worker.web import STALLED_US
from schemas.values import SECOND_US
from tools.reference.docstrings import meanings
from tools.reference.markdown import GENERATED, code, prose, table

PAGE: Final = """\
# Metrics

{generated}

Every worker serves `/metrics` in Prometheus's text format, and `/health`, on its own port (the
setting `web_port`). Every metric has the label `worker` (core, sender, archive or intake), and
those of its row. Under the KCL the supervising process serves one page for all its children: a
counter is their sum, and goes on from there when a child is replaced.

{kinds}

A counter without labels begins at 0; of others a series is shown once it has a value: a refusal
that never happened has no line.

## All metrics

{metrics}

## CloudWatch

With `cloudwatch_metrics = "on"` (variable `{variable}`) a worker writes those with a name in the
column *CloudWatch* to standard output every {every_s:.0f} seconds, as JSON lines in CloudWatch's
embedded metric format: CloudWatch Logs makes metrics of them, in the namespace `{namespace}`. The
logs go to standard error, and never mix with them. A counter is told as what came since the last
time. The dimension is `application`; {by_shard} are told by `application` and `shard`, too, and
their maximum by `application` is that of the worst shard. All others are sums over shards and
labels.

## Health

`/health` answers 200 with `"status": "ok"`, or 503 where something has not moved for
{stalled_s} seconds: a shard's reading (whether it can't be read, or what was read can't be
committed), its ticks (timers can't be appended), the sender's pace, or its sending (mail is due,
SES lets mail out, and none leaves); or where a worker that has to have shards has none. The body
names them.
"""


def page() -> str:
    """The page."""
    return PAGE.format(
        generated=GENERATED,
        kinds="\n".join(table(("kind", "what it does"), _kinds())),
        metrics="\n".join(_metrics()),
        variable=variable_of("cloudwatch_metrics"),
        every_s=Settings().cloudwatch_every_s,
        namespace=NAMESPACE,
        by_shard=" and ".join(
            code(each.cloudwatch) for each in METRICS if each.unit == "Milliseconds"
        ),
        stalled_s=STALLED_US // SECOND_US,
    )


def _kinds() -> Iterator[tuple[str, str]]:
    return ((code(kind), meaning) for kind, meaning in meanings(Kind).items())


def _metrics() -> Iterator[str]:
    return table(
        ("metric", "kind", "workers", "labels", "CloudWatch", "meaning"),
        (
            (
                code(each.name),
                each.kind,
                "all" if each.workers == ALL else ", ".join(each.workers),
                ", ".join(map(code, each.labels)),
                code(each.cloudwatch),
                prose(each.meaning),
            )
            for each in METRICS
        ),
    )
