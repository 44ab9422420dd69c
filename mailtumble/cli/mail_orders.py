"""``mailtumble mail send-at|send-now|retry|expire|cancel``: what a person wants of mails."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from mailtumble.cli import orders, state
from mailtumble.cli.orders import Choice, Order, order_options
from mailtumble.cli.output import print_line
from mailtumble.cli.state import state_option
from mailtumble.history import find_mail_id
from mailtumble.holds import holds
from mailtumble.outlook import Outlook
from mailtumble.story.words import in_brackets
from mailtumble.wiring import Wiring
from mailtumble.worker.views import mail_key
from schemas.errors import BadInput
from schemas.ids import mail_subject
from schemas.values import Command, Status

HEADINGS: Final[tuple[str, ...]] = ("MAIL", "STATUS", "FROM", "TO", "SUBJECT")
CELLS: Final = ("mail_id", "status", "envelope_sender", "recipient", "subject")
UNROUTED: Final = {
    Status.UNROUTABLE: "nobody knows the alias",
    Status.EXPIRED: "its alias could not be looked up in time",
    Status.PARKED: "a record of it is in quarantine",
}
"""Why a mail without targets has ended that nobody refused."""


@click.command("send-at")
@click.argument("mail_id", metavar="ID")
@click.argument("time")
@order_options
@state_option
def send_at(
    mail_id: str, time: str, *, by: str | None, why: str, state_dir: Path | None, debug: bool
) -> None:
    """Send a mail that waits at a time, whatever its alias's schedule says.

    TIME is as 2026-12-24T18:00Z (UTC where no zone is told), or as +90m, +2h, +1d from now on.

    \b
    Example:  mailtumble mail send-at 3f2a 2026-12-24T18:00+01:00
              mailtumble mail send-at 3f2a +90m
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    wired = state.wiring(state_dir)
    at = orders.moment(time, orders.aws_time(wired))
    _give(wired, _found(wired, mail_id), Command.SEND_AT, by, why, at=at)


@click.command("send-now")
@click.argument("mail_id", metavar="ID")
@order_options
@state_option
def send_now(
    mail_id: str, *, by: str | None, why: str, state_dir: Path | None, debug: bool
) -> None:
    """Send a mail that waits at once (at the pace that SES allows).

    What holds it all the same (a moderator, a pause, a stop of SES, a used-up day) is told.

    \b
    Example:  mailtumble mail send-now 3f2a
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    wired = state.wiring(state_dir)
    found = _found(wired, mail_id)
    _give(wired, found, Command.SEND_NOW, by, why)
    for reason in _held_by(wired, found):
        print_line(f"but {reason}")


_choosing = orders.bulk_options(
    click.option(
        "--status", type=click.Choice([str(each) for each in Status]), help="All that stand so."
    )
)


@click.command("retry")
@_choosing
def retry(**options: Any) -> None:  # noqa: ANN401 - click gives them by name
    """Send again what has ended otherwise than well, or look it up again.

    With --status only the targets that stand so are sent to again, and what a moderator, a rule or
    an operator refused is left out: such a mail is tried again only where it is named by its id.

    \b
    Example:  mailtumble mail retry 3f2a
              mailtumble mail retry --status parked --preview
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    _order(Command.RETRY, Choice(**options))


@click.command("expire")
@_choosing
def expire(**options: Any) -> None:  # noqa: ANN401 - click gives them by name
    """End what is open of mails, as expired.

    \b
    Example:  mailtumble mail expire 3f2a --why "too late now"
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    _order(Command.EXPIRE, Choice(**options))


@click.command("cancel")
@_choosing
def cancel(**options: Any) -> None:  # noqa: ANN401 - click gives them by name
    """End what is open of mails, as rejected.

    \b
    Example:  mailtumble mail cancel 3f2a
              mailtumble mail cancel --status scheduled --sender "*@spam.example" --yes
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    _order(Command.CANCEL, Choice(**options))


def _order(what: Command, choice: Choice) -> None:
    narrowed = choice.sender is not None or choice.recipient is not None
    if (choice.status is not None) == bool(choice.mail_ids) or (choice.mail_ids and narrowed):
        raise BadInput(
            "name mails by their ids, or choose them by --status, narrowed by --sender and "
            "--recipient"
        )
    wired = state.wiring(choice.state_dir)
    if choice.mail_ids:
        rows = [_named(wired, each) for each in choice.mail_ids]
    else:
        rows = [
            item for item in _mails(wired) if item["status"] == choice.status and choice.fits(item)
        ]
    headings, cells = HEADINGS, [[row.get(name) for name in CELLS] for row in rows]
    left_out: dict[str, str] = {}
    if what is Command.RETRY:
        if choice.status is not None:
            left_out = {str(row["mail_id"]): why for row in rows if (why := _refusal(row))}
            rows = [row for row in rows if row["mail_id"] not in left_out]
        headings = (*HEADINGS[:2], "REASON", *HEADINGS[2:])
        cells = [_with_reason(row) for row in rows]
    if orders.confirm(headings, cells, what, choice, left_out):
        given = [
            Order(
                name=each,
                subject=mail_subject(each),
                command=what,
                detail=choice.status or "" if what is Command.RETRY else "",
            )
            for each in dict.fromkeys(str(row["mail_id"]) for row in rows)
        ]
        orders.carry_out(
            wired, given, choice.by, choice.why, as_json=choice.as_json, left_out=left_out
        )


def _with_reason(row: dict[str, Any]) -> list[object]:
    """A mail's cells, with why it ended behind its status."""
    cells = [row.get(name) for name in CELLS]
    return [*cells[:2], _reason(row) or None, *cells[2:]]


def _reason(row: dict[str, Any]) -> str:
    """Why a mail stands as it does, by its least finished targets."""
    targets = _standing(row)
    whys = "; ".join(dict.fromkeys(str(each["reason"]) for each in targets if each["reason"]))
    refused = row.get("refused")
    if refused:
        return f"{refused}{in_brackets(whys)}"
    return whys if row.get("targets") else UNROUTED.get(row.get("status", ""), "")


def _refusal(row: dict[str, Any]) -> str:
    """Who did not want a mail sent, where that goes for all that stands as the mail does; or ""."""
    targets = _standing(row)
    if row.get("refused"):
        return str(row["refused"])
    called_off = bool(targets) and all(each.get("called_off") for each in targets)
    return f"called off ({_reason(row)})" if called_off else ""


def _standing(row: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in row.get("targets") or () if each["status"] == row.get("status")]


def _held_by(wired: Wiring, mail_id: str) -> list[str]:
    """What holds a mail that was to be sent now all the same, in words."""
    key = {"mail_key": mail_key(wired.settings.generation, mail_id)}
    item = wired.store().get("mails", key) or {}
    if item.get("status") == Status.HELD:
        return [f"it is held for a moderator, by the rule {item.get('held_rule')}"]
    outlook = Outlook(wired)
    entries = [each for each in outlook.entries if each.mail_id == mail_id]
    return list(dict.fromkeys(each.told for entry in entries for each in holds(outlook, entry)))


def _mails(wired: Wiring) -> list[dict[str, Any]]:
    own = mail_key(wired.settings.generation, "")
    items = wired.store().scan("mails")
    return [dict(item) for item in items if str(item["mail_key"]).startswith(own)]


def _named(wired: Wiring, given: str) -> dict[str, Any]:
    found = _found(wired, given)
    key = {"mail_key": mail_key(wired.settings.generation, found)}
    return {**(wired.store().get("mails", key) or {}), "mail_id": found}


def _found(wired: Wiring, mail_id: str) -> str:
    return find_mail_id(wired.store(), wired.settings.generation, mail_id)


def _give(
    wired: Wiring,
    mail_id: str,
    what: Command,
    by: str | None,
    why: str,
    *,
    at: int = 0,
) -> None:
    order = Order(name=mail_id, subject=mail_subject(mail_id), command=what, at=at)
    orders.carry_out(wired, [order], by, why)
