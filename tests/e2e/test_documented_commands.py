"""Every command in the README, the docs and the help's examples is run, and does not fail.

What a command is about (a held mail, something in quarantine) is brought about before it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.conftest import PATIENCE_S, PREFIX, Stack
from tests.unit.docs.command_lines import CommandLine, in_markdown, in_shell
from tools.reference import commands

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parents[2]
RAW: Final = b"From: Jane <jane@example.com>\r\nSubject: hello\r\n\r\nhello\r\n"
IDENTIFIER: Final = re.compile(r"ID|[0-9a-f]{4}")
"""How documentation writes the id of a mail, or of something in quarantine."""

ELSEWHERE: Final = {("local",), ("demo",), ("worker",)}
"""Commands that run a system of their own, and have tests of their own."""

LISTENS: Final = ("local", "smtp")
"""Runs until it is told to end, and has tests of its own too."""

ACKNOWLEDGED: Final = "shardId-000000000002"
"""The shard that the docs acknowledge a loss of."""

BULK: Final = {
    *(("moderation", each) for each in ("approve", "reject")),
    *(("mail", each) for each in ("retry", "expire", "cancel")),
}
"""Commands that ask before they touch many mails."""


def _documented() -> Iterator[CommandLine]:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    pages += sorted((ROOT / "docs" / "reference").glob("*.md"))
    for page in pages:
        yield from in_markdown(page.read_text(encoding="utf-8"))
    for context in commands.contexts():
        for example in commands.examples(context.command):
            yield from in_shell(example)


def _lines() -> list[tuple[str, ...]]:
    found = dict.fromkeys(
        line.arguments
        for line in _documented()
        if line.program == "mailtumble" and not line.variables and line.arguments
    )
    return [each for each in found if not _is_elsewhere(each)]


def _is_elsewhere(arguments: tuple[str, ...]) -> bool:
    own = tuple(word for word in arguments[:2] if not word.startswith("-"))
    subcommand = len(own) > 1 and own[0] == "local"
    return own == LISTENS or (own[:1] in ELSEWHERE and not subcommand)


def _trace(shard: str) -> dict[str, str]:
    return {"Bucket": f"{PREFIX}-archive", "Key": f"shards/{shard}/{'0' * 64}"}


class Reader:
    """Somebody who types what the docs say."""

    def __init__(self, stack: Stack) -> None:
        """Aliases that hold, and that wait; and the files that the docs speak of."""
        self._stack = stack
        self._held: list[str] = []
        stack.run("aliases", "add", "held@docs.example", "t@far.example", "--moderated")
        stack.run("aliases", "add", "waits@docs.example", "t@far.example", "--delay", "9999")
        stack.run("aliases", "add", "goes@docs.example", "t@far.example")
        for name in ("mail.eml", "hello.eml"):
            (stack.folder / name).write_bytes(RAW)
        (stack.folder / "aliases.csv").write_text(
            "alias,targets\ninfo@csv.example,t@far.example\n", encoding="utf-8"
        )
        (stack.folder / "aliases.toml").write_text(
            '["info@toml.example"]\ntargets = ["t@far.example"]\n', encoding="utf-8"
        )
        self._sent = self._mail("goes@docs.example", "completed")

    def type_in(self, arguments: tuple[str, ...]) -> str:
        """Run a command, with what it is about put in; what went wrong, or nothing."""
        words = [self._given(word, arguments) for word in arguments]
        asks = arguments[:2] in BULK and not IDENTIFIER.fullmatch(arguments[-1])
        if asks and not {"--preview", "--yes"} & set(words):
            words = [*words, "--yes"]  # nobody is there to answer
        self._bring_about(arguments)
        done = self._stack.call(*words)
        if done.returncode == 0:
            return ""
        return f"mailtumble {' '.join(words)}: {done.stderr.strip() or done.stdout[-300:]}"

    def _given(self, word: str, arguments: tuple[str, ...]) -> str:
        if word.startswith("FILE"):
            return "mail.eml"
        if not IDENTIFIER.fullmatch(word):
            return word
        match arguments[:2]:
            case ("moderation", _):
                return self._mail("held@docs.example", "held")
            case ("mail", "send-at" | "send-now" | "expire" | "cancel"):
                return self._mail("waits@docs.example", "scheduled")
            case ("mail", "retry"):
                return self._mail("nobody@nowhere.example", "unroutable")
            case ("quarantine", _):
                return self._quarantined()
            case ("local", "sent"):
                return str(self._stack.sent()[-1]["message_id"])
            case _:
                return self._sent

    def _bring_about(self, arguments: tuple[str, ...]) -> None:
        scope = list(arguments[2:4]) if {"--tenant", "--domain"} & set(arguments) else []
        match arguments[:2]:
            case ("aliases", "remove"):
                self._stack.run("aliases", "add", arguments[2], "t@far.example")
            case ("suppression", "remove"):
                self._stack.call("suppression", "add", arguments[2])
            case ("suppression", "add"):
                self._stack.call("suppression", "remove", arguments[2])
            case ("queue", "resume"):
                self._stack.call("queue", "pause", *scope)
            case ("queue", "pause" | "drain"):
                self._stack.call("queue", "resume")
                self._stack.call("queue", "resume", *scope)
            case ("archive", "acknowledge"):
                # The bucket says that the shard was archived, and nothing of it is left.
                self._stack.client("s3").put_object(**_trace(arguments[2]), Body=b"")
            case ("archive", "verify"):
                self._stack.client("s3").delete_object(**_trace(ACKNOWLEDGED))
            case _:
                pass

    def _mail(self, alias: str, status: str) -> str:
        mail = self._stack.inject(self._stack.folder / "mail.eml", alias)
        self._stack.await_status(mail, status)
        return mail

    def _quarantined(self) -> str:
        sqs = self._stack.client("sqs")
        queue = sqs.get_queue_url(QueueName=f"{PREFIX}-intake")["QueueUrl"]
        before = {row["id"] for row in self._stack.json("quarantine", "list")}
        sqs.send_message(QueueUrl=queue, MessageBody=f"garbage {len(before)}")
        deadline = time.monotonic() + PATIENCE_S
        while True:
            now = [row["id"] for row in self._stack.json("quarantine", "list")]
            if new := [each for each in now if each not in before]:
                return str(new[0])
            assert time.monotonic() < deadline


GROUPS: Final = (("mail",), ("moderation", "queue"), ())
"""Commands that share a stack; the last group is all others."""


@pytest.mark.parametrize("group", GROUPS, ids=lambda names: " and ".join(names) or "others")
def test_what_is_documented_runs(start_stack: Callable[..., Stack], group: tuple[str, ...]) -> None:
    """In the order of the pages; mailtumble local, demo and worker have tests of their own."""
    named = {name for each in GROUPS for name in each}
    lines = [each for each in _lines() if (each[0] in group if group else each[0] not in named)]
    assert len(lines) > 20
    reader = Reader(start_stack())
    wrong = [problem for line in lines if (problem := reader.type_in(line))]
    assert wrong == []
