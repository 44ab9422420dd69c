"""``mailtumble aliases``: checked before it is written, seen before it returns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mailtumble.cli.aliases import command
from mailtumble.ports.world import AliasUnreadable
from schemas.errors import PermanentError, RetryableError
from tests.unit.mailtumble.cli.small_world import HOUSE, TARGETS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
        {"alias": HOUSE, "version": 1, "tenant": "house", "targets": list(TARGETS)}
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

    def missing(alias: str, targets: Sequence[str], tenant: str) -> int:
        raise PermanentError(f"table aliases: no table for {alias} {targets} {tenant}")

    monkeypatch.setattr(world.repository, "put", missing)
    object.__setattr__(world.settings, "lookup_endpoint_url", "http://elsewhere.example")
    code, text = fail("aliases", "add", HOUSE, "a@x.example")
    assert code == 1
    assert "table aliases" in text
    assert "http://elsewhere.example" in text
