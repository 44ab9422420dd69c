"""The commands, grouped; each module is imported only when its command runs."""

from __future__ import annotations

import importlib
from typing import Final

import click

COMMANDS: Final = {
    "demo": (
        "mailtumble.cli.demo",
        "Send real mail through the whole system, and show what happened to it.",
    ),
    "local": ("mailtumble.cli.local", "Run the whole system on this machine, and inspect it."),
    "worker": ("mailtumble.cli.worker", "Run one worker: core, sender, archive or intake."),
    "mail": ("mailtumble.cli.mail", "List and explain messages; retry, reschedule or cancel them."),
    "queue": ("mailtumble.cli.queue", "Show where mail is and how fast it leaves; pause it."),
    "moderation": ("mailtumble.cli.moderation", "Read held mail; approve or reject it."),
    "suppression": ("mailtumble.cli.suppression", "List, add and remove suppressed addresses."),
    "aliases": ("mailtumble.cli.aliases", "Add, remove and list aliases."),
    "quarantine": ("mailtumble.cli.quarantine", "List what could not be processed; redrive it."),
    "archive": ("mailtumble.cli.archive", "List what is archived of the stream, and verify it."),
    "doctor": ("mailtumble.cli.doctor", "Check an installation, and say what to do next."),
    "verify": ("mailtumble.cli.verify", "Check that nothing is lost, wrong or overdue."),
}


class LazyGroup(click.Group):
    """Knows the commands' names and help without importing what they need."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command's module: it holds ``command``."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mailtumble")
def group() -> None:
    """Mail in through Amazon SES, remembered as events, sent on at the pace SES allows.

    Begin with `mailtumble local` in one shell; then, in another one in the same folder:

    \b
      mailtumble aliases add info@house.example you@example.com
      (send a mail to info@house.example, by SMTP to 127.0.0.1:2525)
      mailtumble mail list
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
