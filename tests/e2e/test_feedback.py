"""What SES tells afterwards: who bounces or complains gets no more mail, until released."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Stack

pytestmark = pytest.mark.servers

KINDS = {
    "bounce": ("bounced", "it came back", "permanent bounce"),
    "complaint": ("completed", "called it spam", "complaint"),
}


def test_bounces_and_complaints_suppress_until_released(
    start_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    """The story tells it, the next mail ends as suppressed, and what was released gets mail."""
    stack = start_stack()
    file = tmp_path / "mail.eml"
    file.write_bytes(b"From: Jane <jane@example.com>\r\nSubject: hello\r\n\r\nhello\r\n")
    for kind in KINDS:
        stack.run("aliases", "add", f"{kind}@house.example", f"{kind}@simulator.amazonses.com")
    first = {kind: stack.inject(file, f"{kind}@house.example") for kind in KINDS}
    for kind, (status, words, reason) in KINDS.items():
        stack.await_status(first[kind], status)
        address = f"{kind}@simulator.amazonses.com"
        _await_suppressed(stack, address, reason)
        assert words in stack.run("mail", "show", first[kind])
        second = stack.inject(file, f"{kind}@house.example")
        item = stack.await_status(second, "rejected")
        assert item["targets"][0]["reason"] == f"the address is suppressed: {reason}"
        assert "suppressed" in stack.run("mail", "show", second)
        stack.run("suppression", "remove", address, "--why", "a mistake")
        # What was stopped is sent after all; for what bounces it comes back again.
        stack.run("mail", "retry", second)
        assert stack.await_status(second, status)["targets"][0]["attempts"] == 2
    assert stack.json("verify")["ok"]


def _await_suppressed(stack: Stack, address: str, reason: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        rows = {row["address"]: row["reason"] for row in stack.json("suppression", "list")}
        if rows.get(address) == reason:
            return
        assert time.monotonic() < deadline, rows
