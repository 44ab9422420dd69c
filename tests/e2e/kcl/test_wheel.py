"""The extra ``kcl`` as a user gets it: out of a built wheel, in an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e.kcl.fleet import ROOT

pytestmark = pytest.mark.external

INSTALLS_WITHIN_S = 900


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment's ``bin``, with ``pip install 'mailtumble[kcl]'`` from a wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run(
        [sys.executable, "-m", "pip", *build, str(ROOT)], check=True, timeout=INSTALLS_WITHIN_S
    )
    (wheel,) = folder.glob("*.whl")
    constraints = folder / "constraints.txt"
    lock = (ROOT / "requirements" / "dev.lock").read_text(encoding="utf-8")
    pins = [line.split()[0] for line in lock.splitlines() if "==" in line and line[0].isalpha()]
    constraints.write_text("\n".join(pins), encoding="utf-8")
    venv.create(folder / "fresh", with_pip=True)
    python = folder / "fresh" / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "-c", constraints, f"{wheel}[kcl]"],
        check=True,
        timeout=INSTALLS_WITHIN_S,
    )
    return python.parent


def check(bin_folder: Path, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """``mailtumble worker core --host kcl --check``, without a trace of the checkout."""
    environment: Mapping[str, str] = {
        name: value for name, value in os.environ.items() if name != "PYTHONPATH"
    }
    return subprocess.run(
        [bin_folder / "mailtumble", "worker", "core", "--host", "kcl", "--check"],
        env={**environment, "TMPDIR": str(cwd), **more},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_wheel_with_the_extra_is_complete(installed: Path, tmp_path: Path) -> None:
    """Jars, logback's file and Java are found; nothing is started."""
    done = check(installed, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "core can be started with --host kcl" in done.stdout
    assert "amazon_kclpy/jars" in done.stdout
    folder = installed.parent
    assert list(folder.glob("lib/python*/site-packages/mailtumble/kcl/logback.xml"))


def test_where_java_is_missing_the_error_says_what_to_install(
    installed: Path, tmp_path: Path
) -> None:
    """In one line, with exit code 1."""
    done = check(installed, tmp_path, PATH=str(tmp_path), JAVA_HOME="")
    assert done.returncode == 1
    assert "apt install openjdk-17-jre-headless" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
