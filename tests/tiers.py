"""The tiers of tests: which target of the Makefile runs a test, in which process, and for how long.

A test without a mark is part of ``make test``, and must not start a process. ``pyproject.toml``
explains the marks that allow it. ``tests/conftest.py`` imports the hooks of this module.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest

SEEDS: Final = 150
"""Seeds of the simulation in ``make test``; ``make test-all`` runs more."""

MAY_START_PROCESSES: Final = frozenset({"programs", "servers", "external"})

_NOT_MARKED: Final = (
    "This test starts a process without a mark that allows it. Mark it programs, servers or "
    "external; pyproject.toml explains each."
)
_STARTS: Final = frozenset({"subprocess.Popen", "os.posix_spawn", "os.fork", "os.system"})
"""Audit events of the standard library; the pools of multiprocessing raise none of them."""

_GROUPS: Final = {
    "tests/e2e/kcl/": "kcl",
    # Both run a LocalStack, and two cores can run only one at a time.
    "tests/e2e/image/": "localstack",
    "tests/e2e/localstack/": "localstack",
    "tests/contract/": "contract",
    "tests/e2e/test_observability.py": "observability",
    **{
        f"tests/e2e/test_{name}.py": "shared stack"
        for name in ("delivery", "feedback", "moderation", "story")
    },
}
"""Prefixes of the node ids of tests that share servers across files, with their groups."""
_ALONE: Final = ("tests/e2e/", "tests/simulation/")
"""Folders in which each test is a group of its own; elsewhere, each file is a group."""
_SIMULATION: Final = "tests/simulation/"
_ALL_SEEDS: Final = f"{_SIMULATION}test_simulation.py"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option ``--seeds``."""
    parser.addoption(
        "--seeds", type=int, default=SEEDS, help=f"seeds of the simulation (default: {SEEDS})"
    )


# ------------------------------------------------------- which process runs a test, and when


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:  # noqa: ANN401 - xdist's
    """Make ``pytest -n`` run each group of tests in one process.

    xdist's own ``--dist loadgroup`` renames tests, which pytest 9.2 no longer allows. Its marks
    then have no effect, and nothing reports that.
    """
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - only where xdist is used

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return Scheduling(config, log)


def group_of(nodeid: str) -> str:
    """Return the group of a test. Tests of one group run in the same process, in their order.

    A server that a session or module shares is therefore started only once.
    """
    for start, group in _GROUPS.items():
        if nodeid.startswith(start):
            return group
    return nodeid if nodeid.startswith(_ALONE) else nodeid.partition("::")[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the long tests first."""
    items.sort(key=_rank)


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
    """Fails a test that starts a process without a mark that allows it."""

    def __init__(self) -> None:
        """Create a guard that allows everything until a test runs."""
        self.forbids = False

    def __call__(self, event: str, _arguments: object) -> None:
        """Handle an audit event; the exception is raised in the code that starts the process."""
        if self.forbids and event in _STARTS:
            # This is not an Exception, so the code under test doesn't catch it.
            pytest.fail(_NOT_MARKED, pytrace=True)


_guard: Final = Guard()


def pytest_configure() -> None:
    """Add the guard as an audit hook, which stays until the interpreter exits."""
    sys.addaudithook(_guard)


def _guarded(item: pytest.Item) -> Generator[None, object, object]:
    _guard.forbids = not any(map(item.get_closest_marker, MAY_START_PROCESSES))
    try:
        return (yield)
    finally:
        _guard.forbids = False


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Guard the setup of the test's fixtures.

    Their teardown is not guarded: the last test of a process also tears down what the whole
    session shared, such as a server, whose tests have the mark.
    """
    return (yield from _guarded(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Guard the test itself."""
    return (yield from _guarded(item))


# ------------------------------------------------------------------- how long each tier takes


@dataclass
class Tier:
    """The number and the total time of a tier's tests in this run."""

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
    """Count a phase of a test. With ``pytest -n``, the reports of all processes arrive here."""
    tier = _tiers[tier_of(report.keywords)]
    tier.tests += report.when == "call"
    tier.seconds += report.duration


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the number of tests and the time of each tier."""
    terminalreporter.section("tiers")
    terminalreporter.write_line("first run by         tests   seconds (sum over all processes)")
    for name in _ORDER:
        if name in _tiers:
            tier = _tiers[name]
            terminalreporter.write_line(f"make {name:<13}{tier.tests:>8}{tier.seconds:>10.0f}")
