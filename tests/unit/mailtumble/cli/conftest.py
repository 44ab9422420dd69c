"""Commands over a world of fakes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import NamedTuple

import click
import pytest
from click.testing import CliRunner, Result

from mailtumble.cli import main, state
from tests.unit.mailtumble.cli.small_world import SmallWorld

Run = Callable[..., Result]
Exit = Callable[..., tuple[int, str]]


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Call = Callable[..., Ended]
Ask = Callable[..., Result]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> SmallWorld:
    """The world that every command of the test talks to."""
    made = SmallWorld()
    monkeypatch.setattr(state, "wiring", lambda state_dir: made if state_dir is None else None)
    return made


@pytest.fixture
def run(world: SmallWorld) -> Run:
    """Runs a command that is to succeed."""
    del world

    def invoke(command: click.Command, *arguments: str) -> Result:
        result = CliRunner().invoke(command, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result

    return invoke


@pytest.fixture
def call(
    world: SmallWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Call:
    """Runs the whole command line, where nobody sits at a terminal."""
    del world
    monkeypatch.setattr(
        click, "get_text_stream", lambda name: SimpleNamespace(isatty=lambda: name != "stdin")
    )

    def run_all(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["mailtumble", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Ended(int(ended.value.code or 0), said.out, said.err)

    return run_all


@pytest.fixture
def fail(call: Call) -> Exit:
    """Runs the whole command line, which is to fail: its exit code and what stderr says."""

    def run_all(*arguments: str) -> tuple[int, str]:
        code, _, err = call(*arguments)
        assert code
        return code, err

    return run_all


@pytest.fixture
def ask(world: SmallWorld, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Runs a command at a terminal, where somebody types an answer."""
    del world

    def invoke(command: click.Command, *arguments: str, answer: str) -> Result:
        monkeypatch.setattr(
            click, "get_text_stream", lambda _: SimpleNamespace(isatty=lambda: True)
        )
        return CliRunner().invoke(command, arguments, input=answer, catch_exceptions=False)

    return invoke
