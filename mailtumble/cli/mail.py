"""``mailtumble mail``: the mails, and where they stand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import click

from mailtumble.cli.state import state_option, wiring

FIELDS: Final = (
    "mail_id",
    "status",
    "received_at",
    "envelope_sender",
    "recipient",
    "subject",
    "size_bytes",
    "targets",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Look at mails."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="An array of all fields, targets included.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the newest so many.")
@click.option("--status", help="Only those with this status, e.g. parked.")
@state_option
def list_mails(
    as_json: bool,  # noqa: FBT001 - click gives it by name
    limit: int | None,
    status: str | None,
    state_dir: Path | None,
    debug: bool,  # noqa: FBT001 - click gives it by name
) -> None:
    """List mails, the newest first.

    \b
    Example:  mailtumble mail list --status parked
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    wired = wiring(state_dir)
    own = f"{wired.settings.generation}#"
    items: list[Any] = [
        item for item in wired.store().scan("mails") if str(item["mail_key"]).startswith(own)
    ]
    items.sort(key=lambda item: (item["received_at"], item["mail_id"]), reverse=True)
    rows = [
        {name: item[name] for name in FIELDS}
        for item in items
        if status is None or item["status"] == status
    ][:limit]
    if as_json:
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    for row in rows:
        click.echo(
            f"{row['mail_id']}  {row['status']:11} {row['received_at'][:19]}  "
            f"{row['recipient']}  {row['subject']}"
        )
    if not rows:
        click.echo("No such mail.", err=True)
