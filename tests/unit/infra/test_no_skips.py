"""The rule in tests/conftest.py: a skipped test is a failed one."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

RULES = Path(__file__).parents[2] / "conftest.py"

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
}


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
