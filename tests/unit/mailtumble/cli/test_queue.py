"""``mailtumble queue status``: what waits, at what rate it leaves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mailtumble.cli.queue import command
from mailtumble.ports.store import Update

if TYPE_CHECKING:
    from tests.unit.mailtumble.cli.conftest import Run
    from tests.unit.mailtumble.cli.small_world import SmallWorld


def test_before_the_quota_is_known_its_numbers_are_null(world: SmallWorld, run: Run) -> None:
    """Nothing is guessed: no rate, no quota, no estimate for what is due."""
    world.receive()
    assert json.loads(run(command, "status", "--json").stdout) == {
        "waiting": 2,
        "due": 2,
        "claimed": 0,
        "rate_per_second": None,
        "quota": {"max_send_rate": None, "max_24h": None, "sent_24h": None},
        "eta_seconds": None,
    }
    assert run(command, "status").stdout == "2 wait, 2 due now; SES's quota is not known yet.\n"


def test_the_estimate_is_what_is_due_by_the_rate(world: SmallWorld, run: Run) -> None:
    """63 targets at 12.6 a second are 5 s; what is due later does not count."""
    for number in range(32):
        world.receive(number)
    world.learn_quota()
    waiting = world.items.scan("queue")[0]
    key = {"bucket": str(waiting["bucket"]), "position": str(waiting["position"])}
    world.items.write(Update("queue", key, set={"due_at": world.clock.now() + 1}))
    status = json.loads(run(command, "status", "--json").stdout)
    assert (status["waiting"], status["due"]) == (64, 63)
    assert status["rate_per_second"] == 12.6
    assert status["quota"] == {"max_send_rate": 14, "max_24h": 50_000, "sent_24h": 0}
    assert status["eta_seconds"] == 5
    assert run(command, "status").stdout == (
        "64 wait, 63 due now; 12.6 may leave a second, the last of them in 5.0 s. "
        "In the last 24 hours 0 of 50000 were sent.\n"
    )


def test_the_slice_of_now_says_the_rate_that_holds(world: SmallWorld, run: Run) -> None:
    """A slice keeps the rate it was begun with, whatever the quota says since."""
    world.receive()
    world.learn_quota()
    key: dict[str, str | int] = {"account": "local", "slice": world.clock.now() // 1_000_000}
    world.items.write(Update("slices", key, set={"rate_milli": 500}))
    status = json.loads(run(command, "status", "--json").stdout)
    assert (status["rate_per_second"], status["eta_seconds"]) == (0.5, 4)


def test_what_is_claimed_waits_no_more(world: SmallWorld, run: Run) -> None:
    """It is counted by itself, until its deadline; nothing waiting is no time to wait."""
    world.receive()
    assert len(world.claim()) == 2
    status = json.loads(run(command, "status", "--json").stdout)
    assert (status["waiting"], status["claimed"], status["eta_seconds"]) == (0, 2, 0)
    assert run(command, "status").stdout.startswith("Nothing waits; 12.6 may leave a second.")


def test_a_stopped_account_has_no_rate(world: SmallWorld, run: Run) -> None:
    """Zero, and nobody knows until when."""
    world.provider.sending_enabled = False
    world.receive()
    world.learn_quota()
    status = json.loads(run(command, "status", "--json").stdout)
    assert (status["rate_per_second"], status["eta_seconds"]) == (0, None)
    assert "SES does not let this account send" in run(command, "status").stdout
