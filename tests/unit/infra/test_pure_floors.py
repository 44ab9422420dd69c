"""The guard of the pure floors: ruff refuses clock, chance, network and environment there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.programs

ROOT = Path(__file__).parents[3]

IMPURE = """\
import time
import random
import os
import socket
from datetime import datetime, UTC
from time import monotonic
from uuid import uuid4
from os import environ

now = datetime.now(UTC)
"""
# Every line but the import of datetime and the empty one.
IMPURE_LINES = [1, 2, 3, 4, 6, 7, 8, 10]

PURE = """\
from datetime import UTC, datetime
from uuid import uuid5

epoch = datetime(1970, 1, 1, tzinfo=UTC)
"""


def _refused_lines(path: str, source: str) -> list[int]:
    checked = subprocess.run(
        [
            *(sys.executable, "-m", "ruff", "check", "--no-cache", "--select", "TID251"),
            *("--output-format", "json", "--stdin-filename", path, "-"),
        ],
        cwd=ROOT,
        input=source,
        capture_output=True,
        text=True,
        check=False,
    )
    return [fault["location"]["row"] for fault in json.loads(checked.stdout)]


@pytest.mark.parametrize("path", ["schemas/sample.py", "processors/sending/sample.py"])
def test_a_pure_floor_takes_time_and_identity_as_arguments(path: str) -> None:
    """Reading a clock, drawing an id or looking into the environment is refused, line by line."""
    assert _refused_lines(path, IMPURE) == IMPURE_LINES
    assert _refused_lines(path, PURE) == []


def test_the_body_may_do_all_of_it() -> None:
    """The package mailtumble is where input and output belong."""
    assert _refused_lines("mailtumble/sample.py", IMPURE) == []
