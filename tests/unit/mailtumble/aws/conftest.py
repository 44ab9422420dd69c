"""Clients that never reach AWS: stubbed, or pointed at a server of the test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mailtumble.aws.clients import Clients


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
def pauses() -> list[float]:
    """The pauses an adapter made: pass its ``append`` as the sleep."""
    return []
