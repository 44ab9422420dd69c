"""benchmarks/burst.py complains of whatever is beyond its bounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

Script = Callable[[str], ModuleType]

BEGAN = 1_000.0
RATE = 80


def _outcome(script: Script, **changes: Any) -> Any:  # noqa: ANN401 - scripts have no stubs
    """What a burst may come to: all mails once, 76 a second, and with 150 MB in the middle."""
    told: dict[str, Any] = {
        "mails": 50_000,
        "offered_s": 55.0,
        "on_stream_s": 80.0,
        "rss_mb": [100.0, 150.0, 160.0],
        "per_s": 76.0,
        "throttled": 0,
        "ended": changes.get("mails", 50_000),
        **changes,
    }
    evidence, mails = script("_burst_evidence"), told["mails"]
    names = frozenset(map(str, range(mails)))
    sent = evidence.Sent(Counter(names), [BEGAN + each / told["per_s"] for each in range(mails)])
    received = evidence.Kind(mails, set(names), BEGAN, BEGAN + told["on_stream_s"])
    ended = evidence.Kind(told["ended"], set(map(str, range(told["ended"]))), BEGAN, BEGAN)
    processes = (*script("burst").PRODUCT, *script("burst").SERVERS)
    watched = script("_burst_watch")
    return script("_burst_run").Outcome(
        load=script("_burst_run").Load(mails=mails, rate=RATE, size=50_000),
        began=BEGAN,
        offered=BEGAN + told["offered_s"],
        wanted=names,
        on_stream=evidence.OnStream(kinds={"MailReceived": received, "MailCompleted": ended}),
        sent=sent,
        stats={"throttled": told["throttled"], "peak_per_second": 77},
        taken={
            name: watched.Taken(1, 0.0, 100.0, told["rss_mb"], told["rss_mb"]) for name in processes
        },
        watched_s=700.0,
    )


@pytest.mark.parametrize(
    ("changes", "complaints"),
    [
        ({}, []),
        ({"ended": 49_999}, ["mails have not ended"]),
        ({"throttled": 1}, ["SES throttled calls"]),
        ({"per_s": 72.0}, ["the drain took too long"]),
        ({"offered_s": 61.0}, ["the mails were offered too slowly: what came of it says little"]),
        ({"on_stream_s": 91.0}, ["the mails came to the stream too late"]),
        ({"rss_mb": [100.0, 150.0, 181.0]}, ["memory is not flat: intake, core, sender"]),
        ({"rss_mb": [100.0, 201.0, 150.0]}, ["a worker took more than 200 MB"]),
        # Of few mails all is warm-up.
        ({"mails": 1_000, "rss_mb": [50.0, 100.0, 190.0], "offered_s": 61.0}, []),
    ],
)
def test_what_is_beyond_a_bound_is_told(
    script: Script, changes: dict[str, Any], complaints: list[str]
) -> None:
    """In a sentence each; of what is within them, nothing."""
    assert script("burst").complaints(_outcome(script, **changes), paced=True) == complaints


def test_speed_and_cpu_stand_beside_their_aims(script: Script) -> None:
    """150 mails a second, 4 ms of the product's own CPU a mail: aims, no bounds."""
    burst, outcome = script("burst"), _outcome(script)
    results = burst.results(outcome, paced=False).plain()["rows"]
    assert [row["aim"] for row in results if row["what"].startswith("mails a second")] == [150]
    processes = burst.processes(outcome).plain()["rows"]
    assert [row["aim"] for row in processes if row["process"] == "the product's own"] == [4]
