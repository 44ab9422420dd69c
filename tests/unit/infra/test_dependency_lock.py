"""The lock: exact, with hashes, and silent about where it was made."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def lock() -> str:
    """The lock's text."""
    return (ROOT / "requirements/dev.lock").read_text(encoding="utf-8")


def _requirements(lock: str) -> list[str]:
    joined = lock.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line and not line.lstrip().startswith("#")]


def test_every_requirement_is_exact_and_has_hashes(lock: str) -> None:
    """These very files are installed, and no others."""
    loose = [
        line
        for line in _requirements(lock)
        if not re.fullmatch(
            r"[A-Za-z0-9._-]+==\S+(\s+;[^\n]*?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*", line
        )
    ]
    assert loose == []


def test_no_place_is_named(lock: str) -> None:
    """Where packages come from is the installing machine's setting."""
    assert re.findall(r"[a-z]+://\S*", lock) == []
    assert not any(line.lstrip().startswith("--index") for line in _requirements(lock))


def test_every_dependency_of_the_project_is_locked(lock: str) -> None:
    """A dependency added to pyproject.toml is forgotten in the lock by nobody."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        wanted += extra
    locked = {_name(line) for line in _requirements(lock)}
    assert {_name(line) for line in wanted} - locked == set()


def _name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None
    return re.sub(r"[-_.]+", "-", match[0]).lower()
