"""The compose file's services as processes, against LocalStack as a process: mail in, mail out."""

from __future__ import annotations

import json
import os
import smtplib
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.image.services import ROOT, Composition, Service, until_healthy

pytestmark = pytest.mark.external

ALIAS: Final = "info@house.example"
TARGET: Final = "you@far.example"
RAW: Final = b"From: Jane <jane@example.com>\r\nSubject: out of the box\r\n\r\nhello\r\n"
APPLIED_WITHIN_S: Final = 900
HEALTHY_WITHIN_S: Final = 600
LEAVES_WITHIN_S: Final = 600


@pytest.fixture
def composition(tmp_path: Path, installed: Path) -> Composition:
    """The file, with what the image's script has installed."""
    return Composition(tmp_path, installed)


@pytest.fixture
def localstack(composition: Composition) -> Iterator[str]:
    """LocalStack with the settings that the file gives its container; its endpoint."""
    service = composition.service("localstack")
    port = composition.port("localstack", "4566")
    environment = {
        **os.environ,
        **{
            name: service.environment[name]
            for name in composition.plain["services"]["localstack"]["environment"]
        },
        "LOCALSTACK_STATE": str(service.folder / "state"),
        "LOCALSTACK_PORT": str(port),
    }
    script = ROOT / "tools/localstack.sh"
    subprocess.run([script, "start"], env=environment, check=True, timeout=1200)
    yield f"http://127.0.0.1:{port}"
    subprocess.run([script, "stop"], env=environment, check=True, timeout=300)


@pytest.fixture
def workers(composition: Composition, localstack: str) -> Iterator[dict[str, Service]]:
    """Everything that waits for Terraform, started after it, and healthy."""
    del localstack
    apply = composition.service("terraform")
    assert apply.run_through(APPLIED_WITHIN_S) == 0, apply.log.read_text(encoding="utf-8")
    services = {
        name: composition.service(name)
        for name, plain in composition.plain["services"].items()
        if "terraform" in plain.get("depends_on", ())
    }
    try:
        for service in services.values():
            service.start()
        until_healthy(list(services.values()), HEALTHY_WITHIN_S)
        yield services
    finally:
        for service in services.values():
            service.kill()


def sent(endpoint: str) -> list[dict[str, Any]]:
    """What LocalStack's SES has sent."""
    with urllib.request.urlopen(f"{endpoint}/_aws/ses", timeout=120) as answer:  # noqa: S310
        messages: list[dict[str, Any]] = json.loads(answer.read())["messages"]
    return messages


def test_the_composed_system_takes_mail_in_and_sends_it_on(
    composition: Composition, localstack: str, workers: dict[str, Service]
) -> None:
    """By SMTP to the listener, through every worker, out through SES; then all end in order."""
    added = workers["core"].run("aliases", "add", ALIAS, TARGET)
    assert added.returncode == 0, added.stderr
    with smtplib.SMTP("127.0.0.1", composition.port("smtp", "2525"), timeout=120) as smtp:
        refused = smtp.sendmail("jane@example.com", [ALIAS, "x@other.example"], RAW)
    assert {address: code for address, (code, _) in refused.items()} == {"x@other.example": 550}

    deadline = time.monotonic() + LEAVES_WITHIN_S
    while not (messages := sent(localstack)):
        assert time.monotonic() < deadline, workers["core"].run("mail", "list").stdout
        time.sleep(0.5)
    (message,) = messages
    assert "Subject: out of the box" in message["RawData"]
    (mail,) = json.loads(workers["core"].run("mail", "list", "--json").stdout)
    assert mail["status"] == "completed"

    for service in workers.values():
        service.terminate()
    codes = {name: service.ended() for name, service in workers.items()}
    assert set(codes.values()) == {0}, codes
