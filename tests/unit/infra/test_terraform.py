"""Terraform's own tests of the modules and of production, with a provider that calls nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TERRAFORM = ROOT / "tools/terraform.sh"
CONFIGURATIONS = sorted(
    folder.parent.relative_to(ROOT).as_posix()
    for folder in (ROOT / "infra/terraform").glob("*/*/tests")
)


def _terraform(configuration: str, data: Path, *arguments: str) -> str:
    ran = subprocess.run(
        [TERRAFORM, f"-chdir={ROOT / configuration}", *arguments],
        env={**os.environ, "TF_DATA_DIR": str(data)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.external
@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_the_configurations_own_tests_pass(configuration: str, tmp_path: Path) -> None:
    """What each module makes is what the definition says, as Terraform sees it."""
    _terraform(configuration, tmp_path, "init", "-backend=false", "-input=false", "-no-color")
    tested = _terraform(configuration, tmp_path, "test", "-no-color")
    assert "0 failed" in tested


def test_every_module_and_environment_has_tests() -> None:
    """A configuration without tests is found, not passed over."""
    kept = {
        folder.relative_to(ROOT).as_posix()
        for folder in (ROOT / "infra/terraform").glob("*/*")
        if (folder / "main.tf").is_file()
    }
    assert kept == set(CONFIGURATIONS)
