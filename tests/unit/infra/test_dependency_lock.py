"""The locks: exact, with hashes, and silent about where they were made."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


LOCKS = ("dev", "image", "build")


def _text(name: str) -> str:
    return (ROOT / f"requirements/{name}.lock").read_text(encoding="utf-8")


@pytest.fixture(scope="module", params=LOCKS)
def lock(request: pytest.FixtureRequest) -> str:
    """A lock's text."""
    name: str = request.param
    return _text(name)


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


@pytest.mark.parametrize(
    ("name", "extras"), [("dev", ("local", "kcl", "dev")), ("image", ("local", "kcl"))]
)
def test_every_dependency_of_the_project_is_locked(name: str, extras: tuple[str, ...]) -> None:
    """A dependency added to pyproject.toml is forgotten in a lock by nobody."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"]]
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    locked = {_name(line) for line in _requirements(_text(name))}
    assert {_name(line) for line in wanted} - locked == set()


@pytest.mark.parametrize("name", ["image", "build"])
def test_what_is_shipped_is_what_was_tested(name: str) -> None:
    """The image's versions and hashes are those that the tests run with, and no tools."""
    tested = {line.split(" --hash")[0].split()[0] for line in _requirements(_text("dev"))}
    shipped = {line.split(" --hash")[0].split()[0] for line in _requirements(_text(name))}
    assert shipped <= tested
    assert "pytest" not in {_name(line) for line in shipped}


def _name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None
    return re.sub(r"[-_.]+", "-", match[0]).lower()
