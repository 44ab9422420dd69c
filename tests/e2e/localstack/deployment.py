"""A LocalStack, and what Terraform makes there."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from localstack_client.session import Session

ROOT: Final = Path(__file__).parents[3]
ENVIRONMENT: Final = ROOT / "infra/terraform/envs/localstack"
QUOTA: Final = "10/50000"
"""Mails a second and a day: about what LocalStack bears, and ten times what it says by itself."""
INSTALLS_WITHIN_S: Final = 1200
APPLIES_WITHIN_S: Final = 900


def _run(command: list[str | Path], within_s: float, **environment: str) -> str:
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@contextmanager
def localstack(folder: Path) -> Iterator[str]:
    """A LocalStack whose state lies in the folder; its endpoint."""
    script = ROOT / "tools/localstack.sh"
    environment = {"LOCALSTACK_STATE": str(folder), "LOCALSTACK_SES_QUOTA": QUOTA}
    _run([script, "install"], INSTALLS_WITHIN_S)
    try:
        yield _run([script, "start"], INSTALLS_WITHIN_S, **environment).strip()
    finally:
        _run([script, "stop"], INSTALLS_WITHIN_S, **environment)


class Deployment:
    """What ``envs/localstack`` makes; its state lies in the folder."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        """Nothing is made yet."""
        self.endpoint = endpoint
        self._folder = folder
        self._clients: dict[str, Any] = {}

    def apply(self) -> None:
        """Make everything, with the real provider."""
        state = self._folder / "state.json"
        self.terraform("init", f"-backend-config=path={state}")
        self.terraform("apply", "-auto-approve")

    def destroy(self) -> None:
        """Take everything away again."""
        self.terraform("destroy", "-auto-approve")

    def terraform(self, command: str, *arguments: str) -> str:
        """Run a command of Terraform's to its end; what it prints."""
        return _run(
            [ROOT / "tools/terraform.sh", f"-chdir={ENVIRONMENT}", command, *arguments],
            APPLIES_WITHIN_S,
            TF_DATA_DIR=str(self._folder / "data"),
            TF_VAR_endpoint=self.endpoint,
            TF_INPUT="0",
            TF_CLI_ARGS="-no-color",
        )

    def outputs(self) -> dict[str, Any]:
        """What Terraform says it has made."""
        told = json.loads(self.terraform("output", "-json"))
        return {name: output["value"] for name, output in told.items()}

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes the classes at run time
        """LocalStack's own client of a service."""
        if service not in self._clients:
            session = Session(
                region_name="eu-central-1", localstack_host=self.endpoint.removeprefix("http://")
            )
            self._clients[service] = session.client(service)
        return self._clients[service]

    def left(self) -> dict[str, list[Any]]:
        """All that is there, by kind; kinds of which nothing is there are left out."""
        found = {kind: list_all(self.client) for kind, list_all in _LISTINGS.items()}
        return {kind: there for kind, there in found.items() if there}

    def close(self) -> None:
        """Close the clients."""
        for client in self._clients.values():
            client.close()


_Client = Callable[[str], Any]
_LISTINGS: Final[dict[str, Callable[[_Client], list[Any]]]] = {
    "tables": lambda client: client("dynamodb").list_tables()["TableNames"],
    "streams": lambda client: client("kinesis").list_streams()["StreamNames"],
    "buckets": lambda client: client("s3").list_buckets()["Buckets"],
    "queues": lambda client: client("sqs").list_queues().get("QueueUrls", []),
    "topics": lambda client: client("sns").list_topics()["Topics"],
    "subscriptions": lambda client: client("sns").list_subscriptions()["Subscriptions"],
    "configuration sets": lambda client: client("ses").list_configuration_sets()[
        "ConfigurationSets"
    ],
    "rule sets": lambda client: client("ses").list_receipt_rule_sets()["RuleSets"],
    "identities": lambda client: client("ses").list_identities()["Identities"],
    "alarms": lambda client: client("cloudwatch").describe_alarms()["MetricAlarms"],
    "dashboards": lambda client: client("cloudwatch").list_dashboards()["DashboardEntries"],
}
