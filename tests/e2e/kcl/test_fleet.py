"""Core under the KCL: started, stopped, killed and paused; nothing lost, nothing done twice."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request

import pytest

from mailtumble.worker.cursor import cursor_key
from schemas.events import SendAccepted, SendUnknown
from tests.e2e.kcl.fleet import SHARDS, Fleet, Worker

pytestmark = pytest.mark.external

COLD_WITHIN_S = 300
"""Many times what the benchmark is held to: tests run on machines that are busy."""
TAKES_OVER_WITHIN_S = 300
ENDS_WITHIN_S = 120
PAUSED_S = 30
WORKS_WITHIN_S = 300
SOME = 10


def at_work(fleet: Fleet, *workers: Worker) -> None:
    """Wait until these workers hold all leases, each some, and their children report."""
    names = {worker.name for worker in workers}

    def shared() -> bool:
        owners = fleet.owners()
        return len(owners) == SHARDS and set(owners.values()) == names

    fleet.until(shared, COLD_WITHIN_S)
    for worker in workers:
        fleet.until(
            lambda w=worker: w.status.exists() and w.ask("/health")[0] == 200, COLD_WITHIN_S
        )  # type: ignore[misc]


def test_a_worker_works_tells_and_hands_over(fleet: Fleet) -> None:
    """From an empty lease table to every mail shown; a good-bye leaves clean cursors and leases.

    Its log is JSON alone, its views tell of every shard, an embedded host is refused beside it.
    """
    fleet.tell(200)
    worker = fleet.start("a")
    fleet.until(lambda: fleet.shown() == 200, COLD_WITHIN_S)
    at_work(fleet, worker)
    _, health = worker.ask("/health")
    assert len(json.loads(health)["shards"]) == SHARDS
    fleet.until(lambda: "mailtumble_records_total" in worker.ask("/metrics")[1], COLD_WITHIN_S)
    refused = fleet.call("worker", "core")
    assert refused.returncode == 1
    assert "hosted by the KCL's workers, which is alive" in refused.stderr
    second = fleet.call("worker", "core", "--host", "kcl", MAILTUMBLE_KCL_WORKER_ID="a")
    assert second.returncode == 1
    assert "MAILTUMBLE_KCL_WORKER_ID" in second.stderr
    everybody = worker.everybody()
    fleet.tell(50)
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(ENDS_WITHIN_S) == 0
    fleet.until(lambda: not any(_lives(pid) for pid in everybody), ENDS_WITHIN_S)
    assert set(fleet.owners().values()) == {""}
    assert all(item.get("clean") for item in fleet.items.scan("cursors"))
    assert all(line["message"] for line in worker.said())
    fleet.start("b")
    fleet.settled(COLD_WITHIN_S)


def test_another_takes_a_killed_daemons_shards(fleet: Fleet) -> None:
    """Kill -9 of one of two daemons at work: its supervisor and children end, the other goes on."""
    first, second = fleet.start("a"), fleet.start("b")
    at_work(fleet, first, second)
    for _ in range(10):
        fleet.tell(40)
        time.sleep(0.1)
    supervisor, daemon, *children = first.everybody()
    assert children
    fleet.tell(200)
    os.kill(daemon, signal.SIGKILL)
    fleet.tell(200)
    assert first.process.wait(ENDS_WITHIN_S) == 1
    fleet.until(lambda: not any(_lives(pid) for pid in (supervisor, *children)), ENDS_WITHIN_S)
    fleet.until(lambda: set(fleet.owners().values()) == {"b"}, TAKES_OVER_WITHIN_S)
    fleet.tell(40)
    fleet.settled()


def test_a_killed_child_comes_again(fleet: Fleet) -> None:
    """A child's death ends its daemon, with exit code 1; its restart works on at once."""
    worker = fleet.start("a")
    at_work(fleet, worker)
    fleet.tell(100)
    os.kill(worker.everybody()[-1], signal.SIGKILL)
    fleet.tell(100)
    assert worker.process.wait(ENDS_WITHIN_S) == 1
    fleet.start("a")
    fleet.settled(COLD_WITHIN_S)


def test_a_zombie_is_fenced(fleet: Fleet) -> None:
    """Stopped for 30 s with a batch in hand and resumed: the other has its shards meanwhile.

    What the zombie still had in hand changes nothing, and it says so; later it takes part again.
    """
    first, second = fleet.start("a"), fleet.start("b")
    at_work(fleet, first, second)
    mine = [shard for shard, owner in fleet.owners().items() if owner == "a"]
    fleet.tell(3000)
    # A batch is committed in portions: where the first is done, the others are in hand.
    fleet.until(lambda: all(committed(fleet, shard) for shard in mine), WORKS_WITHIN_S)
    first.signal_all(signal.SIGSTOP)
    paused_at = time.monotonic()
    fleet.tell(200)
    fleet.until(lambda: set(fleet.owners().values()) == {"b"}, TAKES_OVER_WITHIN_S)
    fleet.tell(200)
    fleet.until(lambda: fleet.shown() == fleet.told, WORKS_WITHIN_S)
    while time.monotonic() < paused_at + PAUSED_S:
        time.sleep(0.1)
    first.signal_all(signal.SIGCONT)
    fleet.tell(200)
    fleet.settled()
    silent = [line for line in first.said() if "has another owner now" in line["message"]]
    assert silent
    assert first.process.poll() is None
    assert second.process.poll() is None


def committed(fleet: Fleet, shard: str) -> object:
    """Where core's cursor of a shard stands."""
    return (fleet.items.get("cursors", cursor_key("core", "g1", shard)) or {}).get("sequence")


def test_the_sender_sends_and_hands_over_in_the_middle(fleet: Fleet) -> None:
    """Under the KCL too: paced, each mail once, also across a good-bye with calls in the air."""
    fleet.store_raw(150)
    fleet.tell(150)
    fleet.start("core")
    first = fleet.start("a", "sender")
    fleet.until(lambda: len(sent(fleet)) >= SOME, COLD_WITHIN_S)
    first.process.send_signal(signal.SIGTERM)
    assert first.process.wait(ENDS_WITHIN_S) == 0
    assert len(sent(fleet)) < fleet.told
    fleet.start("b", "sender")
    fleet.until(lambda: fleet.statuses() == {"completed"}, WORKS_WITHIN_S)
    fleet.settled()
    messages = sent(fleet)
    assert len(messages) == fleet.told
    events = [event for record in fleet.records() for event in record.events]
    assert sum(isinstance(event, SendAccepted) for event in events) == fleet.told
    assert not any(isinstance(event, SendUnknown) for event in events)


def sent(fleet: Fleet) -> list[dict[str, object]]:
    """What MiniStack's SES has accepted."""
    url = f"{fleet.aws.endpoint}/_ministack/ses/messages"
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - our own server
        by_account: dict[str, list[dict[str, object]]] = json.loads(answer.read())["messages"]
    return [message for some in by_account.values() for message in some]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
