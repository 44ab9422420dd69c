"""``mailtumble queue peak``: the busiest second, and what SES allowed in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mailtumble import throughput
from mailtumble.cli import peak, state
from mailtumble.cli.peak import beginning
from mailtumble.cli.queue import command
from mailtumble.cli.state import LocalState
from mailtumble.ports.store import Update
from mailtumble.worker.application import Fact
from mailtumble.worker.records import outgoing
from mailtumble.worker.views import QUOTAS_KEPT, iso
from processors.throughput.projection import Grain
from schemas.errors import BadInput, RetryableError
from schemas.events import QuotaObserved
from schemas.ids import FLEET_SUBJECT
from schemas.values import DAY_US, MINUTE_US, SECOND_US

if TYPE_CHECKING:
    from tests.unit.mailtumble.cli.conftest import Exit, Run
    from tests.unit.mailtumble.cli.small_world import SmallWorld

NOW = 1_760_000_000 * SECOND_US


def observe(world: SmallWorld, rate: float) -> str:
    """The sender has seen another limit; when."""
    event = QuotaObserved(max_send_rate=rate, max_24h=-1)
    name = f"quota-{rate}-{world.clock.now()}"
    fact = Fact(name, FLEET_SUBJECT, "GetAccount", "sender", (event,))
    world.events.append([outgoing(fact, world.clock.now())])
    world.work()
    return iso(world.clock.now())


def called(world: SmallWorld, shard: int, **amounts: int) -> str:
    """Calls in the second of now, as core counts them; when it began."""
    now = world.clock.now()
    at, minute = now - now % SECOND_US, now - now % MINUTE_US
    key = throughput.key("g1", world.events.shards()[shard].id, Grain.MINUTE, minute)
    place = (at - minute) // SECOND_US
    inside = {f"{kind}_{place:02d}": amount for kind, amount in amounts.items()}
    world.items.write(Update("throughput", key, add={**amounts, **inside}))
    return iso(at)


def found(run: Run, *arguments: str) -> Any:  # noqa: ANN401 - JSON
    """What the command tells machines."""
    return json.loads(run(command, "peak", "--json", *arguments).stdout)


def test_where_nothing_was_sent_there_is_no_peak(world: SmallWorld, run: Run) -> None:
    """And nothing is known of SES's limits."""
    since = iso(world.clock.now() - 60 * MINUTE_US)
    told = found(run)
    assert told["peak"] is None
    assert told["limits"] == [{"since": since, "max_send_rate": None, "peak": None}]
    assert run(command, "peak").stdout == f"No call to SES was counted since {since}.\n"


def test_real_sends_are_counted_by_the_time_of_their_calls(world: SmallWorld, run: Run) -> None:
    """Through core, from the stream, with the quota that the sender observed."""
    world.receive(1)
    observe(world, 14)
    world.send()
    second = iso(world.clock.now() - world.clock.now() % SECOND_US)
    world.clock.advance(1)
    assert found(run)["peak"] == {
        "second": second,
        "calls": 2,
        "accepted": 2,
        "refused": 0,
        "deferred": 0,
        "failed": 0,
        "unanswered": 0,
        "max_send_rate": 14,
    }


def test_the_rate_of_a_second_is_that_of_all_shards(world: SmallWorld, run: Run) -> None:
    """Whatever SES answered; an unknown outcome has no time of its call."""
    observe(world, 80)
    world.clock.advance(5)
    called(world, 0, accepted=9)
    world.clock.advance(1)
    second = called(world, 0, accepted=4, failed=1, unknown=7)
    called(world, 1, accepted=4, refused=1, deferred=2)
    world.clock.advance(1)
    called(world, 1, accepted=11)
    world.clock.advance(1)
    peak = found(run, "--since", "30s")["peak"]
    assert (peak["second"], peak["calls"], peak["max_send_rate"]) == (second, 12, 80)
    told = run(command, "peak").stdout
    shown = second.replace(".000000", "")
    assert told.startswith(f"At most 12 calls in a second, at {shown}; SES allowed 80 then.\n")


def test_each_limit_has_its_peak(world: SmallWorld, run: Run) -> None:
    """After a cut, what was fine before may be too much."""
    observe(world, 80)
    world.clock.advance(60)
    fast = called(world, 0, accepted=76)
    world.clock.advance(60)
    cut_at = observe(world, 40)
    world.clock.advance(2)
    slow = called(world, 1, accepted=38, refused=1)
    world.clock.advance(1)
    told = found(run)
    assert (told["peak"]["second"], told["peak"]["max_send_rate"]) == (fast, 80)
    shown = [
        (each["max_send_rate"], each["peak"] and each["peak"]["second"]) for each in told["limits"]
    ]
    assert shown == [(None, None), (80, fast), (40, slow)]
    assert told["limits"][-1]["since"] == cut_at
    rows = [line.split() for line in run(command, "peak").stdout.splitlines()]
    assert rows[-1][1:3] == ["40", "39"]
    assert rows[-1][-1] == "1"


def test_the_limit_from_before_the_time_holds_in_it(world: SmallWorld, run: Run) -> None:
    """Limits change some times a year, and are told when they do; calls before it don't count."""
    observe(world, 80)
    called(world, 0, accepted=50)
    world.clock.advance(3 * 60 * 60)
    second = called(world, 0, accepted=5).replace(".000000", "")
    world.clock.advance(1)
    told = found(run, "--since", "90m")
    assert [each["max_send_rate"] for each in told["limits"]] == [80]
    assert (told["peak"]["calls"], told["peak"]["max_send_rate"]) == (5, 80)
    assert found(run, "--since", "4h")["peak"]["calls"] == 50
    assert run(command, "peak").stdout == (
        f"At most 5 calls in a second, at {second}; SES allowed 80 then.\n"
    )


def test_limits_are_kept_in_a_bounded_item(world: SmallWorld, run: Run) -> None:
    """The oldest go; the newest is the one in force."""
    for number in range(QUOTAS_KEPT + 10):
        world.clock.advance(1)
        observe(world, 1 + number)
    told = [each["max_send_rate"] for each in found(run)["limits"]]
    assert told == [None, *range(11, QUOTAS_KEPT + 11)]


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("90m", 90 * MINUTE_US),
        ("-45s", 45 * SECOND_US),
        ("24h", DAY_US),
        ("1d", DAY_US),
        ("2025-10-09T08:52Z", 80 * SECOND_US),
        ("2025-10-09T08:52", 80 * SECOND_US),
    ],
)
def test_a_time_is_told_by_its_age_or_by_the_calendar(text: str, ago: int) -> None:
    """In UTC where no zone is told."""
    assert beginning(text, NOW) == NOW - ago


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("25h", "more than a day ago"),
        ("2020-01-01", "more than a day ago"),
        ("+90m", "in the future"),
        ("yesterday", "is no time"),
        ("", "is no time"),
        ("m", "is no time"),
        ("999999999999999999999d", "more than a day ago"),
    ],
)
def test_other_times_are_refused(text: str, problem: str) -> None:
    """With what to give instead."""
    with pytest.raises(BadInput, match=problem):
        beginning(text, NOW)


def test_a_refused_time_ends_the_command(fail: Exit) -> None:
    """In one line."""
    code, told = fail("queue", "peak", "--since", "2d")
    assert code == 2
    assert "more than a day ago" in told


class TestLocalSes:
    """Beside a local SES its own figures are shown, and why they may differ."""

    @pytest.fixture(autouse=True)
    def running(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A local stack runs, whose SES has accepted 14 in a second of the clock, 18 in any."""
        second = {"begins_us": NOW, "recipients": 14}
        answer = json.dumps({"clock_second": second, "within_any": 18}).encode()
        local = LocalState(1, {}, "http://127.0.0.1:9", 25, {})
        monkeypatch.setattr(state, "read_state", lambda _: local)
        monkeypatch.setattr(peak, "ask", lambda url, path: answer if url and path else b"")

    def test_that_agree(self, world: SmallWorld, run: Run) -> None:
        """Calls without an answer count: SES may have accepted them."""
        called(world, 0, accepted=10)
        called(world, 1, accepted=3, unanswered=1)
        world.clock.advance(5)
        assert found(run)["local_ses"] == {
            "second": iso(NOW),
            "accepted": 14,
            "within_any_1000_ms": 18,
            "made": 14,
        }
        second = iso(NOW).replace(".000000", "")
        assert run(command, "peak").stdout.splitlines()[1] == (
            f"The local SES accepted at most 14 in a second of the clock, at {second}, and 18 "
            "within any 1,000 ms."
        )

    def test_that_differ(self, world: SmallWorld, run: Run) -> None:
        """Then the reason is given."""
        called(world, 0, accepted=13)
        world.clock.advance(5)
        told = run(command, "peak").stdout.splitlines()[1]
        assert "By the times of the calls it is 13: SES counts a call when it arrives" in told

    def test_before_core_has_read_any_outcome(self, run: Run) -> None:
        """The figures of the local SES are there at once."""
        told = run(command, "peak").stdout.splitlines()
        assert told[0].startswith("No call to SES was counted since ")
        assert told[1].startswith("The local SES accepted at most 14 ")

    def test_an_ses_that_does_not_answer_is_left_out(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The command has its own answer."""

        def refuse(url: str, path: str) -> bytes:
            raise RetryableError(f"{url}{path} does not answer")

        monkeypatch.setattr(peak, "ask", refuse)
        assert found(run)["local_ses"] is None
