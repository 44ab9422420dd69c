"""What is in the image, installed by its own script."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
INSTALLS_WITHIN_S = 1200


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment's folder, as tools/image/install.sh makes it."""
    folder = tmp_path_factory.mktemp("image") / "mailtumble"
    subprocess.run(
        [ROOT / "tools/image/install.sh", folder],
        # By a Python that is no virtual environment's own.
        env={**os.environ, "PYTHON": _python()},
        check=True,
        timeout=INSTALLS_WITHIN_S,
    )
    return folder


def _python() -> str:
    found = subprocess.run(
        [ROOT / "tools/python.sh"], capture_output=True, text=True, check=True, timeout=300
    )
    return found.stdout.strip()
