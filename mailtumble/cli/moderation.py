"""``mailtumble moderation``: held mail: listed, read, approved, rejected."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from mailtumble.cli import orders, state
from mailtumble.cli.mail_text import as_text
from mailtumble.cli.orders import Choice, Order
from mailtumble.cli.output import print_hint, print_json, print_table, printable_lines
from mailtumble.cli.state import state_option
from mailtumble.history import find_mail_id
from mailtumble.ports.store import ItemStore
from mailtumble.wiring import Wiring
from mailtumble.worker.views import mail_key
from schemas.errors import BadInput, MailtumbleError
from schemas.ids import mail_subject
from schemas.values import Command

INDEX: Final = "by_held"
FIELDS: Final = (
    "mail_id",
    "held_rule",
    "held_reason",
    "held_until",
    "received_at",
    "envelope_sender",
    "recipient",
    "subject",
    "size_bytes",
)
HEADINGS: Final = ("MAIL", "RULE", "UNTIL", "FROM", "TO", "SUBJECT")

Held = dict[str, Any]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Decide about held mail. The first decision counts; a later one is refused.

    Mail is held by the rules in the file that MAILTUMBLE_MODERATION_RULES names, where its alias
    is moderated, and by the breaker, where too much of the alias's or the sender's mail came back.
    """


@command.command("list")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="An array of {mail_id, held_rule, held_reason, held_until, received_at, ...}.",
)
@state_option
def list_held(*, as_json: bool, state_dir: Path | None, debug: bool) -> None:
    """List held mail, the one whose time ends first on top.

    \b
    Example:  mailtumble moderation list
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    wired = state.wiring(state_dir)
    rows = held_mails(wired.store(), wired.settings.generation)
    if as_json:
        print_json(rows)
    elif rows:
        print_table(HEADINGS, [_cells(row) for row in rows])
    else:
        print_hint(
            "No mail is held. What core has not read yet is undecided: mailtumble queue status."
        )


@command.command("show")
@click.argument("mail_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="{mail_id, status, text}.")
@state_option
def show(mail_id: str, *, as_json: bool, state_dir: Path | None, debug: bool) -> None:
    """Read a mail as plain text: nothing in it is run, fetched or shown as more than text.

    \b
    Example:  mailtumble moderation show 3f2a
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    wired = state.wiring(state_dir)
    found = find_mail_id(wired.store(), wired.settings.generation, mail_id)
    item = wired.store().get("mails", {"mail_key": mail_key(wired.settings.generation, found)})
    place = item and item.get("object_key")
    if not item or not place:
        raise MailtumbleError(f"where the bytes of mail {found} lie is not known")
    text = as_text(wired.objects().get(str(item["bucket"]), str(place)))
    if as_json:
        print_json({"mail_id": found, "status": item["status"], "text": text})
    else:
        click.echo(printable_lines(text))


_choosing = orders.bulk_options(
    click.option("--all", "everything", is_flag=True, help="All held mail."),
    click.option("--rule", metavar="NAME", help="All that this rule holds."),
)


@command.command("approve")
@_choosing
def approve(**options: Any) -> None:  # noqa: ANN401 - click gives them by name
    """Let held mail go.

    \b
    Example:  mailtumble moderation approve 3f2a --why "a customer"
              mailtumble moderation approve --rule newsletter --preview
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    _decide(Command.APPROVE, Choice(**options))


@command.command("reject")
@_choosing
def reject(**options: Any) -> None:  # noqa: ANN401 - click gives them by name
    """Don't send held mail on.

    \b
    Example:  mailtumble moderation reject 3f2a --why spam
              mailtumble moderation reject --sender "*@spam.example" --yes
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    _decide(Command.REJECT, Choice(**options))


def _decide(what: Command, choice: Choice) -> None:
    by_pattern = choice.sender is not None or choice.recipient is not None
    chosen = choice.everything or choice.rule is not None or by_pattern
    if chosen == bool(choice.mail_ids):
        raise BadInput("name mails by their ids, or choose by --all, --rule, --sender, --recipient")
    wired = state.wiring(choice.state_dir)
    store, generation = wired.store(), wired.settings.generation
    if choice.mail_ids:
        rows = [_named(store, generation, each) for each in choice.mail_ids]
    else:
        rows = [
            row
            for row in held_mails(store, generation)
            if choice.rule in (None, row["held_rule"]) and choice.fits(row)
        ]
    if orders.confirm(HEADINGS, [_cells(row) for row in rows], what, choice):
        found = [str(row["mail_id"]) for row in rows]
        given = _orders(found, what)
        orders.carry_out(wired, given, choice.by, choice.why, as_json=choice.as_json)


def decide(
    wired: Wiring, mail_ids: Sequence[str], what: Command, by: str | None, why: str
) -> list[orders.Answer]:
    """Approve or reject these mails; what became of each."""
    return orders.give(wired, _orders(mail_ids, what), by, why)


def _orders(mail_ids: Sequence[str], what: Command) -> list[Order]:
    return [
        Order(name=each, subject=mail_subject(each), command=what)
        for each in dict.fromkeys(mail_ids)
    ]


def held_mails(store: ItemStore, generation: str) -> list[Held]:
    """Held mail as rows, the one whose time ends first on top."""
    items = store.query("mails", generation, index=INDEX).items
    return [{name: item.get(name) for name in FIELDS} for item in items]


def _named(store: ItemStore, generation: str, given: str) -> Held:
    """The mail that a person means, held or not."""
    found = find_mail_id(store, generation, given)
    item = store.get("mails", {"mail_key": mail_key(generation, found)}) or {}
    return {**{name: item.get(name) for name in FIELDS}, "mail_id": found}


def _cells(row: Held) -> tuple[object, ...]:
    until = str(row["held_until"] or "-")[:16].replace("T", " ")
    sender = row["envelope_sender"] or "<>"
    return row["mail_id"], row["held_rule"], until, sender, row["recipient"], row["subject"]
