"""``mailtumble queue``: what waits, at what rate it leaves, and what is paused."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any
from unittest.mock import ANY

import pytest

from mailtumble import throughput
from mailtumble.cli.mail import command as mail_command
from mailtumble.cli.queue import command
from mailtumble.ports.store import Page, Put, Update
from mailtumble.worker.views import iso
from processors.throughput.projection import Grain
from schemas.values import DAY_US, HOUR_US, MINUTE_US, SECOND_US

if TYPE_CHECKING:
    from tests.unit.mailtumble.cli.conftest import Run
    from tests.unit.mailtumble.cli.small_world import SmallWorld


def summary(run: Run) -> str:
    """Return the first line of the text."""
    return run(command, "status").stdout.splitlines()[0]


def test_before_the_quota_is_known_its_numbers_are_null(world: SmallWorld, run: Run) -> None:
    """Nothing is guessed: no rate, no quota, no estimate for what is due."""
    world.receive()
    assert json.loads(run(command, "status", "--json").stdout) == {
        "waiting": 2,
        "due": 2,
        "held": 0,
        "later": 0,
        "claimed": 0,
        "unknown": 0,
        "rate_per_second": None,
        "quota": dict.fromkeys(
            ("max_send_rate", "max_24h", "sent_24h", "others_per_second", "frees_at")
        ),
        "eta_seconds": None,
        "tenants": [
            {
                "tenant": "house",
                "urgent": False,
                "waiting": 2,
                "due": 2,
                "held": 0,
                "eta_seconds": None,
            }
        ],
        "stopped": {},
        "paused": {},
        "drained": {},
        "left": {},
        "unreadable": 0,
        "stages": ANY,
        "applications": ANY,
    }
    assert summary(run) == "2 waiting, 2 due now. The quota of SES is not known yet."


def test_the_estimate_is_what_is_due_by_the_rate(world: SmallWorld, run: Run) -> None:
    """63 targets at 13.328 a second are 5 s; what is due later does not count."""
    for number in range(32):
        world.receive(number)
    world.learn_quota()
    waiting = world.items.scan("queue")[0]
    key = {"bucket": str(waiting["bucket"]), "position": str(waiting["position"])}
    world.items.write(Update("queue", key, set={"due_at": world.clock.now() + 1}))
    status = json.loads(run(command, "status", "--json").stdout)
    assert (status["waiting"], status["due"]) == (64, 63)
    assert status["rate_per_second"] == 13.328
    assert status["quota"] == {
        "max_send_rate": 14,
        "max_24h": 50_000,
        "sent_24h": 0,
        "others_per_second": 0,
        "frees_at": None,
    }
    assert status["eta_seconds"] == 5
    assert summary(run) == (
        "64 waiting, 63 due now. Sending up to 13.3/s; what is due is sent in about 5 s. "
        "Sent in the last 24 hours: 0 of 50000 allowed."
    )


def test_the_time_that_reading_takes_has_passed_when_it_is_told(
    world: SmallWorld, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a second for the queue, a second for the rest: 4.8 s from half-way are 3.6 then."""
    for number in range(32):
        world.receive(number)
    world.learn_quota()
    query, one_at_a_time = world.items.query, threading.Lock()

    def slow(*arguments: Any, **options: Any) -> Page:  # noqa: ANN401 - handed on
        with one_at_a_time:
            world.clock.advance(1 / 512)
        return query(*arguments, **options)

    monkeypatch.setattr(world.items, "query", slow)
    assert json.loads(run(command, "status", "--json").stdout)["eta_seconds"] == 4


def test_the_slice_of_now_says_the_rate_that_holds(world: SmallWorld, run: Run) -> None:
    """A slice keeps the rate it was begun with, whatever the quota says since."""
    world.receive()
    world.learn_quota()
    _begin_slice(world, 0, rate_milli=500, size=1, left=1)
    status = json.loads(run(command, "status", "--json").stdout)
    assert (status["rate_per_second"], status["eta_seconds"]) == (0.5, 4)


def test_what_is_taken_ahead_leaves_first(world: SmallWorld, run: Run) -> None:
    """Its instants lie before those of all that waits."""
    world.receive()
    world.learn_quota()
    _begin_slice(world, 0, rate_milli=2_000, size=2, left=0)
    _begin_slice(world, 1, rate_milli=2_000, size=2, left=0)
    _begin_slice(world, 2, rate_milli=2_000, size=2, left=1)
    status = json.loads(run(command, "status", "--json").stdout)
    assert (status["due"], status["eta_seconds"]) == (2, 3)


def _begin_slice(world: SmallWorld, ahead: int, **fields: int) -> None:
    number = world.clock.now() // 1_000_000 + ahead
    key: dict[str, str | int] = {"account": "local", "slice": number}
    world.items.write(Update("slices", key, set=fields))


def test_each_tenant_has_an_estimate_of_its_own(world: SmallWorld, run: Run) -> None:
    """A single mail of one leaves long before the last of another's forty."""
    world.repository.put("a@shop.example", ("cat@far.example",), "shop")
    for number in range(20):
        world.receive(number)
    world.receive(99, "a@shop.example")
    world.learn_quota()
    tenants = {
        each["tenant"]: each
        for each in json.loads(run(command, "status", "--json").stdout)["tenants"]
    }
    assert (tenants["house"]["due"], tenants["house"]["eta_seconds"]) == (40, 3)
    assert (tenants["shop"]["due"], tenants["shop"]["eta_seconds"]) == (1, 0)
    told = run(command, "status").stdout.splitlines()
    assert [line.split() for line in told[-3:]] == [
        ["TENANT", "WAITING", "DUE", "BLOCKED", "EMPTY", "IN"],
        ["house", "40", "40", "0", "about", "3", "s"],
        ["shop", "1", "1", "0", "less", "than", "1", "s"],
    ]


def test_what_ses_or_a_person_holds_has_no_estimate(world: SmallWorld, run: Run) -> None:
    """It waits, and nothing of it is due; and it is told why."""
    world.receive()
    world.learn_quota()
    item = {"scope": "house.example", "why": "no MX", "since": 1, "probe_at": 9, "probes": 0}
    world.items.write(Put("fleet", {"name": "stops", "version": 1, "standing": [item]}))
    status = json.loads(run(command, "status", "--json").stdout)
    assert status["stopped"] == {"house.example": "no MX"}
    assert (status["due"], status["held"], status["eta_seconds"]) == (0, 2, None)
    assert (status["tenants"][0]["due"], status["tenants"][0]["held"]) == (0, 2)
    told = run(command, "status").stdout
    assert told.startswith("2 waiting, 0 due now, 2 blocked. Sending up to 13.3/s. ")
    assert "sending from house.example is stopped (no MX)" in told


def test_what_is_held_is_not_in_the_estimate_of_the_others(world: SmallWorld, run: Run) -> None:
    """Half of it is stopped: the time told is that of the other half, and says so."""
    world.repository.put("a@shop.example", ("cat@far.example",), "shop")
    for number in range(40):
        world.receive(number, "a@shop.example")
    for number in range(20):
        world.receive(number)
    world.learn_quota()
    item = {"scope": "shop.example", "why": "no MX", "since": 1, "probe_at": 9, "probes": 0}
    world.items.write(Put("fleet", {"name": "stops", "version": 1, "standing": [item]}))
    told = run(command, "status").stdout.splitlines()
    assert told[0].startswith(
        "80 waiting, 40 due now, 40 blocked. Sending up to 13.3/s; "
        "what is due is sent in about 3 s."
    )
    assert [line.split() for line in told[-2:]] == [
        ["house", "40", "40", "0", "about", "3", "s"],
        ["shop", "40", "0", "40", "-"],
    ]


def test_near_the_end_of_the_day_there_is_no_saying(world: SmallWorld, run: Run) -> None:
    """More waits than the day has left, its reserve not counted."""
    world.receive()
    world.learn_quota()
    world.items.write(Update("fleet", {"name": "quota"}, set={"sent_24h": 47_499}))
    assert json.loads(run(command, "status", "--json").stdout)["eta_seconds"] is None
    world.items.write(Update("fleet", {"name": "quota"}, set={"sent_24h": 47_498}))
    assert json.loads(run(command, "status", "--json").stdout)["eta_seconds"] == 0


def test_at_the_end_of_the_day_it_is_told_when_that_frees(world: SmallWorld, run: Run) -> None:
    """A day after what was sent first: the minute of it as a whole."""
    world.receive()
    world.learn_quota()
    world.items.write(Update("fleet", {"name": "quota"}, set={"sent_24h": 47_500}))
    minute = world.clock.now() // MINUTE_US * MINUTE_US - 5 * HOUR_US
    hour = minute - minute % HOUR_US
    name = f"accepted_{(minute - hour) // MINUTE_US:02d}"
    shard = world.stream().shards()[0].id
    key = throughput.key("g1", shard, Grain.HOUR, hour)
    world.items.write(Update("throughput", key, add={name: 10}))
    status = json.loads(run(command, "status", "--json").stdout)
    frees_at = minute + MINUTE_US + DAY_US
    assert status["quota"]["frees_at"] == iso(frees_at)
    assert status["eta_seconds"] == round((frees_at - world.clock.now()) / SECOND_US)
    told = run(command, "status").stdout
    assert "The day's quota is used up, except for the reserve for urgent mail;" in told
    assert f"more can be sent from {iso(frees_at)} on." in told


def test_others_who_use_the_account_are_told_of(world: SmallWorld, run: Run) -> None:
    """They are why less than the quota may leave."""
    world.receive()
    world.learn_quota()
    world.items.write(Update("fleet", {"name": "quota"}, set={"others_milli": 4_000}))
    status = json.loads(run(command, "status", "--json").stdout)
    assert status["quota"]["others_per_second"] == 4
    assert status["rate_per_second"] == 9.52
    assert "Others who use this account send 4/s." in run(command, "status").stdout


def test_a_cut_is_told_of_before_it_is_felt(world: SmallWorld, run: Run) -> None:
    """Where nothing has left since, the rate is the one that the next slice is begun with."""
    world.receive()
    world.learn_quota()
    cut = {"cut_at": world.clock.now(), "factor": 700}
    world.items.write(Update("fleet", {"name": "quota"}, set=cut))
    status = json.loads(run(command, "status", "--json").stdout)
    assert status["rate_per_second"] == 9.329


def test_what_is_claimed_waits_no_more(world: SmallWorld, run: Run) -> None:
    """It is counted by itself, until its deadline; nothing waiting is no time to wait."""
    world.receive()
    assert len(world.claim()) == 2
    status = json.loads(run(command, "status", "--json").stdout)
    assert (status["waiting"], status["claimed"], status["eta_seconds"]) == (0, 2, 0)
    assert summary(run).startswith("Nothing is waiting. Sending up to 13.3/s.")


def test_a_stopped_account_has_no_rate(world: SmallWorld, run: Run) -> None:
    """Zero, and nobody knows until when."""
    world.provider.sending_enabled = False
    world.receive()
    world.learn_quota()
    status = json.loads(run(command, "status", "--json").stdout)
    assert (status["rate_per_second"], status["eta_seconds"]) == (0, None)
    assert "SES does not let this account send" in run(command, "status").stdout


class TestLimitedDomains:
    """What goes to a domain with a rate of its own leaves no sooner than that lets it."""

    @pytest.fixture(autouse=True)
    def shops(self, world: SmallWorld) -> None:
        """Forty for far.example, of one tenant, and one of another; one for a third domain."""
        world.repository.put("a@shop.example", ("cat@far.example",), "shop")
        world.repository.put("b@shop.example", ("cat@near.example",), "other")
        for number in range(20):
            world.receive(number)
        world.receive(90, "a@shop.example")
        world.receive(91, "b@shop.example")
        world.learn_quota()

    def _etas(self, run: Run) -> dict[str, int]:
        status = json.loads(run(command, "status", "--json").stdout)
        etas = {each["tenant"]: each["eta_seconds"] for each in status["tenants"]}
        return {"": status["eta_seconds"], **etas}

    def test_a_limit_by_the_settings(self, world: SmallWorld, run: Run) -> None:
        """41 at 2 a second are 21 s, though 13 leave a second; tenants take turns there too.

        The one of ``shop`` is the second of its shard, and two of the other leave meanwhile.
        """
        assert self._etas(run) == {"": 3, "house": 3, "shop": 0, "other": 0}
        world.change_plan(domain_limits={"far.example": 2.0})
        assert self._etas(run) == {"": 20, "house": 20, "shop": 2, "other": 0}

    def test_a_limit_above_the_rate_changes_nothing(self, world: SmallWorld, run: Run) -> None:
        """The account's own rate counts."""
        world.change_plan(domain_limits={"far.example": 500.0})
        assert self._etas(run)["house"] == 3

    @pytest.mark.parametrize(("slows_down", "seconds"), [(True, 31), (False, 3)])
    def test_a_domain_that_is_slowed(
        self, world: SmallWorld, run: Run, seconds: int, *, slows_down: bool
    ) -> None:
        """It gets a tenth of the fleet's rate, as the whole fleet has heard; if that is heeded."""
        cut = {"domain": "far.example", "cut_at": world.clock.now(), "factor": 100}
        world.items.write(Put("fleet", {"name": "slowed", "version": 1, "slowed": [cut]}))
        world.change_plan(domain_slowdown=slows_down)
        assert self._etas(run)["house"] == seconds

    def test_mail_show_tells_it_too(self, world: SmallWorld, run: Run) -> None:
        """Of the last mail for the domain, and of the one that goes elsewhere."""
        world.change_plan(domain_limits={"far.example": 0.5})
        slow, quick = world.receive(92), world.receive(93, "b@shop.example")
        now = world.clock.now()
        shown = {
            mail: json.loads(run(mail_command, "show", mail, "--json").stdout)["expected"]
            for mail in (slow, quick)
        }
        assert max(shown[slow].values()) == iso(now + 86 * SECOND_US)
        assert shown[quick]["0"] < iso(now + SECOND_US)
