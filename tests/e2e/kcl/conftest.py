"""A fleet for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.kcl.fleet import ALIAS, Fleet


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """AWS with an alias; the test starts the workers."""
    made = Fleet(tmp_path)
    added = made.call("aliases", "add", ALIAS, "ann@far.example")
    assert added.returncode == 0, added.stderr
    yield made
    made.close()
