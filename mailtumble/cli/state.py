"""Which AWS a command talks to: that of the local stack in this folder, or the environment's."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from mailtumble.settings import load_settings
from mailtumble.wiring import Wiring
from schemas.errors import BadInput, MailtumbleError

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_DIR: Final = ".mailtumble"
STATE_FILE: Final = "local.json"


@dataclass(frozen=True, slots=True)
class LocalState:
    """What ``mailtumble local`` writes down for the other commands.

    ``environment`` holds the variables that point boto and mailtumble at the local stack;
    ``ses_url`` is the local SES's endpoint, ``smtp_port`` its way in.
    """

    pid: int
    environment: Mapping[str, str]
    ses_url: str
    smtp_port: int
    resources: Mapping[str, str]

    def alive(self) -> bool:
        """Whether the local stack that wrote it still runs."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


def state_option(command: F) -> F:
    """Add ``--state-dir`` and ``--debug``, which every command takes after its name."""
    command = click.option(
        "--state-dir",
        type=click.Path(file_okay=False, path_type=Path),
        default=None,
        help=f"Where `mailtumble local` keeps its state (default: {DEFAULT_DIR}, if it runs).",
    )(command)
    return click.option("--debug", is_flag=True, help="Show a traceback when something fails.")(
        command
    )


def read_state(directory: Path) -> LocalState | None:
    """The state that a running local stack has written in ``directory``, if there is one."""
    path = directory / STATE_FILE
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        state = LocalState(**plain)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(
            f"{path} can't be read ({error}): remove it, then start mailtumble local"
        ) from error
    return state if state.alive() else None


def write_state(directory: Path, state: LocalState) -> None:
    """Write the state in one step, so that nobody reads half of it."""
    fields = {name: getattr(state, name) for name in LocalState.__slots__}
    path = directory / STATE_FILE
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(fields, indent=1), encoding="utf-8")
    draft.chmod(0o600)
    draft.replace(path)


def local_state(state_dir: Path | None) -> LocalState:
    """The running local stack's state.

    Raises:
        MailtumbleError: none runs.
    """
    directory = state_dir or Path(DEFAULT_DIR)
    state = read_state(directory)
    if state is None:
        raise MailtumbleError(f"no local stack runs in {directory}: start it with mailtumble local")
    return state


def wiring(state_dir: Path | None) -> Wiring:
    """The adapters for a command: the local stack's if one runs here, else the environment's.

    Raises:
        MailtumbleError: ``--state-dir`` was given and no local stack runs there.
    """
    state = local_state(state_dir) if state_dir else read_state(Path(DEFAULT_DIR))
    if state is not None:
        os.environ.update(state.environment)
    return Wiring(load_settings())
