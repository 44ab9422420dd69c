"""The examples in the how-to can be copied as they stand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mailtumble.cli.alias_files import read_file
from mailtumble.ports.world import AliasEntry
from mailtumble.toml_aliases import KEYS, TomlAliases
from processors.sending.schedule import parse_window
from schemas.values import Schedule

HOW_TO = (Path(__file__).parents[3] / "docs" / "how-to.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", HOW_TO, re.MULTILINE | re.DOTALL)


def _block(language: str, begin: str) -> str:
    (found,) = [text for name, text in BLOCKS if name == language and text.startswith(begin)]
    return str(found)


def test_the_aliases_in_toml(tmp_path: Path) -> None:
    """As the driver takes them, and as they are imported; every key is shown."""
    path = tmp_path / "aliases.toml"
    path.write_text(_block("toml", '["info@house.example"]'), encoding="utf-8")
    assert [entry.alias for entry in read_file(path)] == ["info@house.example", "@house.example"]
    (found,) = TomlAliases(path).find(["info@house.example"]).values()
    assert (found.moderated, found.schedule.delay_us) == (True, 60_000_000)
    assert all(f"{key} = " in path.read_text(encoding="utf-8") for key in KEYS)


def test_the_aliases_in_csv(tmp_path: Path) -> None:
    """With a whole domain among them."""
    path = tmp_path / "aliases.csv"
    path.write_text(_block("", "alias,targets"), encoding="utf-8")
    assert read_file(path) == [
        AliasEntry(
            "sales@house.example",
            read_file(path)[0].version,
            "sales@house.example",
            ("jane@example.com", "joe@example.com"),
        ),
        AliasEntry(
            "@shop.example",
            read_file(path)[1].version,
            "@shop.example",
            ("owner@example.com",),
            moderated=True,
            schedule=Schedule(window="daily 08:00-18:00 UTC"),
        ),
    ]


def test_the_driver_of_somebody_elses() -> None:
    """It is the least that there has to be."""
    names: dict[str, Any] = {}
    exec(compile(_block("python", "from mailtumble"), "how-to.md", "exec"), names)  # noqa: S102 - ours
    repository = names["repository"](None, None)
    (entry,) = repository.find(["info@house.example", "other@house.example"]).values()
    assert entry.targets == ("jane@example.com",)
    assert list(repository.list()) == [entry]


@pytest.mark.parametrize("window", re.findall(r'--window "([^"]+)"', HOW_TO))
def test_the_windows(window: str) -> None:
    """Each can be read."""
    assert parse_window(window).spans
