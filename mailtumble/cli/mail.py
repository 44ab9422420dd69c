"""``mailtumble mail``: the mails, where they stand, and what happened to them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from mailtumble.cli import state
from mailtumble.cli.mail_orders import cancel, expire, retry, send_at, send_now
from mailtumble.cli.output import print_hint, print_json, print_line, print_table
from mailtumble.cli.state import state_option
from mailtumble.history import History, Step, find_mail_id, read_history
from mailtumble.holds import Hold, holds
from mailtumble.outlook import Outlook
from mailtumble.ports.store import Item, ItemStore
from mailtumble.story import tell
from mailtumble.wiring import Wiring
from mailtumble.worker.views import iso, mail_key
from processors.kernel import Judgement
from schemas.structure import to_plain
from schemas.values import SECOND_US, Status

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
INDEX: Final = "by_received"
DAYS_BACK_MAX: Final = 8
"""Days that are asked one by one for the newest mails before the whole table is read."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """List and explain messages; retry, reschedule, expire or cancel them."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="An array of all fields, targets included.")
@click.option(
    "--limit", type=click.IntRange(min=1), help="Show only the newest ones, at most this many."
)
@click.option(
    "--status",
    type=click.Choice([str(each) for each in Status]),
    help="Only messages with this status.",
)
@click.option(
    "--day", type=click.DateTime(["%Y-%m-%d"]), help="Only those received on this day (UTC)."
)
@state_option
def list_mails(
    *,
    as_json: bool,
    limit: int | None,
    status: str | None,
    day: datetime | None,
    state_dir: Path | None,
    debug: bool,
) -> None:
    """List mails, the newest first.

    A mail's status is that of its least finished target.

    \b
    Example:  mailtumble mail list --status parked
              mailtumble mail list --day 2026-01-31 --json
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    wired = state.wiring(state_dir)
    shelf = _Shelf(wired.store(), wired.settings.generation, status)
    if day is not None:
        rows = shelf.day(f"{day:%Y-%m-%d}")
    elif limit is not None:
        rows = shelf.newest(limit, wired.clock.now())
    else:
        rows = shelf.all()
    rows = rows[:limit]
    if as_json:
        print_json(rows)
    elif rows:
        headings = ("MAIL", "STATUS", "RECEIVED", "FROM", "TO", "SUBJECT")
        print_table(headings, [_cells(row) for row in rows])
    elif status is not None or day is not None:
        print_hint(
            "No such message. mailtumble mail list shows every message that core has read; "
            "mailtumble queue status shows what core has not read yet."
        )
    else:
        print_hint(
            "No mail yet. A message is listed once core has read it; until then, mailtumble queue "
            "status counts it. To receive a message under mailtumble local: mailtumble local "
            "inject FILE --from you@example.com --to info@house.example"
        )


@command.command("show")
@click.argument("mail_id", metavar="ID")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="{mail_id, status, events: [{sequence_number, type, recorded_at, cause, payload}],"
    " expected: {target: when it leaves},"
    " held: {target: [{how, what, why, since, until}]}}",
)
@click.option(
    "--all", "everything", is_flag=True, help="In JSON, void and repeated records' events too."
)
@state_option
def show(
    mail_id: str, *, as_json: bool, everything: bool, state_dir: Path | None, debug: bool
) -> None:
    """Tell what happened to a mail, from the events on the stream themselves.

    ID may be the beginning of a mail's id (4 characters or more), or an id that SES gave it.
    Between the reads of a shard lies a second, so that the workers are not slowed down.

    Of what waits it tells when it is expected to leave, or what holds it: a pause, a drain, a stop
    of SES, or a day's quota that is used up.

    \b
    Example:  mailtumble mail show 3f2a
              mailtumble mail show 3f2a --json --all
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    wired = state.wiring(state_dir)
    store, generation = wired.store(), wired.settings.generation
    found = find_mail_id(store, generation, mail_id)
    history = read_history(wired.stream(), store, generation, found, wired.clock.sleep)
    expected, held = _expected(wired, history)
    if as_json:
        plain = {target: [each.plain for each in found] for target, found in held.items()}
        shown = _plain(history, everything=everything)
        print_json({**shown, "expected": expected, "held": plain})
        return
    print_line(f"Mail {history.mail_id}: {history.status}")
    for line in tell(history):
        print_line(f"  {line}")
    for index, target in enumerate(history.mail.sending.targets):
        attempts = "1 attempt" if target.number == 1 else f"{target.number} attempts"
        at = expected.get(str(index))
        leaves = f", expected to leave at {at[:19].replace('T', ' ')} UTC" if at else ""
        print_line(f"{target.address}: {target.status} ({attempts}){leaves}")
        for each in held.get(str(index), ()):
            print_line(f"  held: {each.told}")


def _expected(
    wired: Wiring, history: History
) -> tuple[dict[str, str | None], dict[str, list[Hold]]]:
    """When the targets that wait are expected to leave, by their numbers; null: nobody can say.

    And what holds those that are held. The whole queue is read for it; for a mail of which nothing
    waits, none of it.
    """
    waits = {Status.SCHEDULED, Status.DEFERRED}
    if not any(target.status in waits for target in history.mail.sending.targets):
        return {}, {}
    outlook = Outlook(wired)
    found: dict[str, str | None] = {}
    held: dict[str, list[Hold]] = {}
    for entry in outlook.entries:
        if entry.mail_id == history.mail_id:
            at = outlook.leaves_at(entry)
            found[str(entry.target)] = None if at is None else iso(at)
            reasons = holds(outlook, entry)
            if reasons:
                held[str(entry.target)] = reasons
    return found, held


class _Shelf:
    """The items of one generation's mails, as rows."""

    def __init__(self, store: ItemStore, generation: str, status: str | None) -> None:
        self._store = store
        self._generation = generation
        self._status = status

    def day(self, day: str) -> list[dict[str, Any]]:
        """Those received on a day, the newest first."""
        partition = f"{self._generation}#{day}"
        return self._rows(self._store.query("mails", partition, index=INDEX).items)

    def newest(self, limit: int, now: int) -> list[dict[str, Any]]:
        """The newest so many: day by day, while that is less work than reading everything."""
        found: list[dict[str, Any]] = []
        # SES's clock may be a day ahead of this machine's, about midnight.
        start = datetime.fromtimestamp(now // SECOND_US, UTC) + timedelta(days=1)
        for back in range(DAYS_BACK_MAX):
            found += self.day(f"{start - timedelta(days=back):%Y-%m-%d}")
            if len(found) >= limit:
                return found
        return self.all()

    def all(self) -> list[dict[str, Any]]:
        """All of them, the newest first."""
        own = mail_key(self._generation, "")
        items = self._store.scan("mails")
        return self._rows([item for item in items if str(item["mail_key"]).startswith(own)])

    def _rows(self, items: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - a sequence of items
        own = mail_key(self._generation, "")
        rows = [_row(item, str(item["mail_key"]).removeprefix(own)) for item in items]
        rows.sort(key=lambda row: (row["received_at"] or "", row["mail_id"]), reverse=True)
        return [row for row in rows if self._status in (None, row["status"])]


def _row(item: Item, mail_id: str) -> dict[str, Any]:
    return {**{name: item.get(name) for name in FIELDS}, "mail_id": mail_id}


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    received_at = str(row["received_at"] or "-")[:19].replace("T", " ")
    sender = row["envelope_sender"] or "<>"
    return row["mail_id"], row["status"], received_at, sender, row["recipient"], row["subject"]


def _plain(history: History, *, everything: bool) -> dict[str, Any]:
    events: list[dict[str, Any]] = []
    for step in history.steps:
        if everything:
            worth = step.judgement.value if step.judgement else "quarantined"
            events.extend({**event, "judgement": worth} for event in _events(step))
        elif step.judgement is Judgement.ACCEPTED:
            events.extend(_events(step))
    return {"mail_id": history.mail_id, "status": str(history.status), "events": events}


def _events(step: Step) -> list[dict[str, Any]]:
    place = {"sequence_number": step.sequence_number}
    at = {"recorded_at": iso(step.at)}
    if step.record is None:
        why = {"reason": step.problem}
        return [{**place, "type": None, **at, "cause": None, "payload": why}]
    cause = {"cause": step.record.cause}
    return [
        {**place, "type": type(event).__name__, **at, **cause, "payload": to_plain(event)}
        for event in step.record.events
    ]


for each_order in (send_at, send_now, retry, expire, cancel):
    command.add_command(each_order)
