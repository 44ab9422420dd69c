"""Moderators at their shells: one decision counts, in bulk too, and whatever dies meanwhile."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.conftest import PATIENCE_S, Stack

pytestmark = pytest.mark.servers

MAIL = b"From: Jane <jane@example.com>\r\nSubject: hello\r\n\r\nhello\r\n"
ALIASES = 60
MAILS = 150
HELD = 20


def test_of_two_moderators_one_wins(shared_stack: Stack, tmp_path: Path) -> None:
    """Approve and reject within the same second, three times: one is obeyed, one told why not."""
    stack = shared_stack
    stack.run("aliases", "add", "news@moderators.example", "list@far.example", "--moderated")
    file = tmp_path / "mail.eml"
    file.write_bytes(MAIL)
    for _ in range(3):
        mail = stack.inject(file, "news@moderators.example")
        stack.await_status(mail, "held")
        with ThreadPoolExecutor(2) as shells:
            approving = shells.submit(stack.call, "moderation", "approve", mail, "--by", "ann")
            rejecting = shells.submit(stack.call, "moderation", "reject", mail, "--by", "bob")
            approve, reject = approving.result(), rejecting.result()
        assert sorted((approve.returncode, reject.returncode)) == [0, 1]
        winner = "approved by ann" if approve.returncode == 0 else "rejected by bob"
        loser = reject if approve.returncode == 0 else approve
        assert f"the mail is not held: {winner}" in loser.stderr
        assert len(loser.stderr.splitlines()) == 1
        ended = stack.await_status(mail, "completed", "rejected")
        assert ended["status"] == ("completed" if approve.returncode == 0 else "rejected")
        sent = [each["tags"]["mailtumble-mail"] for each in stack.sent()]
        assert sent.count(mail) == (approve.returncode == 0)
        told = [event["type"] for event in stack.json("mail", "show", mail)["events"]]
        assert told.count("CommandGiven") == told.count("CommandAnswered") == 2
        assert told.count("MailApproved") + told.count("MailRejected") == 1


def test_a_campaign_with_held_mail_and_dying_workers(
    start_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    """150 messages through 60 aliases, 20 of them held and approved in bulk; core dies twice."""
    stack = start_stack("--rate", "100")
    lines = ["alias,targets,moderated"]
    lines += [
        f"a{number}@house.example,t{number}@far.example,{'yes' if number < HELD else 'no'}"
        for number in range(ALIASES)
    ]
    (tmp_path / "aliases.csv").write_text("\n".join(lines), encoding="utf-8")
    assert f"{ALIASES} aliases" in stack.run("aliases", "import", str(tmp_path / "aliases.csv"))
    # One mail for each moderated alias, the others go round the rest.
    numbers = [*range(HELD), *(HELD + each % (ALIASES - HELD) for each in range(MAILS - HELD))]
    mails = [(f"a{number}@house.example", MAIL) for number in numbers]
    with ThreadPoolExecutor(1) as threads:
        coming = threads.submit(stack.deliver, mails)
        _kill_core_after(stack, sent=50)
        coming.result()
    deadline = time.monotonic() + PATIENCE_S
    while len(stack.json("moderation", "list")) < HELD:
        assert time.monotonic() < deadline
    preview = stack.run("moderation", "approve", "--rule", "moderated alias", "--preview")
    assert f"{HELD} to approve" in preview
    assert len(stack.json("moderation", "list")) == HELD
    with ThreadPoolExecutor(1) as threads:
        approving = threads.submit(stack.json, "moderation", "approve", "--all", "--yes")
        os.kill(stack.pids()["core"], signal.SIGKILL)
        answers = approving.result()
    assert [answer["accepted"] for answer in answers] == [True] * HELD
    ended = stack.await_ended(MAILS)
    assert {each["status"] for each in ended} == {"completed"}
    assert stack.json("moderation", "list") == []
    assert stack.json("verify")["ok"]


def _kill_core_after(stack: Stack, sent: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while len(stack.sent()) < sent:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    os.kill(stack.pids()["core"], signal.SIGKILL)
