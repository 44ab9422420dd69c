"""Clients are made once, and configured for their purpose."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.validate import ParamValidationDecorator

from mailtumble.aws.clients import Clients, endpoint_overridden

SERVICES = ("kinesis", "dynamodb", "lookup", "s3", "sqs", "sns", "ses")


@pytest.mark.parametrize("service", SERVICES)
def test_a_client_is_made_once_whoever_asks(clients: Clients, service: str) -> None:
    """Also when many threads ask at the same time."""
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: getattr(clients, service), range(16)))
    assert len({id(client) for client in made}) == 1


@pytest.mark.parametrize(
    ("service", "attempts"),
    [("ses", 1), ("kinesis", 1), ("dynamodb", 1), ("lookup", 1), ("s3", 3), ("sqs", 3)],
)
def test_repeats_unseen_are_made_only_where_they_are_harmless(
    clients: Clients, service: str, attempts: int
) -> None:
    """A mail must not be sent twice, a number not be added twice."""
    config = getattr(clients, service).meta.config
    assert config.retries["total_max_attempts"] == attempts


def test_look_ups_have_short_time_outs_and_an_endpoint_of_their_own() -> None:
    """Aliases may be kept elsewhere."""
    clients = Clients("eu-west-1", lookup_endpoint="http://127.0.0.1:9", lookup_timeout_s=0.5)
    config = clients.lookup.meta.config
    assert (config.connect_timeout, config.read_timeout) == (0.5, 0.5)  # type: ignore[attr-defined]
    assert clients.lookup.meta.endpoint_url == "http://127.0.0.1:9"
    assert clients.dynamodb.meta.endpoint_url != clients.lookup.meta.endpoint_url
    clients.close()


@pytest.mark.parametrize("service", SERVICES)
def test_parameters_are_not_checked_and_the_agent_is_named(clients: Clients, service: str) -> None:
    """The check costs a third to a half of a big call."""
    client = getattr(clients, service)
    assert not isinstance(client._serializer, ParamValidationDecorator)
    assert "mailtumble" in client.meta.config.user_agent


def test_an_emulators_buckets_are_named_in_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the endpoint is overridden, for all services or for S3."""
    for variable in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        with monkeypatch.context() as patch:
            patch.setenv(variable, "http://127.0.0.1:4566")
            clients = Clients("eu-west-1")
            assert clients.s3.meta.config.s3 == {"addressing_style": "path"}  # type: ignore[attr-defined]
            clients.close()


def test_amazons_buckets_are_host_names(clients: Clients) -> None:
    """As S3 asks for."""
    assert not clients.s3.meta.config.s3  # type: ignore[attr-defined]


def test_overrides_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Boto's own switch counts here too."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    assert endpoint_overridden("S3")
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert not endpoint_overridden("S3")
