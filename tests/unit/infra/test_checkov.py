"""The policy check: no finding in the Terraform files is left without its reason."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SKIP = re.compile(r"checkov:skip=([A-Z0-9_]+)(?::(.*))?")
WORDS_LEAST = 5


@pytest.mark.external
def test_the_terraform_files_are_clean_or_say_why_not() -> None:
    """Checkov finds its resources, fails none, and skips none but those with a reason."""
    ran = subprocess.run(
        [ROOT / "tools/checkov.sh", "--output", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = json.loads(ran.stdout)
    assert told["results"]["failed_checks"] == []
    assert told["summary"]["parsing_errors"] == 0
    checked = {check["resource"] for check in told["results"]["passed_checks"]}
    for module in ("stream", "projections", "mail_intake", "feedback", "archive", "workers"):
        assert any(f"module.{module}." in resource for resource in checked), module


def test_every_exception_has_its_reason_in_words() -> None:
    """A bare skip would say that somebody didn't care, not why it is right."""
    found = [
        (file.name, *match)
        for file in (ROOT / "infra/terraform").rglob("*.tf")
        for match in SKIP.findall(file.read_text(encoding="utf-8"))
    ]
    assert found
    assert [each for each in found if len(each[2].split()) < WORDS_LEAST] == []
