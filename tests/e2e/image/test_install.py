"""The image's install steps, run as the Dockerfile runs them, into a folder of the test's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.external


def test_what_was_installed_can_run_a_worker_under_the_kcl(installed: Path, tmp_path: Path) -> None:
    """Wheel, extras, jars and Java are found, without a trace of the checkout."""
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [installed / "bin/mailtumble", "worker", "core", "--host", "kcl", "--check"],
        env={**own, "TMPDIR": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"in {installed}/lib" in done.stdout
    assert "core can be started with --host kcl" in done.stdout


def test_nothing_that_installs_builds_or_tests_is_in(installed: Path) -> None:
    """Whoever gets into the container finds no pip, no compiler of ours, no test tools."""
    (packages,) = installed.glob("lib/python*/site-packages")
    names = {path.name.split("-")[0].lower() for path in packages.iterdir()}
    assert {"mailtumble", "amazon_kclpy", "aiosmtpd"} <= names
    assert not {"pip", "setuptools", "hatchling", "pytest", "mypy", "hypothesis"} & names
    assert not list((installed / "bin").glob("pip*"))


def test_debian_knows_the_systems_packages() -> None:
    """What system.sh would install as root; apt says so without installing it."""
    done = subprocess.run(
        [ROOT / "tools/image/system.sh", "--simulate"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "tini" in done.stdout
    assert "openjdk-17-jre-headless" in done.stdout
