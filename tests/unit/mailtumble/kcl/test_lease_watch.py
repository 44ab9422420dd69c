"""A shard whose lease this worker has, and for which nobody works, is no healthy one."""

from __future__ import annotations

from mailtumble.kcl.lease_watch import LeaseWatch
from mailtumble.worker.web import STALLED_US, Pulse, Vitals, health

LEASES = {"s-0": "me", "s-1": "other"}


def test_a_lease_without_a_child_is_missed_after_a_while() -> None:
    """A child takes seconds to start; then it has to report."""
    vitals = Vitals("core", 0, needs_shards=True, pulses={"s-9": Pulse(STALLED_US + 1)})
    watch = LeaseWatch("me")
    watch.look(LEASES, vitals, 0)
    watch.look(LEASES, vitals, STALLED_US)
    assert health(vitals, STALLED_US)[0] == 200
    watch.look(LEASES, vitals, STALLED_US + 1)
    status, body = health(vitals, STALLED_US + 1)
    assert (status, body["stalled"]) == (503, ["s-0"])


def test_a_child_that_comes_late_ends_it() -> None:
    """And the time begins anew when it goes."""
    vitals = Vitals("core", 0, needs_shards=True)
    watch = LeaseWatch("me")
    watch.look(LEASES, vitals, 0)
    vitals.pulses["s-0"] = Pulse(STALLED_US)
    watch.look(LEASES, vitals, STALLED_US)
    del vitals.pulses["s-0"]
    watch.look(LEASES, vitals, STALLED_US + 1)
    assert vitals.missing == ()


def test_a_spare_worker_is_healthy_without_shards() -> None:
    """A fleet may have more workers than shards; whoever restarts it would gain nothing."""
    vitals = Vitals("core", 0, needs_shards=True)
    watch = LeaseWatch("me")
    watch.look({"s-0": "other", "s-1": "third"}, vitals, 0)
    assert health(vitals, STALLED_US)[0] == 200
    for owner in (None, "me"):
        watch.look({"s-0": "other", "s-1": owner}, vitals, 0)
        assert health(vitals, STALLED_US)[1]["status"] == "without shards"
    watch.look({}, vitals, 0)
    assert health(vitals, STALLED_US)[0] == 503
