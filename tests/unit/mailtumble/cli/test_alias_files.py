"""Files of aliases: whole or not at all, with every mistake named by line and alias."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtumble.cli.alias_files import COLUMNS, read_file
from mailtumble.ports.world import AliasEntry
from schemas.errors import BadInput
from schemas.values import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., list[AliasEntry]]:
    """Reads a file with this text."""

    def read_text(text: str | bytes, name: str = "a.csv") -> list[AliasEntry]:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_file(path)

    return read_text


@pytest.fixture
def refusal(read: Callable[..., list[AliasEntry]], tmp_path: Path) -> Callable[..., str]:
    """Why a file is refused, without its name."""

    def told(text: str | bytes, name: str = "a.csv") -> str:
        with pytest.raises(BadInput) as refused:
            read(text, name)
        return str(refused.value).removeprefix(f"{tmp_path}/{name}: ")

    return told


def test_a_csv_with_every_column(read: Callable[..., list[AliasEntry]]) -> None:
    """In any order; what is quoted may hold commas; cells may be empty."""
    entries = read(
        "window,alias,targets,tenant,moderated,not_before,delay_s\n"
        '"Mon-Fri 08:00-18:00; Sat,Sun 10:00-14:00 UTC", News@House.example ,'
        "a@x.example  B@x.example a@x.example,house,Yes,2026-12-24T18:00:00Z,1.5\n"
        ",@shop.example,c@x.example,,,,\n"
    )
    assert [(each.alias, each.targets, each.tenant, each.moderated) for each in entries] == [
        ("news@house.example", ("a@x.example", "B@x.example"), "house", True),
        ("@shop.example", ("c@x.example",), "@shop.example", False),
    ]
    assert entries[0].schedule == Schedule(
        not_before=1_798_135_200_000_000,
        delay_us=1_500_000,
        window="Mon-Fri 08:00-18:00; Sat,Sun 10:00-14:00 UTC",
    )
    assert entries[1].schedule == Schedule()


def test_a_csv_as_spreadsheets_write_it(read: Callable[..., list[AliasEntry]]) -> None:
    """With a byte order mark and Windows' line ends."""
    (entry,) = read(b"\xef\xbb\xbfalias,targets\r\na@x.example,b@x.example\r\n")
    assert (entry.alias, entry.targets) == ("a@x.example", ("b@x.example",))


def test_a_toml(read: Callable[..., list[AliasEntry]]) -> None:
    """As the look-up driver takes it."""
    (entry,) = read('["A@x.example"]\ntargets = ["b@x.example"]\ndelay_s = 60', "a.TOML")
    assert (entry.alias, entry.schedule.delay_us) == ("a@x.example", 60_000_000)


def test_a_file_without_aliases_has_none(read: Callable[..., list[AliasEntry]]) -> None:
    """That is no mistake."""
    assert read("alias,targets\n") == []
    assert read("", "a.toml") == []


@pytest.mark.parametrize(
    ("word", "flag"),
    [("yes", True), ("TRUE", True), ("1", True), ("no", False), ("False", False), ("0", False)],
)
def test_a_flag_is_a_word(
    read: Callable[..., list[AliasEntry]],
    word: str,
    flag: bool,  # noqa: FBT001 - a parameter
) -> None:
    """In whatever case."""
    (entry,) = read(f"alias,targets,moderated\na@x.example,b@x.example,{word}\n")
    assert entry.moderated is flag


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("a@x.example,,,,,", "targets is no list of addresses"),
        ("a@x.example,bob,,,,", "targets is no list of addresses"),
        ("a@x.example,b@x.example;c@x.example,,,,", "target 'b@x.example;c@x.example' is no addr"),
        ("a@x.example,b@x.example,perhaps,,,", "moderated is neither yes nor no"),
        ("a@x.example,b@x.example,,tomorrow,,", "not_before is 'tomorrow'"),
        ("a@x.example,b@x.example,,2026-12-24T18:00:00,,", "not_before is no date and time with"),
        ("a@x.example,b@x.example,,12,,", "not_before is no date and time with a time zone"),
        ("a@x.example,b@x.example,,,soon,", "delay_s is 'soon'"),
        ("a@x.example,b@x.example,,,-1,", "delay_s is no number of seconds"),
        ("a@x.example,b@x.example,,,nan,", "delay_s is no number of seconds"),
        ("a@x.example,b@x.example,,,true,", "delay_s is no number of seconds"),
        (f'a@x.example,b@x.example,,,"{"[" * 5000}",', "delay_s is '[["),
        ("a@x.example,b@x.example,,,,always", "window 'always'"),
        ("a@x.example,b@x.example", "it has more or fewer cells than there are columns"),
        ("a@x.example,b@x.example,,,,,,", "it has more or fewer cells than there are columns"),
    ],
)
def test_a_broken_line_is_named_with_its_alias(
    refusal: Callable[..., str], row: str, problem: str
) -> None:
    """By its number in the file, blank lines counted."""
    header = "alias,targets,moderated,not_before,delay_s,window"
    told = refusal(f"{header}\n\nok@x.example,b@x.example,,,,\n{row}\n")
    assert told.startswith(f"nothing is imported, since line 4 (a@x.example): {problem}")


@pytest.mark.parametrize("alias", ["", "house.example", "a b@x.example", "ä@x.example", "a@"])
def test_what_is_no_alias_is_named_with_its_line(refusal: Callable[..., str], alias: str) -> None:
    """As strictly as at the command line, in both kinds of file."""
    told = refusal(f"alias,targets\n{alias},b@x.example\n")
    assert told.startswith(f"nothing is imported, since line 2 ({alias}): {alias!r} is no alias")
    told = refusal(f'["{alias}"]\ntargets = ["b@x.example"]\ntenant = "t"\n', "a.toml")
    assert told.startswith(f"nothing is imported, since {alias}: {alias!r} is no alias")


def test_a_tenant_that_is_too_long_is_named(refusal: Callable[..., str]) -> None:
    """In both kinds of file; its length is that in the queue's key, where ü takes six bytes."""
    tenant = "ü" * 76
    told = refusal(f"alias,targets,tenant\na@x.example,b@x.example,{tenant}\n")
    assert "line 2 (a@x.example): the tenant üüü" in told
    assert "is too long: 456 bytes" in told
    told = refusal(f'["a@x.example"]\ntargets = ["b@x.example"]\ntenant = "{tenant}"\n', "a.toml")
    assert "a@x.example: the tenant üüü" in told


def test_too_many_targets_are_named(refusal: Callable[..., str]) -> None:
    """In both kinds of file."""
    targets = [f"t{number}@x.example" for number in range(51)]
    assert "line 2 (a@x.example): 51 targets" in refusal(
        f"alias,targets\na@x.example,{' '.join(targets)}\n"
    )
    assert "a@x.example: 51 targets" in refusal(f'["a@x.example"]\ntargets = {targets}', "a.toml")


def test_an_alias_stands_there_once(refusal: Callable[..., str]) -> None:
    """Nobody knows which one is meant."""
    csv = "alias,targets\nA@x.example,b@x.example\na@x.example,c@x.example\n"
    assert refusal(csv) == "nothing is imported, since line 3 (a@x.example): it stands there twice"
    toml = '["A@x.example"]\ntargets = ["b@x"]\n["a@x.example"]\ntargets = ["c@x"]\n'
    assert refusal(toml, "a.toml") == (
        "nothing is imported, since a@x.example: it stands there twice"
    )


def test_of_many_mistakes_some_are_told(refusal: Callable[..., str]) -> None:
    """And how many there are besides."""
    rows = "".join(f"a{number}@x.example,nobody\n" for number in range(8))
    told = refusal(f"alias,targets\n{rows}")
    assert told.count("targets is no list") == 5
    assert told.endswith("; and 3 more")


def test_a_line_that_goes_on_is_named_by_its_end(refusal: Callable[..., str]) -> None:
    """A cell in quotes may have several lines."""
    told = refusal('alias,targets\na@x.example,"b@x.example\n c@x.example"\nbad,d@x.example\n')
    assert "since line 4 (bad): 'bad' is no alias" in told


@pytest.mark.parametrize(
    "header", ["", "alias", "targets", "Alias,Targets", "alias;targets", "alias,targets,colour"]
)
def test_the_first_line_names_the_columns(refusal: Callable[..., str], header: str) -> None:
    """Two of them have to be there, and no others are known."""
    told = refusal(f"{header}\na@x.example,b@x.example\n")
    assert told.startswith("its first line names the columns alias and targets, and none but")
    assert all(column in told for column in COLUMNS)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"alias,targets\na@x.example,\xff\n", "a.csv"),
        (b"[", "a.toml"),
        (b"a = '\xff'", "a.toml"),
        (b"a = " + b"[" * 5000, "a.toml"),
        (b"alias,targets\n", "a.txt"),
        (b"alias,targets\n", "csv"),
    ],
)
def test_what_is_no_such_file_is_said(
    read: Callable[..., list[AliasEntry]], tmp_path: Path, content: bytes, name: str
) -> None:
    """With its name."""
    with pytest.raises(BadInput, match=str(tmp_path / name)):
        read(content, name)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """Whatever it is called."""
    for name in ("a.csv", "a.toml"):
        (tmp_path / name).mkdir()
        with pytest.raises(BadInput, match="can't be read"):
            read_file(tmp_path / name)


@given(st.text(alphabet='a@x.,"\n\r\0 é1-', max_size=60))
def test_whatever_stands_there_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    """No other error comes out."""
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(f"alias,targets,moderated\n{text}".encode())
    try:
        entries = read_file(path)
    except BadInput:
        return
    assert all(each.targets for each in entries)
