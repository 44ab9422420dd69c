"""The rules for every test: none is skipped, and only a marked one starts a process."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiers import group_of, tier_of

pytestmark = pytest.mark.programs

ROOT = Path(__file__).parents[3]
RULES = ROOT / "tests" / "conftest.py"

SAMPLES = {
    "passes": "def test_it():\n    assert True\n",
    "mark": "import pytest\n@pytest.mark.skip(reason='later')\ndef test_it():\n    assert True\n",
    "call": "import pytest\ndef test_it():\n    pytest.skip('no server')\n",
    "fixture": (
        "import pytest\n@pytest.fixture\ndef server():\n    pytest.skip('no server')\n"
        "def test_it(server):\n    assert server\n"
    ),
    "module": "import pytest\npytest.importorskip('no_such_module')\n",
    "expected_failure": (
        "import pytest\n@pytest.mark.xfail\ndef test_it():\n    raise ValueError\n"
    ),
    "unmarked": (
        "import subprocess\ndef test_it():\n"
        "    try:\n        subprocess.run(['true'])\n    except Exception:\n        pass\n"
    ),
    "unmarked_shell": "import os\ndef test_it():\n    os.system('true')\n",
    "unmarked_fixture": (
        "import subprocess, pytest\n@pytest.fixture\ndef server():\n    subprocess.run(['true'])\n"
        "def test_it(server):\n    assert True\n"
    ),
    "marked": (
        "import subprocess, pytest\n@pytest.mark.programs\ndef test_it():\n"
        "    assert subprocess.run(['true']).returncode == 0\n"
    ),
}

SHARED_SERVER = """
import subprocess
import pytest

@pytest.fixture(scope="session")
def server():
    yield 1
    subprocess.run(["true"], check=True)

@pytest.mark.servers
def test_first(server):
    assert server

def test_last():
    assert True
"""


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The output of a pytest run of its own over the samples, under the project's rules."""
    folder = tmp_path_factory.mktemp("samples")
    shutil.copy(RULES, folder / "conftest.py")
    for name, source in SAMPLES.items():
        (folder / f"test_{name}.py").write_text(source, encoding="utf-8")
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider"),
            *("--continue-on-collection-errors", "."),
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.stdout


@pytest.mark.parametrize("name", ["mark", "call", "fixture", "module"])
def test_a_skip_is_a_failure_with_its_reason(summary: str, name: str) -> None:
    """However a test is skipped, the run is red and says what to do instead."""
    assert re.search(rf"^(FAILED|ERROR) test_{name}\.py", summary, re.MULTILINE)
    assert "A skipped test proves nothing" in summary


def test_tests_that_run_are_left_alone(summary: str) -> None:
    """Passing tests pass, and an expected failure stays what it is."""
    assert "PASSED test_passes.py::test_it" in summary
    assert "XFAIL test_expected_failure.py::test_it" in summary
    assert "skipped" not in summary.splitlines()[-1]


@pytest.mark.parametrize("name", ["unmarked", "unmarked_shell", "unmarked_fixture"])
def test_a_process_needs_a_mark(summary: str, name: str) -> None:
    """Without one the test fails, though the code under test handles every Exception."""
    assert re.search(rf"^(FAILED|ERROR) test_{name}\.py.*starts a process", summary, re.MULTILINE)


def test_a_marked_test_may_start_a_process(summary: str) -> None:
    """The mark is all that it takes."""
    assert "PASSED test_marked.py::test_it" in summary


def test_a_shared_server_may_be_stopped_by_a_program_after_the_last_test(tmp_path: Path) -> None:
    """That test has no mark, and did not start the server."""
    shutil.copy(RULES, tmp_path / "conftest.py")
    (tmp_path / "test_it.py").write_text(SHARED_SERVER, encoding="utf-8")
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
    )


COUNTED = """
import os, pathlib, pytest

@pytest.fixture(scope="module")
def server():
    (pathlib.Path(__file__).parent / f"started-{os.getpid()}").touch()

@pytest.mark.parametrize("number", range(8))
def test_it(server, number):
    assert number >= 0
"""


def test_tests_that_share_a_server_run_in_one_process(tmp_path: Path) -> None:
    """Two processes share the tests, and the server is started once."""
    shutil.copy(RULES, tmp_path / "conftest.py")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"test_{name}.py").write_text(COUNTED, encoding="utf-8")
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("-n", "2", "--dist", "loadscope", "--no-loadscope-reorder", "."),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "16 passed" in ran.stdout
    assert [len(list((tmp_path / name).glob("started-*"))) for name in ("one", "two")] == [1, 1]


@pytest.mark.parametrize(
    ("marks", "tier"),
    [
        ((), "test"),
        (("programs",), "test"),
        (("servers",), "test-servers"),
        (("servers", "smoke"), "test"),
        (("external",), "test-all"),
        (("external", "servers"), "test-all"),
    ],
)
def test_every_mark_belongs_to_a_tier(marks: tuple[str, ...], tier: str) -> None:
    """The tier is the first target of the Makefile that runs the test."""
    assert tier_of(marks) == tier


def test_every_user_of_the_shared_stack_is_in_its_group() -> None:
    """Otherwise a second process would start a stack of its own."""
    users = [
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "tests" / "e2e").glob("test_*.py"))
        if "shared_stack" in path.read_text(encoding="utf-8")
    ]
    assert len(users) > 3
    assert {group_of(f"{user}::test_it") for user in users} == {"shared stack"}
