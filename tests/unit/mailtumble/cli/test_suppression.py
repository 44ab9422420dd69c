"""``mailtumble suppression``: addresses that get no mail, by hand and by what came back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mailtumble.cli.suppression import command
from mailtumble.ports.store import Put
from schemas.events import (
    AddressReleased,
    AddressSuppressed,
    CommandGiven,
    SendScheduled,
    SendSuppressed,
)
from schemas.values import HOUR_US, SuppressionReason
from tests.samples import bounced, complained
from tests.unit.mailtumble.cli.small_world import TARGETS

if TYPE_CHECKING:
    from tests.unit.mailtumble.cli.conftest import Exit, Run
    from tests.unit.mailtumble.cli.small_world import SmallWorld

ANN, BOB = TARGETS


def _listed(run: Run) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads(run(command, "list", "--json").stdout)
    return rows


def _given(world: SmallWorld) -> list[CommandGiven]:
    return [event for event in world.told() if isinstance(event, CommandGiven)]


class TestAdd:
    """``suppression add``."""

    def test_nothing_more_is_sent_there(self, world: SmallWorld, run: Run) -> None:
        """In whatever case it is written; the other target gets its mail."""
        said = run(command, "add", ANN.upper(), "--by", "moe", "--why", "asked us to stop").stdout
        assert said == f"{ANN.upper()}: {ANN.upper()} is suppressed\n"
        world.receive()
        assert [job.entry.address for job in world.claim()] == [BOB]
        assert any(isinstance(event, SendSuppressed) for event in world.told())

    def test_it_stands_on_the_log_until_somebody_releases_it(
        self, world: SmallWorld, run: Run
    ) -> None:
        """By whom and why."""
        run(command, "add", ANN, "--by", "moe", "--why", "asked us to stop")
        assert _listed(run) == [
            {
                "address": ANN,
                "reason": "by hand",
                "detail": "moe: asked us to stop",
                "until": None,
                "bounces": 0,
            }
        ]
        expected = AddressSuppressed(
            address=ANN, reason=SuppressionReason.MANUAL, detail="moe: asked us to stop", until=0
        )
        assert expected in world.told()

    @pytest.mark.parametrize("until", ["+2h", "2025-10-09T10:53:20Z"])
    def test_it_may_end_by_itself(self, world: SmallWorld, run: Run, until: str) -> None:
        """Then the listing gives no reason any more, and mail goes there again."""
        run(command, "add", ANN, "--until", until)
        (row,) = _listed(run)
        assert (row["reason"], row["until"]) == ("by hand", "2025-10-09T10:53:20.000000Z")
        world.clock.advance(2 * HOUR_US / 1_000_000)
        (row,) = _listed(run)
        assert (row["reason"], row["until"]) == (None, "2025-10-09T10:53:20.000000Z")
        world.receive()
        assert len(world.claim()) == 2

    @pytest.mark.parametrize(
        ("until", "named"),
        [
            ("+0s", "is over already"),
            ("1970-01-01", "is over already"),
            ("2025-10-09T08:53:20Z", "is over already"),
            ("", "'' is no time"),
            ("soon", "'soon' is no time"),
            ("+9999999d", "'+9999999d' is too far away"),
        ],
    )
    def test_a_wrong_end_is_a_wrong_call(
        self, world: SmallWorld, fail: Exit, until: str, named: str
    ) -> None:
        """What is over would suppress nothing, and 1970 begins with the number for ever."""
        code, text = fail("suppression", "add", ANN, "--until", until)
        assert (code, text.count("\n")) == (2, 1)
        assert named in text
        assert _given(world) == []

    def test_the_second_time_is_refused(self, run: Run, fail: Exit) -> None:
        """Exit 1 and a line that says why it is suppressed already."""
        run(command, "add", ANN)
        code, text = fail("suppression", "add", ANN)
        assert (code, text) == (
            1,
            f"mailtumble: refused: {ANN}: {ANN} is suppressed already (by hand)\n",
        )

    def test_one_with_an_end_may_get_another(self, run: Run) -> None:
        """For ever, say."""
        run(command, "add", ANN, "--until", "+2h")
        run(command, "add", ANN)
        assert _listed(run)[0]["until"] is None

    @pytest.mark.parametrize(
        "address",
        ["", "ann", "@far.example", "ann@", "Ann <ann@far.example>", "ann @far.example", "a@b\n"],
    )
    def test_what_is_no_address_is_a_wrong_call(
        self, world: SmallWorld, fail: Exit, address: str
    ) -> None:
        """It would stand in the list, and keep nothing from anybody."""
        code, text = fail("suppression", "add", address)
        assert (code, text) == (2, f"mailtumble: {address!r} is no address: give local@domain\n")
        assert _given(world) == []

    def test_an_address_need_not_be_ascii(self, run: Run) -> None:
        """SES may tell of such a one."""
        run(command, "add", "jürgen@münchen.example")
        assert _listed(run)[0]["address"] == "jürgen@münchen.example"


class TestRemove:
    """``suppression remove``."""

    def test_mail_goes_there_again(self, world: SmallWorld, run: Run) -> None:
        """And nothing is on record any more."""
        run(command, "add", ANN)
        said = run(command, "remove", ANN, "--by", "moe", "--why", "asked again").stdout
        assert said == f"{ANN}: {ANN} gets mail again\n"
        assert AddressReleased(address=ANN, detail="moe: asked again") in world.told()
        assert _listed(run) == []
        world.receive()
        assert len(world.claim()) == 2

    def test_what_is_not_suppressed_is_refused(self, fail: Exit) -> None:
        """Exit 1 and one line."""
        code, text = fail("suppression", "remove", ANN)
        assert (code, text) == (1, f"mailtumble: refused: {ANN}: {ANN} is not suppressed\n")

    @pytest.mark.parametrize("address", ["", "ann", "@far.example", "ann@"])
    def test_what_is_no_address_is_a_wrong_call(self, fail: Exit, address: str) -> None:
        """Exit 2."""
        code, text = fail("suppression", "remove", address)
        assert (code, text) == (2, f"mailtumble: {address!r} is no address: give local@domain\n")


class TestList:
    """``suppression list``."""

    def test_a_bounce_for_good_and_a_complaint(self, world: SmallWorld, run: Run) -> None:
        """What SES tells suppresses the address, with what the other server said."""
        mail = world.receive()
        world.send()
        ann, bob = (event.attempt_id for event in world.told() if isinstance(event, SendScheduled))
        world.append(mail, bounced(ann))
        world.append(mail, complained(bob, 1))
        world.work()
        rows = _listed(run)
        assert [(row["address"], row["reason"]) for row in rows] == [
            (ANN, "permanent bounce"),
            (BOB, "complaint"),
        ]
        assert rows[0]["detail"] == "smtp; 550 5.1.1 user unknown"
        assert [row["until"] for row in rows] == [None, None]

    def test_for_people_it_is_a_table(self, world: SmallWorld, run: Run) -> None:
        """One line an address; nothing that steers a terminal."""
        run(command, "add", ANN, "--until", "+2h", "--by", "moe", "--why", "\x1b[2J")
        lines = run(command, "list").stdout.splitlines()
        assert lines[0].split() == ["ADDRESS", "SUPPRESSED", "UNTIL", "BOUNCES", "DETAIL"]
        assert lines[1:] == [f"{ANN}  by hand     2025-10-09 10:53  0        moe: \\x1b[2J"]
        assert "\x1b" not in run(command, "list", "--json").stdout
        assert world.items.scan("addresses")

    def test_nothing_on_record_is_said(self, run: Run) -> None:
        """On stderr; JSON stays JSON."""
        result = run(command, "list")
        assert result.stdout == ""
        assert result.stderr == "No address has a bounce or a complaint on record.\n"
        assert _listed(run) == []

    def test_other_generations_are_left_out(self, world: SmallWorld, run: Run) -> None:
        """A new one that is being built doubles nothing."""
        run(command, "add", ANN)
        (item,) = world.items.scan("addresses")
        key = str(item["address_key"]).replace("g1#", "g2#")
        world.items.write(Put("addresses", {**item, "address_key": key}))
        assert len(_listed(run)) == 1
