"""``commands.md``: every command with its help and options, as click knows them."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Final

import click

from mailtumble.cli.main import group
from mailtumble.cli.state import state_option
from tools.reference.markdown import GENERATED, code, fence, prose, table

PROGRAM: Final = "mailtumble"
EXAMPLE: Final = "Example:"
AS_TYPED: Final = "\b\n"
"""Begins a paragraph that click does not wrap."""

Record = tuple[str, str]
"""An option's names with its value, and its meaning, as ``--help`` lists them."""

HEAD: Final = f"""\
# Commands

{GENERATED}

`{PROGRAM} COMMAND --help` tells the same. A command talks to the local stack that was started in
the current folder; where none runs, to the AWS that the [settings](settings.md) and boto3's
variables name. Errors are one line on stderr. Exit code 0: done; 1: it failed; 2: it was called
wrongly, or a setting is wrong; 130: it was ended by Ctrl-C.
"""


def contexts(
    command: click.Command = group, name: str = PROGRAM, parent: click.Context | None = None
) -> Iterator[click.Context]:
    """A context for the command and for each below it: it knows the whole name, and the command."""
    context = click.Context(command, parent, name, **command.context_settings)
    yield context
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            below = command.get_command(context, each)
            if below is not None:
                yield from contexts(below, each, context)


def runs(command: click.Command) -> bool:
    """Whether it does something itself: a group is there for the commands below it."""
    return not isinstance(command, click.Group) or command.invoke_without_command


def examples(command: click.Command) -> list[str]:
    """The command lines that the help gives as examples."""
    return [
        line
        for paragraph in _paragraphs(command)
        if _is_example(paragraph)
        for line in _typed_lines(paragraph)
    ]


def page() -> str:
    """The page."""
    every = list(contexts())
    lines = [HEAD, *_commands(every), *_shared()]
    for context in every:
        depth = 2 if context.parent in (None, every[0]) else 3
        lines += ["", f"{'#' * depth} {context.command_path}", ""]
        lines += [code(_usage(context)), "", *_help(context.command), *_options(context)]
    return "\n".join(lines) + "\n"


def _commands(every: list[click.Context]) -> Iterator[str]:
    return table(
        ("command", "what it does"),
        (
            (f"[`{name}`](#{name.replace(' ', '-')})", prose(_first_sentence(context.command)))
            for context in every
            if runs(context.command)
            for name in (context.command_path,)
        ),
    )


def _shared() -> Iterator[str]:
    yield from ("", "## Options of every command", "")
    yield "Every command takes these after its name, unless its own table says otherwise."
    yield ""
    yield from table(("option", "meaning"), map(_row, shared_options()))


def _usage(context: click.Context) -> str:
    return " ".join([context.command_path, *context.command.collect_usage_pieces(context)])


def _help(command: click.Command) -> Iterator[str]:
    for place, paragraph in enumerate(_paragraphs(command)):
        if place:
            yield ""
        if _is_example(paragraph):
            yield from (EXAMPLE, "")
        if paragraph.startswith(AS_TYPED):
            yield from fence(_typed_lines(paragraph))
        else:
            yield prose(paragraph)


def _options(context: click.Context) -> Iterator[str]:
    shared = shared_options()
    rows = [_row(each) for each in _records(context) if each not in shared]
    if rows:
        yield ""
        yield from table(("option", "meaning"), rows)


def shared_options() -> list[Record]:
    """The options that ``state_option`` gives to every command, and click's own."""

    @click.command(context_settings={"help_option_names": ["-h", "--help"]})
    @state_option
    def plain(**_: object) -> None:
        """Nothing."""

    return _records(click.Context(plain, **plain.context_settings))


def _row(record: Record) -> tuple[str, str]:
    names, meaning = record
    return code(names), prose(meaning)


def _records(context: click.Context) -> list[Record]:
    records = [each.get_help_record(context) for each in context.command.get_params(context)]
    return [each for each in records if each is not None]


def _paragraphs(command: click.Command) -> list[str]:
    return inspect.cleandoc(command.help or "").split("\n\n")


def _is_example(paragraph: str) -> bool:
    return paragraph.startswith(AS_TYPED + EXAMPLE)


def _typed_lines(paragraph: str) -> list[str]:
    text = paragraph.removeprefix(AS_TYPED)
    if _is_example(paragraph):
        text = text.replace(EXAMPLE, " " * len(EXAMPLE), 1)
    return textwrap.dedent(text).splitlines()


def _first_sentence(command: click.Command) -> str:
    return re.split(r"(?<=\.)\s", " ".join(_paragraphs(command)[0].split()))[0]
