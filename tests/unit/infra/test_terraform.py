"""Terraform's own tests of the modules and of production, with a provider that calls nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from mailtumble.kcl.names import kcl_name
from mailtumble.settings import Settings

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


def test_the_lease_tables_are_those_of_every_application() -> None:
    """Terraform and the KCL call them by the same names, in the generation that is the default."""
    variables = (ROOT / "infra/terraform/modules/leases/variables.tf").read_text(encoding="utf-8")
    (default,) = re.findall(r"default *= (\[.*\])", variables)
    named = {f"mailtumble-kcl-{each}" for each in json.loads(default)}
    generation = Settings().generation
    assert named == {
        kcl_name("mailtumble", application, generation)
        for application in ("archive", "core", "sender")
    }
