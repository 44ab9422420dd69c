"""Aliases in a file: found, seen to change, and broken ones told apart from missing ones."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtumble import toml_aliases
from mailtumble.ports.world import AliasEntry, AliasUnreadable
from mailtumble.toml_aliases import KEYS, TomlAliases, entry_of, read_aliases
from schemas.errors import BadInput, RetryableError
from schemas.values import ALWAYS, Schedule

if TYPE_CHECKING:
    from pathlib import Path

WRITTEN = """
["Info@House.example"]
targets = ["jane@example.com", "joe@example.com", "jane@example.com"]

["@house.example"]
targets = ["post@example.com"]
tenant = "house"
moderated = true
not_before = 2026-12-01T08:00:00Z
delay_s = 60.5
window = "Mon-Fri 08:00-18:00 Europe/Berlin"
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with two aliases."""
    path = tmp_path / "aliases.toml"
    path.write_text(WRITTEN, encoding="utf-8")
    return path


def _write(path: Path, text: str, second: int) -> None:
    path.write_text(text, encoding="utf-8")
    # A file system's clock may be coarse: that it is another time must not hang on that.
    os.utime(path, (second, second))


def test_entries_are_found_by_name(path: Path) -> None:
    """In lower case, with all they know; others are left out."""
    found = TomlAliases(path).find(["info@house.example", "@house.example", "other@x.example"])
    assert set(found) == {"info@house.example", "@house.example"}
    info, house = found["info@house.example"], found["@house.example"]
    assert info == AliasEntry(
        "info@house.example",
        info.version,
        "info@house.example",
        ("jane@example.com", "joe@example.com"),
    )
    assert (house.tenant, house.moderated) == ("house", True)
    assert house.schedule == Schedule(
        not_before=1_796_112_000_000_000,
        delay_us=60_500_000,
        window="Mon-Fri 08:00-18:00 Europe/Berlin",
    )
    assert info.schedule == ALWAYS


def test_the_listing_is_by_name(path: Path) -> None:
    """All of them."""
    assert [each.alias for each in TomlAliases(path).list()] == [
        "@house.example",
        "info@house.example",
    ]


def test_a_change_is_seen_at_the_next_look_up(path: Path) -> None:
    """Its version follows from its content: the same content has the same one again."""
    repository = TomlAliases(path)
    first = repository.find(["info@house.example"])["info@house.example"]
    _write(path, WRITTEN.replace("joe", "moe"), 1)
    second = repository.find(["info@house.example"])["info@house.example"]
    assert second.targets == ("jane@example.com", "moe@example.com")
    assert second.version != first.version
    _write(path, WRITTEN, 2)
    assert repository.find(["info@house.example"])["info@house.example"] == first


def test_what_has_not_changed_is_not_read_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look-up of a batch costs a glance at the file's time."""
    repository = TomlAliases(path)
    repository.find([])
    monkeypatch.setattr(toml_aliases, "read_aliases", None)
    assert len(repository.list()) == 2


@pytest.mark.parametrize("text", ["[", "a = '\ud800'", "a = " + "[" * 5000])
def test_a_file_that_is_no_toml_is_unavailable(path: Path, text: str) -> None:
    """Its mail waits until it is mended; what was known before is not used."""
    repository = TomlAliases(path)
    repository.find([])
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    os.utime(path, (1, 1))
    for ask in (lambda: repository.find(["info@house.example"]), repository.list):
        with pytest.raises(RetryableError, match=f"aliases in {path} are unavailable") as caught:
            ask()
        assert not isinstance(caught.value, AliasUnreadable)
    _write(path, WRITTEN, 2)
    assert len(repository.list()) == 2


def test_a_file_that_is_gone_is_unavailable(path: Path) -> None:
    """It says nothing about the names."""
    repository = TomlAliases(path)
    repository.find([])
    path.unlink()
    with pytest.raises(RetryableError, match="are unavailable"):
        repository.find(["info@house.example"])


BROKEN = [
    ("5", "it is no table with targets"),
    ("{}", "targets is no list of addresses"),
    ('{ targets = "a@x" }', "targets is no list of addresses"),
    ("{ targets = [] }", "targets is no list of addresses"),
    ('{ targets = ["a"] }', "targets is no list of addresses"),
    ("{ targets = [5] }", "targets is no list of addresses"),
    ('{ targets = ["a@x"], target = "b@x" }', "it has no key 'target'"),
    ('{ targets = ["a@x"], tenant = "" }', "tenant is no text"),
    ('{ targets = ["a@x"], tenant = 5 }', "tenant is no text"),
    ('{ targets = ["a@x"], moderated = "yes" }', "moderated is neither true nor false"),
    ('{ targets = ["a@x"], not_before = 5 }', "not_before is no date and time with a time zone"),
    ('{ targets = ["a@x"], not_before = 2026-01-01 }', "not_before is no date and time with"),
    ('{ targets = ["a@x"], not_before = 2026-01-01T00:00:00 }', "not_before is no date and time"),
    ('{ targets = ["a@x"], delay_s = -1 }', "delay_s is no number of seconds"),
    ('{ targets = ["a@x"], delay_s = nan }', "delay_s is no number of seconds"),
    ('{ targets = ["a@x"], delay_s = inf }', "delay_s is no number of seconds"),
    ('{ targets = ["a@x"], delay_s = true }', "delay_s is no number of seconds"),
    ('{ targets = ["a@x"], window = 5 }', "window is no text"),
    ('{ targets = ["a@x"], window = "always" }', "window 'always'"),
]


@pytest.mark.parametrize(("value", "problem"), BROKEN)
def test_a_broken_entry_is_unavailable_not_missing(path: Path, value: str, problem: str) -> None:
    """Those that are asked for with it are told beside it; the rest does not suffer."""
    _write(path, f'"Bad@x.example" = {value}\n{WRITTEN}', 1)
    repository = TomlAliases(path)
    with pytest.raises(AliasUnreadable) as caught:
        repository.find(["bad@x.example", "info@house.example", "other@x.example"])
    assert caught.value.problems["bad@x.example"].startswith(problem)
    assert list(caught.value.readable) == ["info@house.example"]
    assert list(repository.find(["info@house.example"])) == ["info@house.example"]
    with pytest.raises(AliasUnreadable) as caught:
        repository.list()
    assert sorted(caught.value.readable) == ["@house.example", "info@house.example"]


def test_an_alias_in_two_spellings_is_broken(path: Path) -> None:
    """Nobody knows which one is meant, so that its mail waits for somebody who does."""
    _write(path, WRITTEN + '["INFO@house.example"]\ntargets = ["x@x.example"]\n', 1)
    with pytest.raises(AliasUnreadable, match="it stands there twice"):
        TomlAliases(path).find(["info@house.example"])


def test_what_is_before_1970_holds_nothing_back() -> None:
    """It is over."""
    fields = {"targets": ["a@x"], "not_before": datetime(1969, 7, 20, tzinfo=UTC)}
    assert entry_of("a@x", fields).schedule == ALWAYS


def test_every_key_is_in_the_example_of_the_module() -> None:
    """A newcomer reads that."""
    assert toml_aliases.__doc__
    for key in KEYS:
        assert f"    {key} = " in toml_aliases.__doc__


def test_the_example_of_the_module_is_one(tmp_path: Path) -> None:
    """It can be copied as it stands."""
    path = tmp_path / "aliases.toml"
    path.write_text(str(toml_aliases.__doc__).partition("::\n")[2].partition("\nA change")[0])
    entries, problems = read_aliases(path)
    assert (list(entries), problems) == (["info@house.example"], {})


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.datetimes(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(
        st.sampled_from(sorted(KEYS)), inner, max_size=4),
    max_leaves=8,
))  # fmt: skip
def test_whatever_stands_there_is_an_entry_or_broken(fields: object) -> None:
    """No other error comes out: one entry must not take the others' mail along."""
    try:
        entry = entry_of("a@x.example", fields)
    except BadInput:
        return
    assert entry.targets
