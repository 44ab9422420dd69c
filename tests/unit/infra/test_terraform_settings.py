"""What Terraform gives the workers as their environment is what they know as settings."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from mailtumble.settings import FILE_VARIABLE, Settings, variable_of

TERRAFORM = Path(__file__).parents[3] / "infra/terraform"
VARIABLE = re.compile(r"\bMAILTUMBLE_[A-Z0-9_]*[A-Z0-9]\b")


def test_every_variable_is_a_setting() -> None:
    """A worker refuses one that it doesn't know, and would not start."""
    known = {variable_of(field.name) for field in fields(Settings)}
    known.add(FILE_VARIABLE)
    found = {
        variable
        for file in TERRAFORM.rglob("*.tf")
        for line in file.read_text(encoding="utf-8").splitlines()
        if "checkov:skip" not in line
        for variable in VARIABLE.findall(line)
    }
    assert {"MAILTUMBLE_PREFIX", "MAILTUMBLE_KCL_GRACE_S"} <= found
    assert found - known == set()
