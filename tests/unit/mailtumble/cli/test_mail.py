"""``mailtumble mail``: the view's rows, and the story from the stream."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtumble import throughput
from mailtumble.cli.mail import command
from mailtumble.cli.output import printable
from mailtumble.cli.queue import command as queue
from mailtumble.ports.store import Delete, Put, Update
from mailtumble.worker.views import iso, paused_at_key
from processors.throughput.projection import Grain
from schemas.values import DAY_US, HOUR_US, MINUTE_US
from tests.samples import bounced
from tests.unit.mailtumble.cli.small_world import HOUSE, TARGETS

if TYPE_CHECKING:
    from tests.unit.mailtumble.cli.conftest import Exit, Run
    from tests.unit.mailtumble.cli.small_world import SmallWorld

DAY_S = 24 * 3600


def test_list_gives_all_fields_newest_first(world: SmallWorld, run: Run) -> None:
    """JSON has the contract's fields, targets included, the newest mail first."""
    first = world.receive(1)
    world.send()
    second = world.receive(2)
    rows = json.loads(run(command, "list", "--json").stdout)
    assert [row["mail_id"] for row in rows] == [second, first]
    assert list(rows[1]) == [
        "mail_id",
        "status",
        "received_at",
        "envelope_sender",
        "recipient",
        "subject",
        "size_bytes",
        "targets",
    ]
    assert (rows[0]["status"], rows[1]["status"]) == ("scheduled", "completed")
    assert rows[1]["targets"] == [
        {
            "address": address,
            "status": "completed",
            "attempts": 1,
            "provider_message_id": "01000157c44f053b-61b59c11",
            "reason": None,
        }
        for address in TARGETS
    ]


def test_list_leaves_other_generations_out(world: SmallWorld, run: Run) -> None:
    """A new generation that is being built does not double the mails."""
    mail = world.receive()
    other = {**world.items.scan("mails")[0], "mail_key": f"g2#{mail}", "received_day": "g2#x"}
    world.items.write(Put("mails", other))
    assert len(json.loads(run(command, "list", "--json").stdout)) == 1


@pytest.mark.parametrize("days", [1, 30])
def test_limit_takes_the_newest_however_far_apart(world: SmallWorld, run: Run, days: int) -> None:
    """The newest so many, whether they are found day by day or by reading everything."""
    mails = []
    for number in range(3):
        mails.append(world.receive(number))
        world.clock.advance(days * DAY_S)
    rows = json.loads(run(command, "list", "--json", "--limit", "2").stdout)
    assert [row["mail_id"] for row in rows] == [mails[2], mails[1]]


def test_day_and_status_choose(world: SmallWorld, run: Run) -> None:
    """A day in UTC, and a status."""
    first = world.receive(1)
    nobody = world.receive(2, "nobody@else.example")
    world.clock.advance(DAY_S)
    second = world.receive(3)

    def listed(*options: str) -> list[str]:
        rows = json.loads(run(command, "list", "--json", *options).stdout)
        return [row["mail_id"] for row in rows]

    assert listed("--day", "2025-10-09") == [nobody, first]
    assert listed("--day", "2025-10-10") == [second]
    assert listed("--status", "unroutable") == [nobody]
    assert listed("--status", "scheduled", "--limit", "1") == [second]


def test_list_for_people_is_a_table_without_colours_in_a_pipe(world: SmallWorld, run: Run) -> None:
    """One line a mail under headings, and no escape sequences, not even a stranger's."""
    mail = world.receive()
    item = {**world.items.scan("mails")[0], "subject": "\x1b[2J\nwiped"}
    world.items.write(Put("mails", item))
    lines = run(command, "list").stdout.splitlines()
    assert lines[0].split() == ["MAIL", "STATUS", "RECEIVED", "FROM", "TO", "SUBJECT"]
    assert lines[1].startswith(f"{mail}  scheduled  2025-10-09 08:53:20")
    assert lines[1].endswith(r"\x1b[2J\nwiped")
    assert len(lines) == 2


def test_an_empty_list_says_what_to_do(world: SmallWorld, run: Run) -> None:
    """JSON stays JSON; a person gets a hint, on stderr."""
    assert world.items.scan("mails") == []
    result = run(command, "list")
    assert result.stdout == ""
    assert "mailtumble local inject" in result.stderr
    assert json.loads(run(command, "list", "--json").stdout) == []


def test_show_lists_the_accepted_events(world: SmallWorld, run: Run) -> None:
    """In stream order, each with its record's number, time and cause."""
    mail = world.receive()
    world.send()
    shown = json.loads(run(command, "show", mail, "--json").stdout)
    assert (shown["mail_id"], shown["status"]) == (mail, "completed")
    assert [event["type"] for event in shown["events"]] == [
        "MailReceived",
        "RouteResolved",
        "SendScheduled",
        "SendScheduled",
        "SendStarted",
        "SendStarted",
        "SendAccepted",
        "SendAccepted",
        "MailCompleted",
    ]
    first = shown["events"][0]
    assert list(first) == ["sequence_number", "type", "recorded_at", "cause", "payload"]
    assert first["recorded_at"] == "2025-10-09T08:53:20.500000Z"
    assert first["cause"] == "ses-in-1"
    assert first["payload"]["recipient"] == HOUSE
    numbers = [event["sequence_number"] for event in shown["events"]]
    assert numbers == sorted(numbers)


def test_show_needs_nothing_of_the_item_but_its_spans(world: SmallWorld, run: Run) -> None:
    """Everything told comes from the stream."""
    mail = world.receive()
    world.send()
    whole = world.items.scan("mails")[0]
    before = run(command, "show", mail, "--json").stdout
    bare = {name: whole[name] for name in ("mail_key", "spans")}
    world.items.write(Put("mails", bare))
    assert run(command, "show", mail, "--json").stdout == before
    assert run(command, "show", mail[:6], "--json").stdout == before
    assert json.loads(run(command, "list", "--json").stdout)[0]["mail_id"] == mail


def test_show_has_repeats_with_all_only(world: SmallWorld, run: Run) -> None:
    """What counts once is listed once, unless everything is asked for."""
    mail = world.receive()
    world.events.repeat(world.events.records()[0].sequence_number)
    world.send()
    some = json.loads(run(command, "show", mail, "--json").stdout)["events"]
    everything = json.loads(run(command, "show", mail, "--json", "--all").stdout)["events"]
    assert len(everything) == len(some) + 1
    assert [each["judgement"] for each in everything].count("repeated") == 1
    assert "once more; this came second, void" in run(command, "show", mail).stdout


def test_show_tells_the_story(world: SmallWorld, run: Run) -> None:
    """In sentences with the times between the steps."""
    mail = world.receive()
    world.send()
    text = run(command, "show", mail).stdout
    assert text.startswith(f"Mail {mail}: completed\n  2025-10-09T08:53:20.500000Z: received from")
    assert f"looked up; {HOUSE} stands for {TARGETS[0]} and {TARGETS[1]} (version 1)" in text
    assert f"1.0 s later: {TARGETS[0]}: SES accepted it as" in text
    assert f"\n{TARGETS[1]}: completed (1 attempt)\n" in text


def test_show_tells_when_a_waiting_mail_is_expected_to_leave(world: SmallWorld, run: Run) -> None:
    """By what is due before it; of what is paused nobody can say."""
    mails = [world.receive(number) for number in range(14)]
    world.learn_quota()
    shown = json.loads(run(command, "show", mails[-1], "--json").stdout)["expected"]
    waits = [
        datetime.fromisoformat(at).timestamp() - world.clock.now() / 1e6 for at in shown.values()
    ]
    assert len(waits) == len(TARGETS)
    assert 27 / 13.328 - 0.01 <= min(waits) < max(waits) <= 28 / 13.328 + 0.01
    assert ", expected to leave at 2025-10-09 08:53:3" in run(command, "show", mails[-1]).stdout
    run(queue, "pause")
    shown = json.loads(run(command, "show", mails[-1], "--json").stdout)["expected"]
    assert set(shown.values()) == {None}


class TestShowWhatHolds:
    """``mail show`` of a mail that waits, and does not leave by itself."""

    def _held(self, run: Run, mail: str) -> list[dict[str, object]]:
        held = json.loads(run(command, "show", mail, "--json").stdout)["held"]
        assert set(held) <= {"0", "1"}
        found = held.get("0", [])
        assert held.get("1", []) == found
        return list(found)

    def test_nothing(self, world: SmallWorld, run: Run) -> None:
        """It leaves in its turn."""
        mail = world.receive()
        world.learn_quota()
        assert self._held(run, mail) == []
        assert "held:" not in run(command, "show", mail).stdout

    def test_a_pause(self, world: SmallWorld, run: Run) -> None:
        """By whom, and since when its record was written."""
        mail = world.receive()
        run(queue, "pause", "--tenant", "house", "--by", "ann", "--why", "lunch")
        at = world.clock.now()
        (held,) = self._held(run, mail)
        assert held == {
            "how": "paused",
            "what": "sending of house",
            "why": "ann: lunch",
            "since": iso(at),
            "until": None,
        }
        told = f"{iso(at)[:19].replace('T', ' ')} UTC"
        assert f"  held: sending of house is paused since {told}, by ann: lunch\n" in (
            run(command, "show", mail).stdout
        )

    def test_a_pause_of_which_no_view_tells_when_it_was_given(
        self, world: SmallWorld, run: Run
    ) -> None:
        """It stood before such a view did."""
        mail = world.receive()
        run(queue, "pause", "--by", "ann")
        world.items.write(Delete("fleet", paused_at_key("g1")))
        assert self._held(run, mail)[0]["since"] is None
        assert "held: sending of the whole fleet is paused, by ann\n" in (
            run(command, "show", mail).stdout
        )

    def test_a_drain_holds_what_came_in_later(self, world: SmallWorld, run: Run) -> None:
        """Since its moment; what had come in before is not held."""
        before = world.receive(1)
        at = world.clock.now()
        run(queue, "drain", "--domain", "far.example", "--by", "ann")
        after = world.receive(2)
        assert self._held(run, before) == []
        (held,) = self._held(run, after)
        assert (held["how"], held["what"]) == ("drained", "sending to far.example")
        assert held["since"] == iso(at)

    def test_a_stop_of_ses(self, world: SmallWorld, run: Run) -> None:
        """With what SES says; two reasons are two."""
        mail = world.receive()
        since = world.clock.now()
        item = {"scope": "", "why": "suspended", "since": since, "probe_at": 9, "probes": 0}
        world.items.write(Put("fleet", {"name": "stops", "version": 1, "standing": [item]}))
        run(queue, "pause")
        paused, stopped = self._held(run, mail)
        assert paused["how"] == "paused"
        assert stopped == {
            "how": "stopped",
            "what": "sending of the whole account",
            "why": "suspended",
            "since": iso(since),
            "until": None,
        }
        assert "  held: sending of the whole account is stopped since 20" in (
            run(command, "show", mail).stdout
        )

    def test_a_used_up_day(self, world: SmallWorld, run: Run) -> None:
        """Until it frees: a day after what was sent first."""
        mail = world.receive()
        world.learn_quota()
        world.items.write(Update("fleet", {"name": "quota"}, set={"sent_24h": 47_500}))
        (held,) = self._held(run, mail)
        assert (held["how"], held["since"], held["until"]) == ("day", None, None)
        minute = world.clock.now() // MINUTE_US * MINUTE_US - 5 * HOUR_US
        hour = minute - minute % HOUR_US
        shard = world.stream().shards()[0].id
        key = throughput.key("g1", shard, Grain.HOUR, hour)
        name = f"accepted_{(minute - hour) // MINUTE_US:02d}"
        world.items.write(Update("throughput", key, add={name: 10}))
        (held,) = self._held(run, mail)
        frees_at = minute + MINUTE_US + DAY_US
        assert held["until"] == iso(frees_at)
        told = f"{iso(frees_at)[:19].replace('T', ' ')} UTC"
        assert (
            "  held: the day's quota, but for what is kept for urgent mail, is used up; "
            f"it frees from {told} on\n"
        ) in run(command, "show", mail).stdout


def test_show_finds_a_mail_by_an_id_of_ses(world: SmallWorld, run: Run) -> None:
    """By SES's id of the mail that came in, and of the one that went out."""
    mail = world.receive()
    world.send()
    for given_id in ("ses-in-1", "01000157c44f053b-61b59c11"):
        shown = json.loads(run(command, "show", given_id, "--json").stdout)
        assert shown["mail_id"] == mail


def test_show_of_an_unknown_id_is_a_failure_in_one_line(world: SmallWorld, fail: Exit) -> None:
    """Exit 1; the line names the id and what to do."""
    world.receive()
    for given_id in ("nope", "zz"):
        code, text = fail("mail", "show", given_id)
        assert code == 1
        assert text.count("\n") == 1
        assert given_id in text
        assert "mailtumble mail list" in text


def test_show_of_an_ambiguous_id_is_a_wrong_call(world: SmallWorld, fail: Exit) -> None:
    """An id of SES's that two recipients share: exit 2, with the mails' ids."""
    first = world.receive(1)
    second = world.receive(1, "other@house.example")
    code, text = fail("mail", "show", "ses-in-1")
    assert code == 2
    assert first in text
    assert second in text


def test_show_tells_of_a_bounce(world: SmallWorld, run: Run) -> None:
    """The status is folded from the stream; the projection may lag behind."""
    mail = world.receive()
    world.send()
    attempt = world.items.scan("claims")[0]["attempt_id"]
    world.append(mail, bounced(str(attempt)))
    world.asleep = True
    shown = json.loads(run(command, "show", mail, "--json").stdout)
    assert shown["status"] == "bounced"
    assert world.status(mail) == "completed"


@given(st.text())
def test_printable_is_one_line_that_steers_nothing(text: str) -> None:
    """Whatever a stranger writes, a terminal gets printable characters only."""
    assert printable(text).isprintable()
