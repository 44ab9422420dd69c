"""The script that negates every condition: it finds them all, and changes one at a time."""

# ruff: noqa: D103 - the names of these tests are sentences

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "tools" / "negate.py"
SOURCE = '''
if TYPE_CHECKING:
    from x import y

def f(a, b, items):
    """Ünïcode before a condition on the same line."""
    if a and not b:
        return [each for each in items if each]
    while a < b:
        a = "ä" if b else a
    match a:
        case 1 if b:
            return None
    return a or b
'''


def load() -> Any:  # noqa: ANN401 - a script, not a package
    spec = importlib.util.spec_from_file_location("negate", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["negate"] = module
    spec.loader.exec_module(module)
    return module


negate = load()


def test_every_kind_of_condition_is_found_once() -> None:
    found = [site.text for site in negate.sites("x.py", SOURCE.encode())]
    assert found == ["a", "a and not b", "not b", "each", "a < b", "b", "b", "a", "b"]


def test_one_condition_is_negated_and_lines_stay_where_they_are() -> None:
    source = SOURCE.encode()
    for site in negate.sites("x.py", source):
        changed = negate.negated(source, site)
        assert changed != source
        assert f"(not ({site.text}))" in changed.decode()
        assert changed.count(b"\n") == source.count(b"\n")
        ast.parse(changed)


def test_every_module_has_conditions_and_unit_tests() -> None:
    for module in negate.MODULES:
        assert negate.sites(module, (ROOT / module).read_bytes())
        assert negate.unit_tests(module)


@pytest.mark.programs
def test_a_change_that_matters_is_noticed(tmp_path: Path) -> None:
    module = "processors/kernel.py"
    source = (ROOT / module).read_bytes()
    site = next(
        each for each in negate.sites(module, source) if each.text == "record.after is not None"
    )
    child = f"--child={module}:{site.start}:{site.end}"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--seeds=5", child],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    assert negate.JUDGE in done.stdout or negate.EXCEPTION in done.stdout
