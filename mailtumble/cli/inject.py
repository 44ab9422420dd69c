"""``mailtumble local inject``: raw mails into the local SES's bucket and topic, past SMTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mailtumble.aws.errors import Calling
from mailtumble.cli import state
from mailtumble.cli.output import print_json, print_line
from mailtumble.cli.state import state_option
from mailtumble.definition import load_definition
from mailtumble.local.ses.receive import Receiver
from mailtumble.local.ses.rules import ReceiptRule
from schemas.errors import BadInput
from schemas.ids import mail_id

NULL_SENDERS = ("", "<>")
"""A bounce has no sender (RFC 5321, section 4.5.5)."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
)
@click.option("--from", "sender", required=True, metavar="ADDR", help="Envelope sender; '': none.")
@click.option(
    "--to", "recipients", required=True, multiple=True, metavar="ADDR", help="May be repeated."
)
@click.option("--json", "as_json", is_flag=True, help="An array of {file, ses_message_id, mails}.")
@state_option
def inject(
    files: tuple[Path, ...],
    *,
    sender: str,
    recipients: tuple[str, ...],
    as_json: bool,
    state_dir: Path | None,
    debug: bool,
) -> None:
    """Receive raw mails as SES would, byte for byte, without SMTP. FILE may be -.

    Each recipient gets a mail of its own; their ids are printed.

    \b
    Example:  mailtumble local inject hello.eml --from jane@example.com --to info@house.example
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    for address in (*recipients, *((sender,) if sender not in NULL_SENDERS else ())):
        if not all(address.rpartition("@")[::2]) or not address.isprintable():
            raise BadInput(f"{address!r} is no address: give local@domain")
    recipients = tuple(dict.fromkeys(recipients))
    local = state.local_state(state_dir)
    wired = state.wiring(state_dir)
    rule = ReceiptRule(
        name="inject",
        bucket=local.resources["bucket"],
        object_prefix=load_definition().ses.object_prefix,
        topic_arn=local.resources["inbound_topic_arn"],
    )
    receiver = Receiver(
        wired.clients.s3,
        wired.clients.sns,
        [rule],
    )
    rows: list[dict[str, Any]] = []
    for path in files:
        with click.open_file(path, "rb") as file:
            raw = file.read()
        with Calling(f"receiving {path}"):
            ses_id = receiver.receive(raw, sender, recipients)
        mails = [{"recipient": each, "mail_id": mail_id(ses_id, each)} for each in recipients]
        rows.append({"file": str(path), "ses_message_id": ses_id, "mails": mails})
        if not as_json:
            for mail in mails:
                print_line(f"{mail['mail_id']}  {mail['recipient']}  {path}")
    if as_json:
        print_json(rows)
