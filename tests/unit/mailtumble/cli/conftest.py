"""Commands over a world of fakes."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click
import pytest
from click.testing import CliRunner, Result

from mailtumble.cli import main, state
from tests.unit.mailtumble.cli.small_world import SmallWorld

Run = Callable[..., Result]
Exit = Callable[..., tuple[int, str]]


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
def fail(
    world: SmallWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Exit:
    """Runs the whole command line, which is to fail: its exit code and what stderr says."""
    del world

    def call(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["mailtumble", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capsys.readouterr().err

    return call
