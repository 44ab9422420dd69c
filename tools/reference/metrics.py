"""``metrics.md``: everything that workers measure, and under which names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mailtumble.worker.metrics import METRICS, Kind
from mailtumble.worker.web import STALLED_US
from schemas.values import SECOND_US
from tools.reference.docstrings import meanings
from tools.reference.markdown import GENERATED, code, prose, table

PAGE: Final = """\
# Metrics

{generated}

Every worker serves `/metrics` in Prometheus's text format, and `/health`, on its own port (the
setting `web_port`). Every metric has the label `worker` (core, sender or intake), and those of its
row. Under the KCL the supervising process serves one page for all its children: a counter is their
sum, and goes on from there when a child is replaced.

{kinds}

A metric is shown once it has a value: a refusal that never happened has no line.

## All metrics

{metrics}

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
        stalled_s=STALLED_US // SECOND_US,
    )


def _kinds() -> Iterator[tuple[str, str]]:
    return ((code(kind), meaning) for kind, meaning in meanings(Kind).items())


def _metrics() -> Iterator[str]:
    return table(
        ("metric", "kind", "labels", "meaning"),
        (
            (
                code(each.name),
                each.kind,
                ", ".join(map(code, each.labels)),
                prose(each.meaning),
            )
            for each in METRICS
        ),
    )
