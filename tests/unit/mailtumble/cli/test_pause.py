"""``mailtumble queue pause`` and ``resume``: what is held, and what else holds it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mailtumble.cli.queue import command
from mailtumble.ports.store import Put, Update
from schemas.errors import RetryableError
from schemas.events import SendingPaused, SendingResumed

if TYPE_CHECKING:
    from tests.unit.mailtumble.cli.conftest import Exit, Run
    from tests.unit.mailtumble.cli.small_world import SmallWorld


class TestWhatElseHolds:
    """What a person resumes may be held by something else, which the answer of core can't know."""

    def test_a_tenant_while_the_whole_fleet_is_paused(self, run: Run) -> None:
        """It goes on when that is resumed too; another tenant's pause is none of its business."""
        run(command, "pause", "--by", "ann", "--why", "lunch")
        run(command, "pause", "--tenant", "house")
        run(command, "pause", "--tenant", "shop")
        said = run(command, "resume", "--tenant", "house").stdout.splitlines()
        assert said[0] == "house: sending of house goes on"
        assert len(said) == 2
        assert said[1].startswith("but sending of the whole fleet is paused since 2025-10-09 08:53")
        assert said[1].endswith(", by ann: lunch")

    def test_the_fleet_while_a_tenant_is_paused_or_ses_has_stopped(
        self, world: SmallWorld, run: Run
    ) -> None:
        """Part of it does not go on; or nothing does."""
        run(command, "pause", "--by", "ann")
        run(command, "drain", "--tenant", "shop", "--by", "bob")
        item = {"scope": "", "why": "suspended", "since": 1, "probe_at": 9, "probes": 0}
        world.items.write(Put("fleet", {"name": "stops", "version": 1, "standing": [item]}))
        said = run(command, "resume").stdout.splitlines()
        assert said[0] == "fleet: sending of the whole fleet goes on"
        assert said[1].startswith("but sending of shop is drained since ")
        assert said[2].startswith("but sending of the whole account is stopped since ")
        assert said[2].endswith(" (suspended)")

    def test_where_nothing_else_holds_it_nothing_is_added(self, run: Run) -> None:
        """One line."""
        run(command, "pause", "--tenant", "house")
        assert run(command, "resume", "--tenant", "house").stdout.count("\n") == 1

    def test_what_holds_only_some_of_the_fleet_s_mail_is_told_where_all_is_resumed(
        self, world: SmallWorld, run: Run
    ) -> None:
        """A domain that SES lets nothing out from, and a day that is used up; of a tenant both."""
        world.learn_quota()
        world.items.write(Update("fleet", {"name": "quota"}, set={"sent_24h": 47_500}))
        item = {"scope": "x.example", "why": "no MX", "since": 1, "probe_at": 9, "probes": 0}
        world.items.write(Put("fleet", {"name": "stops", "version": 1, "standing": [item]}))
        day = "but the day's quota, but for what is kept for urgent mail, is used up"
        run(command, "pause")
        said = run(command, "resume").stdout.splitlines()
        assert said[1].startswith("but sending from x.example is stopped since ")
        assert said[2:] == [day]
        run(command, "pause", "--tenant", "house")
        assert run(command, "resume", "--tenant", "house").stdout.splitlines()[1:] == [day]


class TestUnknownDomain:
    """Of a domain too: nothing is paused by it, as things stand."""

    @pytest.mark.parametrize("verb", ["pause", "drain"])
    def test_it_is_obeyed_and_told(self, run: Run, verb: str) -> None:
        """An alias may stand for an address there later."""
        result = run(command, verb, "--domain", "Fra.example")
        assert "to fra.example" in result.stdout
        assert "no alias and no waiting message has the domain fra.example" in result.stderr

    def test_one_that_an_alias_or_waiting_mail_goes_to_is_known(
        self, world: SmallWorld, run: Run
    ) -> None:
        """In whatever case its addresses were given."""
        world.repository.put("a@shop.example", ("cat@Near.example",), "shop")
        assert run(command, "pause", "--domain", "near.example").stderr == ""
        run(command, "resume", "--domain", "near.example")
        world.receive(1, "a@shop.example")
        world.repository.remove("a@shop.example")
        assert run(command, "pause", "--domain", "near.example").stderr == ""

    @pytest.mark.parametrize(
        "given", ["joe@far.example", "*.far.example", "far example", "b\u00fccher.example", "a,b"]
    )
    def test_what_is_no_domain_is_refused(self, fail: Exit, given: str) -> None:
        """It would be told of as paused, and hold nothing."""
        code, said = fail("queue", "pause", "--domain", given)
        assert code == 2
        assert "is no domain: give it as behind a target's @, in ASCII" in said


class TestUnknownTenant:
    """A name that nobody has is perhaps a slip of the keyboard."""

    @pytest.mark.parametrize("verb", ["pause", "drain"])
    def test_it_is_obeyed_and_told(self, run: Run, verb: str) -> None:
        """Its alias may be added later."""
        result = run(command, verb, "--tenant", "hosue\x1b")
        assert "sending of hosue" in result.stdout
        assert r"no alias and no waiting message has the tenant hosue\x1b." in result.stderr

    def test_one_that_an_alias_has_is_known(self, run: Run) -> None:
        """Whether or not mail waits."""
        assert run(command, "pause", "--tenant", "house").stderr == ""

    def test_one_whose_mail_waits_is_known_though_its_alias_is_gone(
        self, world: SmallWorld, run: Run
    ) -> None:
        """It is that mail which is to be held."""
        world.repository.put("a@shop.example", ("cat@far.example",), "shop")
        world.receive(1, "a@shop.example")
        world.repository.remove("a@shop.example")
        assert run(command, "pause", "--tenant", "shop").stderr == ""

    def test_where_aliases_can_not_be_listed_nothing_is_said(
        self, world: SmallWorld, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The pause counts, not the warning."""

        def out() -> None:
            raise RetryableError("timed out")

        monkeypatch.setattr(world.repository, "list", out)
        assert run(command, "pause", "--tenant", "nobody").stderr == ""


class TestPause:
    """``queue pause`` and ``queue resume``."""

    def test_nothing_leaves_until_it_is_resumed(self, world: SmallWorld, run: Run) -> None:
        """Of nobody; mail is taken in all the same."""
        said = run(command, "pause", "--by", "ann", "--why", "wrong text").stdout
        assert said == "fleet: sending of the whole fleet is paused\n"
        assert SendingPaused(scope="", since=0, by="ann", why="wrong text") in world.told()
        mail = world.receive()
        world.poll()
        assert world.claim() == []
        assert world.status(mail) == "scheduled"
        said = run(command, "resume", "--by", "bob").stdout
        assert said == "fleet: sending of the whole fleet goes on\n"
        assert SendingResumed(scope="", by="bob", why="") in world.told()
        world.poll()
        assert len(world.claim()) == 2

    def test_a_tenant_is_paused_alone(self, world: SmallWorld, run: Run) -> None:
        """The others go on."""
        world.repository.put("a@shop.example", ("cat@far.example",), "shop")
        assert run(command, "pause", "--tenant", "house").stdout == (
            "house: sending of house is paused\n"
        )
        world.receive(1)
        world.receive(2, "a@shop.example")
        world.poll()
        assert [job.entry.tenant for job in world.claim()] == ["shop"]
        run(command, "resume", "--tenant", "house")
        world.poll()
        assert {job.entry.tenant for job in world.claim()} == {"house"}

    def test_the_status_says_who_paused_what_and_why(self, world: SmallWorld, run: Run) -> None:
        """At once, and without anything that steers a terminal."""
        run(command, "pause", "--by", "ann", "--why", "wrong \x1b[2J text")
        run(command, "pause", "--tenant", "house", "--by", "bob")
        status = json.loads(run(command, "status", "--json").stdout)
        assert status["paused"] == {"": "ann: wrong \x1b[2J text", "house": "bob"}
        assert run(command, "status").stdout.splitlines()[0] == (
            "Nothing is waiting. The quota of SES is not known yet. "
            r"Sending of the whole fleet is paused, by ann: wrong \x1b[2J text. "
            "Sending of house is paused, by bob."
        )
        assert world.told()

    def test_what_is_paused_or_not_is_so_once(self, run: Run, fail: Exit) -> None:
        """The second time is refused: exit 1 and one line, which says by whom it is paused."""
        run(command, "pause", "--by", "ann", "--why", "lunch")
        assert fail("queue", "pause") == (
            1,
            (
                "mailtumble: refused: fleet: sending of the whole fleet is paused already, "
                "by ann: lunch\n"
            ),
        )
        assert fail("queue", "resume", "--tenant", "house") == (
            1,
            "mailtumble: refused: house: sending of house is not paused\n",
        )

    @pytest.mark.parametrize("verb", ["pause", "resume"])
    def test_an_empty_tenant_is_a_wrong_call(
        self, world: SmallWorld, fail: Exit, verb: str
    ) -> None:
        """A variable that was not set must not stop everybody."""
        assert fail("queue", verb, "--tenant", "") == (
            2,
            "mailtumble: --tenant is empty: leave it out to mean all mail\n",
        )
        assert world.told() == []
