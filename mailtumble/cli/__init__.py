"""The command line.

Errors are one line on stderr. Exit code 2: a wrong call; 1: a failure; 130: Ctrl-C.
"""

from __future__ import annotations

import sys
from typing import Final

INTERRUPTED: Final = 130
"""128 + SIGINT, as shells have it."""

try:
    import traceback

    import click

    from mailtumble.cli.main import group
    from mailtumble.cli.output import printable
    from schemas.errors import BadInput, MailtumbleError
except KeyboardInterrupt:
    # These imports take a while on a busy machine, and Ctrl-C should not print a traceback.
    sys.exit(INTERRUPTED)


def main() -> None:
    """Run a command. A traceback is shown with ``--debug`` only."""
    debug = "--debug" in sys.argv
    code: object = 0
    try:
        code = group.main(standalone_mode=False)
    except click.exceptions.Abort as error:
        click.echo("aborted", err=True)
        # click raises the same for Ctrl-C and for a question that is not answered.
        sys.exit(INTERRUPTED if isinstance(error.__cause__, KeyboardInterrupt) else 1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except Exception as error:  # noqa: BLE001 - a person gets a line, whatever went wrong
        _fail(error, 2 if isinstance(error, BadInput) else 1, debug=debug)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(error: Exception, code: int, *, debug: bool) -> None:
    if debug:
        traceback.print_exception(error)
    text = (
        str(error)
        if isinstance(error, (MailtumbleError, OSError))
        else (f"{type(error).__name__}: {error}; run again with --debug for the details")
    )
    click.echo(f"mailtumble: {printable(' '.join(text.split()))}", err=True)
    sys.exit(code)
