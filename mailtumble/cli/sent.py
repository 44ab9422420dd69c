"""``mailtumble local sent``: what the local SES has accepted for sending, from its own spool."""

from __future__ import annotations

import json
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

import click

from mailtumble.cli import state
from mailtumble.cli.output import (
    print_hint,
    print_json,
    print_line,
    print_table,
    printable_lines,
)
from mailtumble.cli.state import state_option
from schemas.errors import BadInput, MailtumbleError, RetryableError

TIMEOUT_S: Final = 10.0


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("message_id", metavar="[ID]", required=False)
@click.option("--json", "as_json", is_flag=True, help="The entries, or the one with its headers.")
@click.option("--raw", is_flag=True, help="The mail's bytes, as SES was given them.")
@state_option
def sent(
    message_id: str | None, *, as_json: bool, raw: bool, state_dir: Path | None, debug: bool
) -> None:
    """List what the local SES has accepted, the oldest first; with ID, show that mail.

    ID is the message id that SES gave it.

    \b
    Example:  mailtumble local sent
              mailtumble local sent ID --raw > mail.eml
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    if raw and (message_id is None or as_json):
        raise BadInput("--raw takes the ID of one mail, and no --json")
    url = state.local_state(state_dir).ses_url
    if message_id is None:
        _list(json.loads(ask(url, "/_local/sent")), as_json=as_json)
        return
    path = f"/_local/sent/{quote(message_id, safe='')}"
    missing = f"the local SES sent no mail {message_id!r}: mailtumble local sent lists them"
    if raw:
        click.get_binary_stream("stdout").write(ask(url, f"{path}/raw", missing))
        return
    entry: dict[str, Any] = json.loads(ask(url, path, missing))
    if as_json:
        print_json(entry)
    else:
        _show(entry)


def ask(url: str, path: str, missing: str = "") -> bytes:
    """What the local SES answers to a GET.

    Raises:
        MailtumbleError: it answers otherwise than with 200; with ``missing`` where that is 404.
        RetryableError: it does not answer.
    """
    # Not urllib: a proxy in the environment has no business between two local processes.
    connection = HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, HTTPException) as error:
        raise RetryableError(
            f"the local SES at {url} does not answer ({type(error).__name__}: {error}): "
            "see mailtumble local status"
        ) from error
    finally:
        connection.close()
    if answer.status == HTTPStatus.NOT_FOUND and missing:
        raise MailtumbleError(missing)
    if answer.status != HTTPStatus.OK:
        raise MailtumbleError(f"the local SES at {url} answers {answer.status} to GET {path}")
    return body


def _list(entries: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(entries)
        return
    rows = [
        (
            str(entry["accepted_at"])[:19].replace("T", " "),
            entry["message_id"],
            entry["from"],
            ", ".join(entry["to"]),
            entry["subject"],
        )
        for entry in entries
    ]
    if rows:
        print_table(("ACCEPTED", "ID", "FROM", "TO", "SUBJECT"), rows)
    else:
        print_hint("The local SES has sent nothing yet; what waits: mailtumble queue status")


def _show(entry: dict[str, Any]) -> None:
    print_line(f"{entry['message_id']}: {entry['size_bytes']} bytes")
    print_line(f"accepted at {entry['accepted_at']}")
    print_line(f"from {entry['from']} to {', '.join(entry['to'])}")
    for name, value in sorted(entry["tags"].items()):
        print_line(f"{name}: {value}")
    click.echo()
    click.echo(printable_lines(entry["headers"]).rstrip())
