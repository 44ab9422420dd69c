"""One embedded host, or one fleet of the KCL's: never both."""

from __future__ import annotations

import pytest

from mailtumble.worker.lease import FLEET, HostAlive, HostLease
from tests.fakes import InMemoryItems, VirtualClock


class Beating(VirtualClock):
    """While somebody waits, another heart beats."""

    def __init__(self, *others: HostLease) -> None:
        """Whose hearts beat."""
        super().__init__()
        self._others = others

    def sleep(self, seconds: float) -> None:
        """Wait, and beat."""
        super().sleep(seconds)
        for other in self._others:
            other.beat()


def test_a_fleets_workers_share_the_place() -> None:
    """Each joins at once, and beats the same heart."""
    store, clock = InMemoryItems(), VirtualClock()
    first, second = (HostLease(store, "core", FLEET) for _ in range(2))
    began = clock.now()
    first.acquire(clock)
    second.acquire(clock)
    assert clock.now() == began
    first.beat()
    second.beat()


def test_an_embedded_host_is_refused_beside_a_fleet() -> None:
    """Also when the worker that took the place has gone, and another one beats."""
    store = InMemoryItems()
    first, second = (HostLease(store, "core", FLEET) for _ in range(2))
    first.acquire(VirtualClock())
    second.acquire(VirtualClock())
    first.release()
    with pytest.raises(HostAlive, match="the KCL's workers"):
        HostLease(store, "core", "host-1").acquire(Beating(second))


def test_a_fleet_is_refused_beside_an_embedded_host() -> None:
    """The heart that beats is the host's."""
    store = InMemoryItems()
    host = HostLease(store, "core", "host-1")
    host.acquire(VirtualClock())
    with pytest.raises(HostAlive, match="host-1"):
        HostLease(store, "core", FLEET).acquire(Beating(host))


def test_each_takes_the_others_place_when_its_heart_has_stopped() -> None:
    """Then the late one finds out with its next beat."""
    store, clock = InMemoryItems(), VirtualClock()
    fleet, host = HostLease(store, "core", FLEET), HostLease(store, "core", "host-1")
    fleet.acquire(clock)
    host.acquire(clock)
    with pytest.raises(HostAlive):
        fleet.beat()
    fleet.acquire(clock)
    with pytest.raises(HostAlive):
        host.beat()


def test_two_workers_that_take_the_place_at_once_both_have_it() -> None:
    """The slower one finds that it is its own fleet's by now."""
    store = InMemoryItems()
    HostLease(store, "core", "host-1").acquire(VirtualClock())
    slow, quick = HostLease(store, "core", FLEET), HostLease(store, "core", FLEET)
    before = store.get("fleet", {"name": "host#core"})
    quick.acquire(VirtualClock())
    slow._take(before)
    slow.beat()
    quick.beat()


def test_applications_do_not_stand_in_each_others_way() -> None:
    """A sender may be embedded beside core's fleet."""
    store = InMemoryItems()
    core = HostLease(store, "core", FLEET)
    core.acquire(VirtualClock())
    HostLease(store, "sender", "host-1").acquire(Beating(core))
