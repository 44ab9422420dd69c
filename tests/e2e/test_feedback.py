"""What SES tells afterwards: who bounces or complains gets no more mail, until released."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import PATIENCE_S, Stack

pytestmark = pytest.mark.servers

SENDER = "lists@who.example"

KINDS = {
    "bounce": ("bounced", "it came back", "permanent bounce"),
    "complaint": ("completed", "called it spam", "complaint"),
}


def test_bounces_and_complaints_suppress_until_released(
    shared_stack: Stack, tmp_path: Path
) -> None:
    """The story tells it, the next mail ends as suppressed, and what was released gets mail."""
    stack = shared_stack
    file = tmp_path / "mail.eml"
    file.write_bytes(b"From: Jane <jane@example.com>\r\nSubject: hello\r\n\r\nhello\r\n")
    for kind in KINDS:
        stack.run("aliases", "add", f"{kind}@feedback.example", f"{kind}@simulator.amazonses.com")
    first = {
        kind: stack.inject(file, f"{kind}@feedback.example", f"{kind}@who.example")
        for kind in KINDS
    }
    for kind, (status, words, reason) in KINDS.items():
        stack.await_status(first[kind], status)
        address = f"{kind}@simulator.amazonses.com"
        _await_suppressed(stack, address, reason)
        assert words in stack.run("mail", "show", first[kind])
        second = stack.inject(file, f"{kind}@feedback.example", f"{kind}@who.example")
        item = stack.await_status(second, "rejected")
        assert item["targets"][0]["reason"] == f"the address is suppressed: {reason}"
        assert "suppressed" in stack.run("mail", "show", second)
        stack.run("suppression", "remove", address, "--why", "a mistake")
        # What was stopped is sent after all; for what bounces it comes back again.
        stack.run("mail", "retry", second)
        assert stack.await_status(second, status)["targets"][0]["attempts"] == 2
    assert stack.json("verify")["ok"]


def _await_suppressed(stack: Stack, address: str, reason: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        rows = {row["address"]: row["reason"] for row in stack.json("suppression", "list")}
        if rows.get(address) == reason:
            return
        assert time.monotonic() < deadline, rows


def test_an_alias_whose_mail_comes_back_is_held_until_a_moderator_decides(
    shared_stack: Stack, tmp_path: Path
) -> None:
    """Most of them bounce: the next message waits with the numbers, that of its sender too."""
    stack = shared_stack
    file = tmp_path / "mail.eml"
    file.write_bytes(b"From: Jane <jane@example.com>\r\nSubject: hello\r\n\r\nhello\r\n")
    gone = {f"bounce+{number}@simulator.amazonses.com" for number in range(20)}
    stack.run("aliases", "add", "list@feedback.example", *sorted(gone), "reader@far.example")
    stack.run("aliases", "add", "other@feedback.example", "reader@far.example")
    stack.inject(file, "list@feedback.example", SENDER)
    deadline = time.monotonic() + PATIENCE_S
    while not gone <= {row["address"] for row in stack.json("suppression", "list")}:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    stack.run("aliases", "add", "list@feedback.example", "reader@far.example")
    # Core reads the numbers every few seconds; until then messages pass, and count.
    held = {"list": _await_held(stack, file, "list@feedback.example")}
    held["other"] = _await_held(stack, file, "other@feedback.example")
    listed = {row["mail_id"]: row for row in stack.json("moderation", "list")}
    assert {listed[mail]["held_rule"] for mail in held.values()} == {"breaker"}
    told = {name: listed[mail]["held_reason"] for name, mail in held.items()}
    assert re.match(r"20 of \d+ mails to this alias came back within 24 h: \d+\.\d %", told["list"])
    assert re.match(r"20 of \d+ mails of this sender came back within 24 h", told["other"])
    stack.run("moderation", "approve", held["list"], "--why", "the list is mended")
    stack.await_status(held["list"], "completed")
    assert stack.await_status(held["other"], "held")
    assert stack.json("verify")["ok"]


def _await_held(stack: Stack, file: Path, alias: str) -> str:
    """Send messages until one is held, and return its id."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        mail = stack.inject(file, alias, SENDER)
        if stack.await_status(mail, "held", "completed")["status"] == "held":
            return mail
        assert time.monotonic() < deadline
