"""``mailtumble doctor``: what is wrong with a set-up, and the next step for each."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from mailtumble.aws.survey import AwsSurvey
from mailtumble.cli import state
from mailtumble.cli.output import print_json, print_line, printable
from mailtumble.cli.state import state_option
from mailtumble.definition import load_definition
from mailtumble.doctor.checkup import examine
from mailtumble.doctor.findings import Finding, Mark, Setup, fail
from mailtumble.wiring import Wiring
from schemas.errors import BadInput

COLOURS: Final = {Mark.OK: "green", Mark.WARN: "yellow", Mark.FAIL: "red"}
TODO: Final = "->"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--host",
    type=click.Choice(["embedded", "kcl"]),
    default="embedded",
    show_default=True,
    help="What hosts the workers: for kcl, Java and the extra kcl have to be there.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="[{part, mark, told, todo}]; mark: ok, warn or fail."
)
@state_option
def command(*, host: str, as_json: bool, state_dir: Path | None, debug: bool) -> int:
    """Check credentials, clock, stream, tables, bucket, queues, SES and the workers.

    Changes nothing. Each part that is not as it should be comes with the next step. Exit code 1:
    something failed, and mail does not come in, or does not go out; a warning alone is no failure.

    \b
    Example:  mailtumble doctor
              mailtumble doctor --json
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    try:
        findings = examine(_setup(state.wiring(state_dir), host))
    except BadInput as error:
        findings = [fail("settings", str(error), "correct it: docs/reference/settings.md")]
    if as_json:
        print_json([asdict(each) for each in findings])
    else:
        _print(findings)
    return int(any(each.mark is Mark.FAIL for each in findings))


def _setup(wired: Wiring, host: str) -> Setup:
    return Setup(
        settings=wired.settings,
        definition=load_definition(),
        survey=AwsSurvey(wired.clients),
        store=wired.store(),
        clock=wired.clock,
        aliases=wired.aliases,
        read_rules=wired.rules,
        host=host,
    )


def _print(findings: Sequence[Finding]) -> None:
    width = max(len(each.part) for each in findings)
    colour = False if os.environ.get("NO_COLOR") else None
    for each in findings:
        mark = click.style(f"{each.mark:<4}", fg=COLOURS[each.mark])
        # click takes colours out again where the output is no terminal.
        click.echo(f"{mark}  {each.part:<{width}}  {printable(each.told)}", color=colour)
        if each.todo:
            print_line(f"{'':<{width + 8}}{TODO} {each.todo}")
    counts = Counter(each.mark for each in findings)
    print_line(", ".join(f"{counts[mark]} {mark}" for mark in Mark))
