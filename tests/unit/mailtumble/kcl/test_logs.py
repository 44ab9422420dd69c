"""The daemon's lines become ours; nothing that is said gets lost."""

from __future__ import annotations

import json

from mailtumble.kcl.logs import line_of


def test_a_line_of_javas() -> None:
    """Time, level, logger, message; line breaks within it are a traceback."""
    text = (
        '2026-01-02T03:04:05\tERROR\tcom.example.A\tit "broke"\u2028java.E: why\u2028\tat b\u2028'
    )
    assert json.loads(line_of(text)) == {
        "at": "2026-01-02T03:04:05",
        "level": "error",
        "logger": "com.example.A",
        "message": 'it "broke"',
        "traceback": "java.E: why\n\tat b",
    }


def test_a_line_without_more() -> None:
    """No traceback where there is none; a tab belongs to the message."""
    told = json.loads(line_of("t\tINFO\ta.B\tone\ttwo\u2028"))
    assert told == {"at": "t", "level": "info", "logger": "a.B", "message": "one\ttwo"}


def test_a_childs_line_is_ours_already() -> None:
    """It passes as it is."""
    text = '{"level": "info", "message": "core took shard-0 over"}'
    assert line_of(text) == text


def test_what_is_no_log_line_is_kept() -> None:
    """A stray print, a JVM's last words, a JSON value that is no object."""
    for text in ("hello", "", "[1]", "OpenJDK 64-Bit warning: x"):
        told = json.loads(line_of(text))
        assert told["message"] == text
        assert told["logger"] == "mailtumble.kcl.output"
