"""What SES tells afterwards: who bounces or complains gets no more mail, until released."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mailtumble.worker.returns import READ_EVERY_US
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


def test_an_alias_whose_mail_comes_back_is_held_until_a_moderator_decides(
    start_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    """20 bounces of 21: the next mail waits with the numbers, that of its sender too."""
    stack = start_stack()
    file = tmp_path / "mail.eml"
    file.write_bytes(b"From: Jane <jane@example.com>\r\nSubject: hello\r\n\r\nhello\r\n")
    gone = [f"bounce+{number}@simulator.amazonses.com" for number in range(20)]
    stack.run("aliases", "add", "list@house.example", *gone, "reader@far.example")
    stack.run("aliases", "add", "other@house.example", "reader@far.example")
    stack.inject(file, "list@house.example")
    deadline = time.monotonic() + 60
    while len(stack.json("suppression", "list")) < len(gone):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    time.sleep(READ_EVERY_US / 1_000_000 + 1)
    stack.run("aliases", "add", "list@house.example", "reader@far.example")
    held = {name: stack.inject(file, f"{name}@house.example") for name in ("list", "other")}
    for mail in held.values():
        stack.await_status(mail, "held")
    listed = {row["mail_id"]: row for row in stack.json("moderation", "list")}
    assert {row["held_rule"] for row in listed.values()} == {"breaker"}
    told = {name: listed[mail]["held_reason"] for name, mail in held.items()}
    assert told["list"].startswith("20 of 21 mails to this alias came back within 24 h: 95.2 %")
    assert told["other"].startswith("20 of 21 mails of this sender came back within 24 h")
    stack.run("moderation", "approve", held["list"], "--why", "the list is mended")
    stack.await_status(held["list"], "completed")
    assert stack.await_status(held["other"], "held")
    assert stack.json("verify")["ok"]
