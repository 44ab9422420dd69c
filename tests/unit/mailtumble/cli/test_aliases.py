"""``mailtumble aliases``: checked before it is written, seen before it returns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mailtumble.cli.aliases import command
from mailtumble.ports.world import AliasUnreadable
from mailtumble.toml_aliases import TomlAliases
from schemas.errors import PermanentError, RetryableError
from schemas.events import AliasChanged, AliasRemoved
from schemas.ids import alias_subject
from schemas.values import ALWAYS, MINUTE_US, Schedule
from tests.fakes.clock import START_US
from tests.unit.mailtumble.cli.small_world import HOUSE, TARGETS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mailtumble.ports.world import AliasEntry
    from tests.unit.mailtumble.cli.conftest import Exit, Run
    from tests.unit.mailtumble.cli.small_world import SmallWorld


def test_add_writes_in_lower_case_for_the_alias_itself(world: SmallWorld, run: Run) -> None:
    """The tenant is the alias where none is told; a target named twice gets the mail once."""
    said = run(command, "add", "Sales@Shop.example", "A@x.example", "b@y.example", "A@x.example")
    entry = world.repository.find(["sales@shop.example"])["sales@shop.example"]
    assert (entry.tenant, entry.targets) == ("sales@shop.example", ("A@x.example", "b@y.example"))
    assert said.stdout == "sales@shop.example stands for A@x.example, b@y.example (version 1)\n"


def test_add_takes_a_whole_domain_and_a_tenant(world: SmallWorld, run: Run) -> None:
    """``@domain`` is an alias too."""
    run(command, "add", "@shop.example", "a@x.example", "--tenant", "shop")
    assert world.repository.find(["@shop.example"])["@shop.example"].tenant == "shop"


def test_add_returns_when_look_ups_see_this_version(
    world: SmallWorld, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older version, or a look-up that fails, is not yet seeing it."""
    find = world.repository.find
    stale = find([HOUSE])
    answers: list[Mapping[str, AliasEntry] | RetryableError] = [stale, RetryableError("out"), {}]

    def late(names: Sequence[str]) -> Mapping[str, AliasEntry]:
        if not answers:
            return find(names)
        answer = answers.pop(0)
        if isinstance(answer, RetryableError):
            raise answer
        return answer

    monkeypatch.setattr(world.repository, "find", late)
    assert "(version 2)" in run(command, "add", HOUSE, "a@x.example").stdout
    assert answers == []


def test_add_gives_up_where_look_ups_never_see_it(
    world: SmallWorld, fail: Exit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure, which says that it is written all the same."""
    monkeypatch.setattr(world.repository, "find", lambda names: {} if names else None)
    code, text = fail("aliases", "add", HOUSE, "a@x.example")
    assert code == 1
    assert "is written, but look-ups do not see it yet" in text


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["house.example", "a@x.example"], "'house.example'"),
        (["info@", "a@x.example"], "'info@'"),
        (["in fo@house.example", "a@x.example"], "'in fo@house.example'"),
        (["ínfo@house.example", "a@x.example"], "'ínfo@house.example'"),
        (["info@house.example", "@x.example"], "'@x.example'"),
        (["info@house.example", "ü@x.example"], "'ü@x.example'"),
        (["info@house.example", "A <a@x.example>"], "'A <a@x.example>'"),
        (["info@house.example", *(f"a{n}@x.example" for n in range(51))], "51 targets"),
    ],
)
def test_a_wrong_alias_or_target_is_a_wrong_call(
    world: SmallWorld, fail: Exit, arguments: list[str], named: str
) -> None:
    """Exit 2, one line that names it, and nothing is written."""
    code, text = fail("aliases", "add", *arguments)
    assert (code, text.count("\n")) == (2, 1)
    assert named in text
    assert [entry.alias for entry in world.repository.list()] == [HOUSE]


def test_list_has_every_entry(world: SmallWorld, run: Run) -> None:
    """JSON with all fields; for people a table."""
    assert json.loads(run(command, "list", "--json").stdout) == [
        {
            "alias": HOUSE,
            "version": 1,
            "tenant": "house",
            "targets": list(TARGETS),
            "moderated": False,
            "schedule": {"not_before": 0, "delay_us": 0, "window": ""},
        }
    ]
    assert ", ".join(TARGETS) in run(command, "list").stdout
    world.repository.remove(HOUSE)
    assert "mailtumble aliases add" in run(command, "list").stderr


def test_list_shows_what_can_be_read_beside_a_broken_item(
    world: SmallWorld,
    fail: Exit,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The others are listed, then the broken one is named."""
    readable = world.repository.find([HOUSE])

    def broken() -> Sequence[AliasEntry]:
        raise AliasUnreadable({"bad@x.example": "tenant is not a text"}, readable)

    monkeypatch.setattr(world.repository, "list", broken)
    shown: list[str] = []
    monkeypatch.setattr("mailtumble.cli.aliases.print_json", lambda value: shown.append(str(value)))
    code, text = fail("aliases", "list", "--json")
    assert code == 1
    assert "bad@x.example" in text
    assert HOUSE in shown[0]
    assert capsys.readouterr().err == ""


def test_remove_takes_it_away_once(world: SmallWorld, run: Run, fail: Exit) -> None:
    """The second time there is none: a failure."""
    run(command, "remove", HOUSE.upper())
    assert world.repository.list() == []
    code, text = fail("aliases", "remove", HOUSE)
    assert code == 1
    assert HOUSE in text


def test_a_missing_table_is_named_with_the_place_of_look_ups(
    world: SmallWorld, fail: Exit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not made here: the table may be somebody else's."""

    def missing(alias: str, targets: Sequence[str], tenant: str, **more: object) -> int:
        raise PermanentError(f"table aliases: no table for {alias} {targets} {tenant} {more}")

    monkeypatch.setattr(world.repository, "put", missing)
    object.__setattr__(world.settings, "lookup_endpoint_url", "http://elsewhere.example")
    code, text = fail("aliases", "add", HOUSE, "a@x.example")
    assert code == 1
    assert "table aliases" in text
    assert "http://elsewhere.example" in text


class TestSchedules:
    """``aliases add`` with what holds its mail back."""

    def test_moderation_and_a_schedule_are_kept(self, world: SmallWorld, run: Run) -> None:
        """In microseconds; and listed in words."""
        run(
            command, "add", "news@house.example", "a@x.example", "--moderated",
            "--not-before", "2025-12-24T18:00Z", "--delay", "90",
            "--window", "Mon-Fri 08:00-18:00 Europe/Berlin",
        )  # fmt: skip
        entry = world.repository.find(["news@house.example"])["news@house.example"]
        assert entry.moderated
        assert entry.schedule == Schedule(
            not_before=1_766_599_200_000_000,
            delay_us=90_000_000,
            window="Mon-Fri 08:00-18:00 Europe/Berlin",
        )
        assert (
            run(command, "list")
            .stdout.splitlines()[-1]
            .endswith("  moderated, not before 2025-12-24T18:00, 90 s later, Mon-Fri…")
        )
        (_, row) = json.loads(run(command, "list", "--json").stdout)
        assert (row["moderated"], row["schedule"]["delay_us"]) == (True, 90_000_000)

    @pytest.mark.parametrize(
        ("time", "at"),
        [
            ("+90m", START_US + 90 * MINUTE_US),
            ("2025-12-24T19:00+01:00", 1_766_599_200_000_000),
            ("1969-07-20", 0),
        ],
    )
    def test_not_before_is_a_time(self, world: SmallWorld, run: Run, time: str, at: int) -> None:
        """From now on, or of a clock; what is long over holds nothing back."""
        run(command, "add", HOUSE, "a@x.example", "--not-before", time)
        assert world.repository.find([HOUSE])[HOUSE].schedule == Schedule(not_before=at)

    @pytest.mark.parametrize(
        ("option", "value", "named"),
        [
            ("--not-before", "soon", "'soon' is no time"),
            ("--not-before", "+9999999d", "is too far away"),
            ("--delay", "nan", "--delay is no number of seconds"),
            ("--window", "always", "window 'always'"),
            ("--window", "Mon 08:00-18:00 Atlantis", "window 'Mon 08:00-18:00 Atlantis'"),
        ],
    )
    def test_a_wrong_one_is_a_wrong_call(
        self, world: SmallWorld, fail: Exit, option: str, value: str, named: str
    ) -> None:
        """Exit 2 and one line; nothing is written."""
        code, text = fail("aliases", "add", "a@x.example", "b@x.example", option, value)
        assert (code, text.count("\n")) == (2, 1)
        assert named in text
        assert [entry.alias for entry in world.repository.list()] == [HOUSE]

    @pytest.mark.parametrize("value", ["-1", "1e9", "soon"])
    def test_a_delay_has_bounds(self, world: SmallWorld, fail: Exit, value: str) -> None:
        """Up to a year; click says so."""
        code, text = fail("aliases", "add", HOUSE, "b@x.example", "--delay", value)
        assert code == 2
        assert "--delay" in text
        assert world.repository.find([HOUSE])[HOUSE].version == 1

    def test_its_mail_waits(self, world: SmallWorld, run: Run) -> None:
        """And is moderated."""
        run(command, "add", "late@house.example", "a@x.example", "--delay", "3600")
        run(command, "add", "care@house.example", "a@x.example", "--moderated")
        late = world.receive(1, "late@house.example")
        care = world.receive(2, "care@house.example")
        assert (world.status(late), world.status(care)) == ("scheduled", "held")
        (item,) = world.items.scan("queue")
        assert int(str(item["due_at"])) >= world.clock.now() + 3590 * 1_000_000


class TestOnTheLog:
    """Changes of aliases are facts."""

    def test_a_change_says_by_whom_and_which_version(self, world: SmallWorld, run: Run) -> None:
        """On the alias's own subject."""
        run(command, "add", HOUSE, "a@x.example", "--moderated", "--by", "ann")
        assert world.told() == [
            AliasChanged(
                alias=HOUSE,
                version=2,
                tenant=HOUSE,
                targets=("a@x.example",),
                moderated=True,
                schedule=ALWAYS,
                by="ann",
            )
        ]
        (record,) = world.events.records()
        assert record.subject == alias_subject(HOUSE)

    def test_a_removal_has_a_version_of_its_own(self, world: SmallWorld, run: Run) -> None:
        """By the user's name, where none is told; when it comes back, versions go on."""
        run(command, "remove", HOUSE, "--by", "ann")
        run(command, "add", HOUSE, "a@x.example", "--by", "bob")
        assert world.told()[0] == AliasRemoved(alias=HOUSE, version=2, by="ann")
        assert [event.version for event in world.told()] == [2, 3]  # type: ignore[union-attr]

    def test_core_takes_them_for_nothing_more(self, world: SmallWorld, run: Run) -> None:
        """They are read, and nothing follows."""
        run(command, "add", HOUSE, "a@x.example")
        world.work()
        assert [type(event) for event in world.told()] == [AliasChanged]


class TestImport:
    """``aliases import``."""

    CSV = (
        "alias,targets,moderated,window\n"
        "Sales@house.example,jane@x.example joe@x.example,yes,\n"
        "@shop.example,owner@x.example,,daily 08:00-18:00 UTC\n"
    )

    def test_a_csv(self, world: SmallWorld, run: Run, tmp_path: Path) -> None:
        """All of it is put, told on the log, and seen by look-ups."""
        path = tmp_path / "a.csv"
        path.write_text(self.CSV, encoding="utf-8")
        assert run(command, "import", str(path), "--by", "ann").stdout == "2 aliases are put\n"
        found = world.repository.find(["sales@house.example", "@shop.example"])
        assert found["sales@house.example"].targets == ("jane@x.example", "joe@x.example")
        assert found["sales@house.example"].moderated
        assert found["@shop.example"].schedule.window == "daily 08:00-18:00 UTC"
        told = [event for event in world.told() if isinstance(event, AliasChanged)]
        assert {(event.alias, event.version, event.by) for event in told} == {
            ("sales@house.example", 1, "ann"),
            ("@shop.example", 1, "ann"),
        }

    def test_a_toml(self, world: SmallWorld, run: Run, tmp_path: Path) -> None:
        """As the driver of that name takes it; one that is there gets its next version."""
        path = tmp_path / "a.toml"
        path.write_text(f'["{HOUSE}"]\ntargets = ["a@x.example"]\n', encoding="utf-8")
        assert run(command, "import", str(path)).stdout == "1 alias is put\n"
        entry = world.repository.find([HOUSE])[HOUSE]
        assert (entry.version, entry.tenant, entry.targets) == (2, HOUSE, ("a@x.example",))

    def test_a_broken_line_imports_nothing(
        self, world: SmallWorld, fail: Exit, tmp_path: Path
    ) -> None:
        """Exit 2 and one line that names file, line and alias."""
        path = tmp_path / "a.csv"
        path.write_text(f"{self.CSV}\nbad@house.example,joe,,\n", encoding="utf-8")
        code, text = fail("aliases", "import", str(path))
        assert (code, text) == (
            2,
            (
                f"mailtumble: {path}: nothing is imported, since line 5 (bad@house.example): "
                "targets is no list of addresses\n"
            ),
        )
        assert [entry.alias for entry in world.repository.list()] == [HOUSE]
        assert world.told() == []

    def test_a_file_that_is_not_there_is_a_wrong_call(self, fail: Exit) -> None:
        """Exit 2."""
        code, text = fail("aliases", "import", "no-such.csv")
        assert code == 2
        assert "no-such.csv" in text


class TestReadOnly:
    """A driver that only reads."""

    @pytest.fixture(autouse=True)
    def _toml_driver(
        self, world: SmallWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        path = tmp_path / "aliases.toml"
        path.write_text('["a@x.example"]\ntargets = ["b@x.example"]\n', encoding="utf-8")
        object.__setattr__(world.settings, "lookup", "toml")
        monkeypatch.setattr(world, "aliases", lambda: TomlAliases(path))

    def test_it_lists(self, run: Run) -> None:
        """What is in the file."""
        (row,) = json.loads(run(command, "list", "--json").stdout)
        assert (row["alias"], row["targets"]) == ("a@x.example", ["b@x.example"])

    @pytest.mark.parametrize(
        "arguments", [["add", HOUSE, "a@x.example"], ["remove", "a@x.example"], ["import", "CSV"]]
    )
    def test_it_is_not_changed_from_here(
        self, world: SmallWorld, fail: Exit, tmp_path: Path, arguments: list[str]
    ) -> None:
        """Exit 1, one line that names the driver; nothing is told on the log."""
        path = tmp_path / "new.csv"
        path.write_text(TestImport.CSV, encoding="utf-8")
        given = [str(path) if each == "CSV" else each for each in arguments]
        code, text = fail("aliases", *given)
        assert (code, text) == (
            1,
            (
                "mailtumble: aliases are looked up by the driver toml, which only reads: "
                "change them where they are kept\n"
            ),
        )
        assert world.told() == []

    def test_a_broken_file_is_told(self, fail: Exit, tmp_path: Path) -> None:
        """By whoever lists it."""
        (tmp_path / "aliases.toml").write_text("[", encoding="utf-8")
        code, text = fail("aliases", "list")
        assert code == 1
        assert f"aliases in {tmp_path}/aliases.toml are unavailable" in text


@pytest.mark.parametrize(("tenant", "fits"), [("t" * 452, True), ("t" * 453, False)])
def test_a_tenant_has_to_fit_into_the_queues_key(
    world: SmallWorld, run: Run, fail: Exit, tenant: str, *, fits: bool
) -> None:
    """Beside the longest domains; nothing is written where it does not."""
    if fits:
        run(command, "add", "a@shop.example", "a@x.example", "--tenant", tenant)
        return
    code, text = fail("aliases", "add", "a@shop.example", "a@x.example", "--tenant", tenant)
    assert code == 2
    assert "is too long: 453 bytes" in text
    assert "which has room for 452" in text
    assert world.repository.find(["a@shop.example"]) == {}


def test_a_domain_has_to_fit_too(fail: Exit) -> None:
    """255 characters are RFC 5321's limit."""
    code, text = fail("aliases", "add", "a@shop.example", f"a@{'d' * 256}")
    assert code == 2
    assert "is no address" in text
