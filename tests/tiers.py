"""The tiers of tests: which target of the Makefile runs a test, in which process, and its time.

A test without a mark is part of ``make test``, and may not start a process. The marks that allow
it are explained in ``pyproject.toml``. ``tests/conftest.py`` imports the hooks of this module.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

SEEDS: Final = 150
"""Seeds of the simulation in ``make test``; ``make test-all`` runs more."""

MAY_START_PROCESSES: Final = frozenset({"programs", "servers", "external"})

_NOT_MARKED: Final = (
    "This test starts a process without a mark that allows it. Mark it programs, servers or "
    "external; pyproject.toml explains each."
)
_STARTS: Final = frozenset({"subprocess.Popen", "os.posix_spawn", "os.fork", "os.system"})
"""Audit events of the standard library; multiprocessing's pools raise none of them."""

_SHARED_SCOPES: Final = frozenset({"class", "module", "package", "session"})
_SIMULATION: Final = "tests/simulation/"
_ALL_SEEDS: Final = f"{_SIMULATION}test_simulation.py"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the number of seeds be chosen."""
    parser.addoption(
        "--seeds", type=int, default=SEEDS, help=f"seeds of the simulation (default: {SEEDS})"
    )


# ------------------------------------------------------- which process runs a test, and when


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the tests that share a fixture, and start the long ones first.

    With ``pytest -n`` a group runs in one process, so that a server is started once for all
    tests that share it.
    """
    for item in items:
        group = shared_fixture(item)
        if group and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=_rank)


def shared_fixture(item: pytest.Item) -> str:
    """Return the name of the widest fixture of ours that the test shares with others, or ``""``."""
    info = getattr(item, "_fixtureinfo", None)
    definitions = [] if info is None else info.name2fixturedefs.values()
    shared = [
        (each[-1].scope == "session", each[-1].argname, each[-1].baseid)
        for each in definitions
        # Plugins' fixtures, such as tmp_path_factory, have no place in the tests' folder.
        if each[-1].scope in _SHARED_SCOPES and each[-1].baseid
    ]
    if not shared:
        return ""
    _, name, place = max(shared)
    return f"{Path(place).stem}-{name}"


def _rank(item: pytest.Item) -> int:
    """Return a smaller number for longer tests, so that no process works alone at the end."""
    if item.get_closest_marker("external"):
        return 0
    if item.nodeid.startswith(_ALL_SEEDS):
        return 1
    if item.get_closest_marker("servers"):
        return 2
    return 3 if item.nodeid.startswith(_SIMULATION) else 4


# ------------------------------------------------------------------ who may start a process


class Guard:
    """Fails a test that starts a process without being marked for it."""

    def __init__(self) -> None:
        """No test runs yet."""
        self.forbids = False

    def __call__(self, event: str, _arguments: object) -> None:
        """Hear of an audit event; the exception reaches the code that starts the process."""
        if self.forbids and event in _STARTS:
            # Not an Exception, so that the code under test doesn't handle it.
            pytest.fail(_NOT_MARKED, pytrace=True)


_guard: Final = Guard()


def pytest_configure() -> None:
    """Begin to watch; an audit hook stays until the interpreter ends."""
    sys.addaudithook(_guard)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Watch the test, with the setting up and the tearing down of its fixtures."""
    _guard.forbids = not any(map(item.get_closest_marker, MAY_START_PROCESSES))
    try:
        return (yield)
    finally:
        _guard.forbids = False


# ------------------------------------------------------------------------- what each takes


@dataclass
class Tier:
    """What a tier's tests came to in this run."""

    tests: int = 0
    seconds: float = 0.0


_tiers: Final[defaultdict[str, Tier]] = defaultdict(Tier)
_ORDER: Final = ("test", "test-servers", "test-all")


def tier_of(marks: Iterable[str] | Mapping[str, object]) -> str:
    """Return the first target of the Makefile that runs a test with these marks."""
    if "external" in marks:
        return "test-all"
    return "test-servers" if "servers" in marks and "smoke" not in marks else "test"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count a test's phase; with ``pytest -n`` the reports of all processes come here."""
    tier = _tiers[tier_of(report.keywords)]
    tier.tests += report.when == "call"
    tier.seconds += report.duration


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the tests and the time of each tier."""
    terminalreporter.section("tiers")
    terminalreporter.write_line("first run by         tests   seconds (sum over all processes)")
    for name in _ORDER:
        if name in _tiers:
            tier = _tiers[name]
            terminalreporter.write_line(f"make {name:<13}{tier.tests:>8}{tier.seconds:>10.0f}")
