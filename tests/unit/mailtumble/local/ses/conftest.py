"""Fakes of S3 and SNS, and the samples that the tests compare with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.mailtumble.local.ses.fake_aws import InMemoryS3, InMemorySns

FIXTURES = Path(__file__).parents[4] / "fixtures"


@pytest.fixture
def s3() -> InMemoryS3:
    """An S3 without objects."""
    return InMemoryS3()


@pytest.fixture
def sns() -> InMemorySns:
    """An SNS to which nothing was published."""
    return InMemorySns()


@pytest.fixture
def real_mails() -> dict[str, bytes]:
    """Every mail of the fixtures, broken ones among them, by its path."""
    root = FIXTURES / "mail"
    mails = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.eml")}
    assert len(mails) > 100
    return mails


@pytest.fixture
def sample() -> Callable[[str], dict[str, Any]]:
    """Reads a sample of ``ses-events`` by its name."""

    def read(name: str) -> dict[str, Any]:
        text = (FIXTURES / "ses-events" / f"{name}.json").read_text(encoding="utf-8")
        notification: dict[str, Any] = json.loads(text)
        return notification

    return read
