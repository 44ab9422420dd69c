"""The compose file for LocalStack, read as data: Docker isn't on every machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

COMPOSE = Path(__file__).parents[3] / "docker-compose.localstack.yml"


@pytest.fixture(scope="module")
def localstack() -> dict[str, Any]:
    """The service as the file defines it."""
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    service: dict[str, Any] = loaded["services"]["localstack"]
    return service


def test_the_image_is_the_last_that_asks_for_no_token(localstack: dict[str, Any]) -> None:
    """A floating tag would lead to an image that doesn't start without an account."""
    assert localstack["image"] == "localstack/localstack:4.14.0"


def test_every_port_is_on_loopback(localstack: dict[str, Any]) -> None:
    """There is no authentication: nothing of it may be reached from another machine."""
    assert localstack["ports"]
    assert all(port.startswith("127.0.0.1:") for port in localstack["ports"])


def test_every_service_the_product_calls_is_started(localstack: dict[str, Any]) -> None:
    """Kinesis, DynamoDB, S3, SQS, SNS and SES are among the services."""
    services = set(localstack["environment"]["SERVICES"].split(","))
    assert {"kinesis", "dynamodb", "s3", "sqs", "sns", "ses"} <= services


def test_healthy_is_asked_of_localstack_itself(localstack: dict[str, Any]) -> None:
    """Starting with --wait waits for the services, not for the container."""
    assert localstack["healthcheck"]["test"][-1].endswith(":4566/_localstack/health")


def test_environment_values_are_strings_and_volumes_are_declared() -> None:
    """Compose refuses booleans in an environment, and volumes that aren't declared."""
    loaded = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    service = loaded["services"]["localstack"]
    assert all(isinstance(value, str) for value in service["environment"].values())
    assert {volume.split(":")[0] for volume in service["volumes"]} <= set(loaded["volumes"])
