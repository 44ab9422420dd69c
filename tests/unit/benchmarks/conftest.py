"""The benchmarks are scripts that find each other in their own folder."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import a benchmark, or a part of one, by its name."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module
