"""Clients that never reach AWS: stubbed, or pointed at a server of the test."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from mailtumble.aws.clients import Clients
from mailtumble.local.ministack import HOST
from tests.unit.mailtumble.aws.one_answer import Handler, Server


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    """Clients with credentials to sign with, and no endpoint of anybody's environment."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    made = Clients("eu-west-1")
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[Server]:
    """Listens on the loopback interface until the test is over."""
    with Server((HOST, 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def pauses() -> list[float]:
    """The pauses an adapter made: pass its ``append`` as the sleep."""
    return []
