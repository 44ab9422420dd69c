"""Every string that the environments would send to AWS, held against what AWS takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.infra.aws_strings.plan import Findings, judge
from tests.unit.infra.aws_strings.table import AFTER_APPLY, TABLE
from tests.unit.infra.terraform_plan import Planner, PlanRefused, identity_server

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "infra/terraform/envs/prod/prod.example.tfvars"
LONGEST_PREFIX = "m" * 40
"""As long as the variable permits: names that AWS derives from it are at their longest."""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """An endpoint that answers who calls."""
    with identity_server() as served:
        yield served


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory, endpoint: str) -> Planner:
    """Production, initialised in a copy."""
    return Planner(tmp_path_factory.mktemp("prod"), "prod", endpoint)


@pytest.fixture(scope="module")
def plans(
    tmp_path_factory: pytest.TempPathFactory, endpoint: str, production: Planner
) -> dict[str, dict[str, Any]]:
    """The plan of each environment; of production with the example's variables."""
    local = Planner(tmp_path_factory.mktemp("localstack"), "localstack", endpoint)
    return {
        "prod": production.plan(
            f"-var-file={EXAMPLE}",
            "-var",
            f"prefix={LONGEST_PREFIX}",
            "-var",
            "activate_rule_set=true",
        ),
        "localstack": local.plan(
            "-var", f"endpoint={endpoint}", "-var", f"prefix={LONGEST_PREFIX}"
        ),
    }


@pytest.fixture(scope="module")
def findings(plans: dict[str, dict[str, Any]]) -> Findings:
    """What the check finds in both plans."""
    found = Findings()
    for plan in plans.values():
        judge(plan, TABLE, AFTER_APPLY, found)
    return found


@pytest.mark.external
def test_aws_takes_every_string_of_the_planned_environments(findings: Findings) -> None:
    """No apply fails, halfway through, for a string that AWS refuses."""
    assert findings.faults == []


@pytest.mark.external
def test_the_table_lists_nothing_that_no_plan_has(findings: Findings) -> None:
    """A rule that applies to nothing, and a reason that is no longer needed, go."""
    listed = {(kind, path) for kind, attributes in TABLE.items() for path in attributes}
    deferred = {(kind, path) for kind, paths in AFTER_APPLY.items() for path in paths}
    assert listed - findings.judged == set()
    assert deferred - findings.deferred == set()


@pytest.mark.external
def test_a_description_that_ec2_refuses_is_found_in_a_plan(production: Planner) -> None:
    """The check reads real plans: an apostrophe that the provider lets through is found."""
    workers = production.configuration.parents[1] / "modules/workers/main.tf"
    before = workers.read_text(encoding="utf-8")
    refused = '"the fleet\'s workers"'
    written, count = re.subn(
        r'(resource "aws_security_group" "workers" \{.*?description = )"[^"]*"',
        rf"\g<1>{refused}",
        before,
        flags=re.DOTALL,
    )
    assert count == 1
    workers.write_text(written, encoding="utf-8")
    found = Findings()
    try:
        judge(production.plan(f"-var-file={EXAMPLE}"), TABLE, AFTER_APPLY, found)
    finally:
        workers.write_text(before, encoding="utf-8")
    (fault,) = found.faults
    assert fault.startswith("module.workers.aws_security_group.workers: description ")


@pytest.mark.external
def test_production_has_no_plan_until_somebody_states_whether_it_receives(
    production: Planner, tmp_path: Path
) -> None:
    """A plain apply cannot switch receiving off: without the statement there is no plan."""
    silent = tmp_path / "silent.tfvars"
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines(keepends=True)
    silent.write_text(
        "".join(line for line in lines if not line.startswith("activate_rule_set")),
        encoding="utf-8",
    )
    with pytest.raises(PlanRefused, match='"activate_rule_set" is not set'):
        production.plan(f"-var-file={silent}")


def test_the_guide_shows_the_variables_of_the_example() -> None:
    """And it states on the command line nothing that a later apply would have to repeat."""
    guide = (ROOT / "docs/how-to.md").read_text(encoding="utf-8")
    block = next(
        each for each in re.findall(r"```hcl\n(.*?)```", guide, re.DOTALL) if "vpc_id" in each
    )
    named = re.compile(r"^ *([a-z_]+) *= ", re.MULTILINE)
    assert named.findall(block) == named.findall(EXAMPLE.read_text(encoding="utf-8"))
    assert "-var " not in guide
