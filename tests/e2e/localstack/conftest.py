"""One LocalStack, one apply and one fleet for all tests here: each takes its time to come up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.localstack.deployment import Deployment, localstack
from tests.e2e.localstack.fleet import Fleet
from tests.e2e.mails import HOUSE

WORKERS = {"core-a": "core", "core-b": "core", "sender-a": "sender", "sender-b": "sender"}


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """What Terraform has made in a LocalStack."""
    with localstack(tmp_path_factory.mktemp("localstack")) as endpoint:
        made = Deployment(tmp_path_factory.mktemp("terraform"), endpoint)
        made.apply()
        yield made
        made.close()


@pytest.fixture(scope="session")
def fleet(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two workers of core and two senders under the KCL, an intake, and the aliases."""
    made = Fleet(tmp_path_factory.mktemp("fleet"), deployment)
    try:
        for alias, targets in HOUSE.items():
            added = made.call("aliases", "add", alias, *targets)
            assert added.returncode == 0, added.stderr
        for name, application in WORKERS.items():
            made.start(name, application)
        made.start_intake()
        yield made
    finally:
        made.close()
