"""The command lines that documentation tells its readers to type, as a shell would read them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

FENCE = re.compile(r"^ *(`{3,}|~{3,})[ ]*(\w*)[^`\n]*\n(.*?)^ *\1`*[ ]*$", re.MULTILINE | re.DOTALL)
SHELLS = frozenset({"", "bash", "console", "sh", "shell", "text"})
"""What a block is marked with that may hold command lines."""
PROGRAMS = frozenset({"mailtumble", "make"})
PROMPT = re.compile(r"^\s*[$%] ")
FILE_NUMBER = re.compile(r"(?<=\s)\d(?=[<>])")
ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
OPERATORS = frozenset("();<>|&")


@dataclass(frozen=True)
class CommandLine:
    """One call of ``mailtumble`` or ``make``, with the variables set before it."""

    program: str
    arguments: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """As it may be typed."""
        variables = [f"{name}={shlex.quote(text)}" for name, text in self.variables.items()]
        return " ".join([*variables, shlex.join([self.program, *self.arguments])])


def in_markdown(text: str) -> Iterator[CommandLine]:
    """Those in the fenced blocks of a page."""
    for _, language, block in FENCE.findall(text):
        if language in SHELLS:
            yield from in_shell(block)


def in_shell(block: str) -> Iterator[CommandLine]:
    """Those among lines for a shell; what is neither mailtumble nor make is passed over."""
    for line in block.replace("\\\n", " ").splitlines():
        try:
            words = _words(line)
        except ValueError:
            # A drawing or a program's output: an apostrophe there quotes nothing.
            continue
        for call in _calls(words):
            yield from _command_line(call)


def _words(line: str) -> list[str]:
    """The words and operators of a line, without its prompt and comment."""
    reader = shlex.shlex(
        FILE_NUMBER.sub("", PROMPT.sub("", line)), posix=True, punctuation_chars=True
    )
    reader.whitespace_split = True
    return list(reader)


def _calls(words: list[str]) -> Iterator[list[str]]:
    """The words of each call in a line, without what is redirected."""
    call: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if not set(word) <= OPERATORS:
            call.append(word)
        elif set(word) & set("<>"):
            next(waiting, None)
        else:
            yield call
            call = []
    yield call


def _command_line(call: list[str]) -> Iterator[CommandLine]:
    variables: dict[str, str] = {}
    while call and (assignment := ASSIGNMENT.fullmatch(call[0])):
        variables[assignment[1]] = assignment[2]
        call = call[1:]
    if call and PurePosixPath(call[0]).name in PROGRAMS:
        yield CommandLine(PurePosixPath(call[0]).name, tuple(call[1:]), variables)
