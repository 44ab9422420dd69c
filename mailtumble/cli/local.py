"""``mailtumble local``: the whole system on this machine, and a look into it."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mailtumble.cli.inject import inject
from mailtumble.cli.output import print_hint, print_json, print_table
from mailtumble.cli.sent import sent
from mailtumble.cli.smtp import smtp
from mailtumble.cli.state import DEFAULT_DIR, local_state, state_option
from schemas.errors import BadInput

if TYPE_CHECKING:
    from mailtumble.local.stack import StackOptions

SIGNALLED: Final = 128
"""Shells add this to a signal's number for the exit code of a process that the signal ended."""

NEXT = """\
Next, in another shell in this folder:
  mailtumble aliases add info@house.example you@example.com
  mailtumble local inject mail.eml --from jane@example.com --to info@house.example
  mailtumble mail list               (or send by SMTP, to any address of house.example)
  mailtumble mail show ID            (its story; an id's first characters are enough)
  mailtumble local sent              (what the local SES has accepted)
Ctrl-C ends it all."""


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--smtp-port",
    type=click.IntRange(0, 65_535),
    default=2525,
    show_default=True,
    help="The port that receives mail; 0: any free port.",
)
@click.option(
    "--rate", default=14.0, show_default=True, help="The local SES's limit, recipients a second."
)
@click.option(
    "--daily-quota", default=50_000, show_default=True, help="Its limit for 24 hours; -1: none."
)
@click.option(
    "--limiter",
    type=click.Choice(["fixed", "sliding", "debt"]),
    default="debt",
    show_default=True,
    help="How it measures the rate.",
)
@click.option(
    "--latency-ms", default=0, show_default=True, help="How long it takes for each answer."
)
@click.option(
    "--error-rate",
    default=0.0,
    show_default=True,
    help="The share of sends that fail: 0.02 is 1 in 50.",
)
@click.option(
    "--lost-reply-rate",
    default=0.0,
    show_default=True,
    help="The share that it accepts without an answer: their outcome is unknown.",
)
@click.option(
    "--refuses",
    default="",
    metavar="WHY",
    help="Refuse all: disabled, paused, suspended, or 'unverified DOMAIN'.",
)
@click.option(
    "--same-priority",
    is_flag=True,
    help="Keep core and the sender at normal priority instead of a lower one.",
)
@state_option
@click.pass_context
def command(
    context: click.Context,
    /,
    state_dir: Path | None,
    debug: bool,  # noqa: FBT001 - click gives it by name
    **of_the_stack: Any,  # noqa: ANN401
) -> None:
    """Run emulators of AWS and SES, and all workers, on this machine until Ctrl-C.

    The local SES receives mail by SMTP, for any recipient. It enforces its limits, and the sender
    learns of them in the same way as from the real SES. All state is lost when the command ends.

    The start takes as long as the machine needs. It fails if a process ends, if no process uses CPU
    time or logs anything for 60 s, or if a step takes longer than 15 min.

    The exit code is 0 after Ctrl-C or SIGTERM, 130 or 143 if they came during the start, and 1 if a
    process did not start or the AWS emulator ended.

    \b
    Example:  mailtumble local --rate 50
              mailtumble local --limiter sliding --latency-ms 80 --lost-reply-rate 0.02
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    if context.invoked_subcommand is not None:
        return
    asked = _Asked()  # Before the imports, which take seconds on a busy machine.
    # Slow to import.
    from mailtumble.local.ses.account import AccountSettings  # noqa: PLC0415
    from mailtumble.local.stack import StackOptions  # noqa: PLC0415

    try:
        others = {"smtp_port", "same_priority"}
        AccountSettings(**{k: v for k, v in of_the_stack.items() if k not in others})
    except ValueError as error:
        raise BadInput(str(error)) from error
    options = StackOptions(
        state_dir=(state_dir or Path(DEFAULT_DIR)).absolute(),
        **of_the_stack,
    )
    context.exit(_run(options, asked))


class _Asked:
    """The request to stop the stack: whether it came, and by which signal."""

    def __init__(self) -> None:
        """Handle SIGINT and SIGTERM from now on."""
        self.to_end = threading.Event()
        self.signal = 0
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._end)

    def _end(self, number: int, _frame: object) -> None:
        self.signal = self.signal or number
        self.to_end.set()


def _run(options: StackOptions, asked: _Asked) -> int:
    """Run the stack until it is asked to end; return the exit code."""
    from mailtumble.local.stack import LocalStack  # noqa: PLC0415 - slow to import
    from mailtumble.local.startup import StartInterrupted, Startup  # noqa: PLC0415

    click.echo("Starting AWS, SES and the workers. All state is lost when this ends.")
    stack = LocalStack(options, Startup(print_hint, asked.to_end.is_set))
    try:
        state = stack.start()
        click.echo(f"ready: SMTP on 127.0.0.1:{state.smtp_port}, state in {options.state_dir}")
        click.echo(NEXT)
        stack.watch(asked.to_end)
    except StartInterrupted:
        print_hint("Interrupted during the start. Stopping everything that was started.")
        return SIGNALLED + asked.signal
    finally:
        stack.stop()
    return 0


@command.command("status")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="An array of {name, pid, state}; state is starting, running or restarting.",
)
@state_option
def status(
    as_json: bool,  # noqa: FBT001 - click gives it by name
    state_dir: Path | None,
    debug: bool,  # noqa: FBT001 - click gives it by name
) -> None:
    """Show which processes run.

    \b
    Example:  mailtumble local status --json
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    from mailtumble.local.stack import read_processes  # noqa: PLC0415 - slow to import

    local_state(state_dir)
    rows = read_processes(state_dir or Path(DEFAULT_DIR))
    if as_json:
        print_json(rows)
        return
    print_table(("NAME", "PID", "STATE"), [list(row.values()) for row in rows])


command.add_command(inject)
command.add_command(sent)
command.add_command(smtp)
