"""The tiers of tests: which target of the Makefile runs a test, in which process, and its time.

A test without a mark is part of ``make test``, and may not start a process. The marks that allow
it are explained in ``pyproject.toml``. ``tests/conftest.py`` imports the hooks of this module.
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
"""Audit events of the standard library; multiprocessing's pools raise none of them."""

_GROUPS: Final = {
    "tests/e2e/kcl/": "kcl",
    # Both run a LocalStack, one of which is as much as two cores bear.
    "tests/e2e/image/": "localstack",
    "tests/e2e/localstack/": "localstack",
    "tests/contract/": "contract",
    "tests/e2e/test_observability.py": "observability",
    **{
        f"tests/e2e/test_{name}.py": "shared stack"
        for name in ("delivery", "feedback", "moderation", "story")
    },
}
"""How the node ids of tests begin that share servers across files, and the group of each."""
_ALONE: Final = ("tests/e2e/", "tests/simulation/")
"""Where each test is a group of its own; elsewhere a file is one."""
_SIMULATION: Final = "tests/simulation/"
_ALL_SEEDS: Final = f"{_SIMULATION}test_simulation.py"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the number of seeds be chosen."""
    parser.addoption(
        "--seeds", type=int, default=SEEDS, help=f"seeds of the simulation (default: {SEEDS})"
    )


# ------------------------------------------------------- which process runs a test, and when


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:  # noqa: ANN401 - xdist's
    """Let ``pytest -n`` run each group of tests in one process.

    xdist's own ``--dist loadgroup`` renames tests, which pytest 9.2 does not let it do any more:
    without a word the marks have no effect.
    """
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - only where xdist is used

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return Scheduling(config, log)


def group_of(nodeid: str) -> str:
    """Return the group of a test: tests of one group run in the same process, in their order.

    A server that a session or module shares is thus started once.
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
