"""The whole system on LocalStack: set up by Terraform, run by the KCL, killed, paused, taken down.

The tests share one fleet and stand in their order: the last one takes everything away.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter

import pytest

from schemas.events import DeliveryConfirmed, SendAccepted, SendUnknown
from tests.e2e.localstack.deployment import Deployment
from tests.e2e.localstack.fleet import WITHIN_S, Fleet
from tests.e2e.mails import body

pytestmark = pytest.mark.external

MAILS = 200
SOME = 10
PAUSED_S = 30


def test_mails_go_through_the_fleet(fleet: Fleet) -> None:
    """200 of them: all ended, each sent once to each target, whole, and its delivery confirmed."""
    fleet.share("core", "core-a", "core-b")
    fleet.share("sender", "sender-a", "sender-b")
    fleet.receive(MAILS)
    fleet.settled()
    sent = fleet.sent()
    assert len(sent) == fleet.targets()
    wanted = set(fleet.bodies.values())
    assert {body(each["RawData"].encode()) for each in sent} == wanted
    delivered_to_the_last(fleet)


def test_another_takes_a_killed_daemons_shards(fleet: Fleet) -> None:
    """Kill -9 of one of core's daemons while mails flow: nothing is lost, nothing done twice."""
    killed = next(worker for worker in fleet.workers if worker.name == "core-a")
    before = fleet.shown()
    fleet.receive(60)
    fleet.until(lambda: fleet.shown() > before + SOME, WITHIN_S)
    os.kill(killed.daemon(), signal.SIGKILL)
    fleet.receive(20)
    assert killed.process.wait(WITHIN_S) == 1
    fleet.share("core", "core-b")
    fleet.settled()
    assert len(fleet.sent()) == fleet.targets()
    fleet.start("core-a", "core")
    fleet.share("core", "core-a", "core-b")


def test_zombies_are_fenced(fleet: Fleet) -> None:
    """Core and sender, stopped for 30 s at work and resumed: others do their work meanwhile.

    What they still had in hand changes nothing, and no mail goes out twice save where the log
    says that a send's outcome is unknown.
    """
    paused = [
        next(each for each in reversed(fleet.workers) if each.name == name)
        for name in ("core-a", "sender-a")
    ]
    before = len(fleet.sent())
    fleet.receive(100)
    fleet.until(lambda: len(fleet.sent()) > before + SOME, WITHIN_S)
    for worker in paused:
        worker.signal_all(signal.SIGSTOP)
    paused_at = time.monotonic()
    fleet.receive(10)
    fleet.until(lambda: set(fleet.owners_in("core").values()) == {"core-b"}, WITHIN_S)
    fleet.until(lambda: set(fleet.owners_in("sender").values()) == {"sender-b"}, WITHIN_S)
    fleet.until(lambda: time.monotonic() > paused_at + PAUSED_S, WITHIN_S)
    for worker in paused:
        worker.signal_all(signal.SIGCONT)
    fleet.receive(10)
    fleet.settled()
    delivered_to_the_last(fleet)
    sent = Counter(body(each["RawData"].encode()) for each in fleet.sent())
    unknown = [event for event in fleet.events() if isinstance(event, SendUnknown)]
    assert set(sent) == set(fleet.bodies.values())
    assert fleet.targets() <= sent.total() <= fleet.targets() + len(unknown)
    assert any("has another owner now" in each.log.read_text(encoding="utf-8") for each in paused)
    assert all(worker.process.poll() is None for worker in paused)


def test_nothing_is_left(deployment: Deployment, fleet: Fleet) -> None:
    """Terraform takes away all that it made, and the KCL has made nothing beside it."""
    assert set(deployment.left()) >= {"tables", "streams", "buckets", "queues", "topics"}
    fleet.stop()
    deployment.destroy()
    assert deployment.terraform("state", "list").strip() == ""
    assert deployment.left() == {}


def delivered_to_the_last(fleet: Fleet) -> None:
    """Wait for LocalStack's own events of every accepted message to have come back."""

    def told() -> bool:
        events = fleet.events()
        accepted = {each.provider_message_id for each in events if isinstance(each, SendAccepted)}
        confirmed = {
            each.provider_message_id for each in events if isinstance(each, DeliveryConfirmed)
        }
        return accepted == confirmed == {each["Id"] for each in fleet.sent()}

    fleet.until(told, WITHIN_S)
