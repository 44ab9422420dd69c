"""Log lines say in fields what they are about, and name nobody's address."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtumble.logs import (
    BLOT,
    JsonLines,
    LogFormat,
    TextLines,
    about,
    is_text,
    log_to_stderr,
    relay,
)

logger = logging.getLogger("mailtumble.test")


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        """It is."""
        return True


class Written:
    """What a handler has written, line by line."""

    def __init__(self, formatter: logging.Formatter) -> None:
        """Collect what the logger of this module says."""
        self.stream = io.StringIO()
        self.handler = logging.StreamHandler(self.stream)
        self.handler.setFormatter(formatter)

    def lines(self) -> list[dict[str, Any]]:
        """Each line, read as JSON."""
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


def _written(formatter: logging.Formatter) -> Iterator[Written]:
    made = Written(formatter)
    logger.addHandler(made.handler)
    logger.setLevel(logging.DEBUG)
    yield made
    logger.removeHandler(made.handler)


@pytest.fixture
def written() -> Iterator[Written]:
    """JSON lines."""
    yield from _written(JsonLines())


@pytest.fixture
def text() -> Iterator[Written]:
    """Text lines."""
    yield from _written(TextLines())


def test_a_line_has_the_fields_of_what_is_worked_on(written: Written) -> None:
    """Those of the outer work too, and its own; afterwards they are gone."""
    with about(application="core", shard="s-0"):
        with about(mail="m-1", sequence="7"):
            logger.info("read", extra={"fields": {"target": 0, "attempt": ""}})
        logger.info("between")
    logger.info("after")
    inner, between, after = written.lines()
    assert {name: inner[name] for name in ("application", "shard", "mail", "sequence")} == {
        "application": "core",
        "shard": "s-0",
        "mail": "m-1",
        "sequence": "7",
    }
    assert inner["target"] == 0
    assert "attempt" not in inner
    assert "mail" not in between
    assert between["shard"] == "s-0"
    assert set(after) == {"at", "level", "logger", "message"}
    assert after["at"].endswith("Z")


def test_threads_and_tasks_don_t_share_what_they_are_about(written: Written) -> None:
    """Lanes work side by side: a line never has another one's mail."""

    def work(number: int) -> None:
        with about(mail=f"m-{number}"):
            for _ in range(20):
                logger.info("%d", number)

    async def tasks() -> None:
        async def one(number: int) -> None:
            with about(mail=f"m-{number}"):
                for _ in range(20):
                    await asyncio.sleep(0)
                    logger.info("%d", number)

        await asyncio.gather(*(one(number) for number in range(4, 8)))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    asyncio.run(tasks())
    lines = written.lines()
    assert len(lines) == 8 * 20
    assert all(line["mail"] == f"m-{line['message']}" for line in lines)


@pytest.mark.parametrize(
    "said",
    [
        "Email address is not verified: joe@far.example",
        "alias @house.example: targets is no list",
        "<jane.doe+x@example.com>",
        "alias=info@house.example,",
        '{"alias": {"S": "info@house.example"}}',
        "jürgen@müller.example",
    ],
)
def test_no_address_is_written(written: Written, text: Written, said: str) -> None:
    """Whoever put it into a line, a field or a traceback."""
    address = next(word for word in said.split() if "@" in word)
    with about(told=said):
        try:
            int(said)
        except ValueError:
            logger.exception("failed: %s", said)
    for each in (written, text):
        line = each.stream.getvalue()
        assert BLOT in line
        assert "@" not in line, address


@given(st.text(), st.emails(), st.text())
def test_no_text_around_an_address_hides_it(before: str, address: str, after: str) -> None:
    """And the line stays JSON, whatever stands before it."""
    record = logging.LogRecord(
        "mailtumble", logging.INFO, "", 1, "%s", (f"{before} {address} {after}",), None
    )
    line = json.loads(JsonLines().format(record))
    assert address not in line["message"]
    assert BLOT in line["message"]


def test_text_is_for_a_terminal_unless_told_otherwise() -> None:
    """Whatever collects logs gets JSON."""
    assert is_text(LogFormat.AUTO, Terminal())
    assert not is_text(LogFormat.AUTO, io.StringIO())
    assert not is_text(LogFormat.JSON, Terminal())
    assert is_text(LogFormat.TEXT, io.StringIO())


def test_text_says_the_same(text: Written) -> None:
    """Level, words, fields."""
    with about(mail="m-1"):
        logger.warning("not sent this time: %s", "throttled", extra={"fields": {"target": 2}})
    assert text.stream.getvalue().endswith(
        "WARNING not sent this time: throttled mail=m-1 target=2\n"
    )


def test_another_process_s_lines_take_this_one_s_form() -> None:
    """The KCL's children write JSON; their supervisor may sit at a terminal."""
    line = json.dumps({"at": "2026-11-24T09:00:00Z", "level": "info", "message": "hi", "mail": "m"})
    terminal, pipe = Terminal(), io.StringIO()
    relay(line, LogFormat.AUTO, terminal)
    relay(line, LogFormat.AUTO, pipe)
    assert terminal.getvalue() == "09:00:00Z INFO hi mail=m\n"
    assert pipe.getvalue() == f"{line}\n"


@pytest.mark.parametrize(("level", "count"), [("debug", 3), ("info", 2), ("error", 0)])
def test_the_level_is_a_setting(capsys: pytest.CaptureFixture[str], level: str, count: int) -> None:
    """And what libraries say is told from WARNING on only."""
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    own = logger.level
    logger.setLevel(logging.NOTSET)
    try:
        log_to_stderr(level, LogFormat.JSON)
        logger.debug("d")
        logger.info("i")
        logger.warning("w")
        logging.getLogger("botocore").info("chatter")
    finally:
        logger.setLevel(own)
        root.setLevel(before[0])
        root.handlers[:] = before[1]
    assert len(capsys.readouterr().err.splitlines()) == count
