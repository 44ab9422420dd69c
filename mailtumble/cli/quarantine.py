"""``mailtumble quarantine``: what could not be processed: listed, looked at, driven again."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from mailtumble.cli import state
from mailtumble.cli.output import (
    print_hint,
    print_json,
    print_line,
    print_table,
    printable,
    printable_lines,
)
from mailtumble.cli.state import state_option
from mailtumble.intake.notification import SOURCE
from mailtumble.ports.store import ItemStore
from mailtumble.ports.stream import OutgoingRecord
from mailtumble.wiring import Wiring, owner_name
from mailtumble.worker.application import Fact
from mailtumble.worker.records import outgoing
from schemas.errors import BadInput, MailtumbleError
from schemas.events import RecordRedriven
from schemas.ids import derive

Kept = dict[str, Any]
"""An item of the table quarantine, under ``id`` without its generation."""

FIELDS: Final = ("id", "quarantined_at", "application", "subject", "reason", "state")
PREFIX_MIN: Final = 4
SHOWN_BYTES_MAX: Final = 64 * 1024
DECIDER: Final = "operator"
"""Who says that a record was redriven: a person, by this command."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Look at what could not be processed, and drive it again once the cause is mended.

    Nothing is skipped in silence: the bytes are kept in S3, and the mail is parked.
    """


@command.command("list")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="An array of {id, quarantined_at, application, subject, reason, state}.",
)
@state_option
def list_quarantine(*, as_json: bool, state_dir: Path | None, debug: bool) -> None:
    """List quarantined records, the newest first. State: open, or redriven.

    \b
    Example:  mailtumble quarantine list
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    wired = state.wiring(state_dir)
    items = _items(wired.store(), wired.settings.generation)
    rows = [{name: item.get(name) for name in FIELDS} for item in items]
    if as_json:
        print_json(rows)
    elif rows:
        headings = ("ID", "STATE", "SINCE", "BY", "SUBJECT", "REASON")
        columns = ("id", "state", "quarantined_at", "application", "subject", "reason")
        print_table(headings, [[_shown(row, name) for name in columns] for row in rows])
    else:
        print_hint("Nothing is in quarantine.")


@command.command("show")
@click.argument("quarantine_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="The item's fields, size_bytes and text.")
@state_option
def show(quarantine_id: str, *, as_json: bool, state_dir: Path | None, debug: bool) -> None:
    """Tell why a record is in quarantine, and show its bytes as text.

    \b
    Example:  mailtumble quarantine show 3f2a
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    wired = state.wiring(state_dir)
    items = _items(wired.store(), wired.settings.generation)
    item = chosen(items, quarantine_id)
    data = _bytes(wired, item)
    text = data[:SHOWN_BYTES_MAX].decode("utf-8", "backslashreplace")
    if as_json:
        fields = {name: value for name, value in item.items() if name != "quarantine_id"}
        print_json({**fields, "size_bytes": len(data), "text": text})
        return
    print_line(f"{item['id']} ({item['state']}), by {item['application']}")
    print_line(f"since {item['quarantined_at']}, about {item['subject']}")
    print_line(f"because {item['reason']}")
    print_line(f"{len(data)} bytes, in s3://{item['bucket']}/{item['object_key']}:")
    click.echo()
    click.echo(printable_lines(text))
    if len(data) > SHOWN_BYTES_MAX:
        print_hint(f"(the first {SHOWN_BYTES_MAX} of {len(data)} bytes)")


@command.command("redrive")
@click.argument("quarantine_ids", metavar="ID...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that is open.")
@state_option
def redrive(
    quarantine_ids: tuple[str, ...], *, everything: bool, state_dir: Path | None, debug: bool
) -> None:
    """Put the bytes of quarantined records back where they came from.

    That is intake's queue, or the stream: there a record is driven for all who put it aside, so
    that core's item and sender's go together. Where the cause is not mended, they come back
    here under new ids. What was processed meanwhile is recognised, and not done twice.

    \b
    Example:  mailtumble quarantine redrive 3f2a 77c0
              mailtumble quarantine redrive --all
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    if everything == bool(quarantine_ids):
        raise BadInput("name the ids to redrive, or give --all: mailtumble quarantine list")
    wired = state.wiring(state_dir)
    items = _items(wired.store(), wired.settings.generation)
    still_open = [item for item in reversed(items) if item.get("state") == "open"]
    # All are found before the first is driven.
    named = [chosen(items, given) for given in quarantine_ids]
    sources = dict.fromkeys(_source(item) for item in (named or still_open))
    for source in sources:
        same = [item for item in (*named, *still_open) if _source(item) == source]
        told = list({str(item["id"]): item for item in same}.values())
        _redrive(wired, told)
        place = "intake's queue" if told[0]["application"] == SOURCE else "the stream"
        for item in told:
            print_line(f"{item['id']} is back on {place}")
    if not sources:
        print_hint("Nothing in quarantine is open.")


def chosen(items: list[Kept], given: str) -> Kept:
    """The item that a person means, by its id or the id's beginning.

    Raises:
        MailtumbleError: nothing in quarantine fits.
        BadInput: several items do.
    """
    fitting = [item for item in items if str(item["id"]).startswith(given)]
    exact = [item for item in fitting if item["id"] == given]
    if not fitting or (len(given) < PREFIX_MIN and not exact):
        raise MailtumbleError(
            f"nothing in quarantine has the id {given!r}: mailtumble quarantine list shows the "
            f"ids; {PREFIX_MIN} or more first characters are enough"
        )
    if len(fitting) > 1 and not exact:
        raise BadInput(f"{given} may be any of {len(fitting)} records: give more of the id")
    return (exact or fitting)[0]


def _items(store: ItemStore, generation: str) -> list[Kept]:
    """One generation's items, the newest first."""
    own = f"{generation}#"
    found: list[Kept] = [
        {**item, "id": str(item["quarantine_id"]).removeprefix(own)}
        for item in store.scan("quarantine")
        if str(item["quarantine_id"]).startswith(own)
    ]
    found.sort(key=lambda item: (str(item.get("quarantined_at", "")), str(item["id"])))
    return found[::-1]


def _shown(row: Kept, name: str) -> object:
    value = row[name]
    return str(value)[:19].replace("T", " ") if name == "quarantined_at" and value else value


def _bytes(wired: Wiring, item: Kept) -> bytes:
    return wired.objects().get(str(item["bucket"]), str(item["object_key"]))


def _source(item: Kept) -> tuple[str, str]:
    """The record, whoever put it aside: what core and sender can't read is one on the stream."""
    return str(item["shard_id"]), str(item["sequence_number"])


def _redrive(wired: Wiring, same: list[Kept]) -> None:
    """Put one record back, once for all who put it aside: they will all read it again.

    First the bytes, then the word of it: a crash in between leaves the items open.
    """
    item, stream = same[0], wired.stream()
    data = _bytes(wired, item)
    if item["application"] == SOURCE:
        try:
            body = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadInput(
                f"{item['id']}: its bytes are no text that a queue takes: {error}"
            ) from error
        wired.queue().send([body])
    else:
        stream.append([OutgoingRecord(str(item["partition_key"]), data)])
    stream.append([_redriven(each, wired.clock.now()) for each in same])


def _redriven(item: Kept, now: int) -> OutgoingRecord:
    name = str(item["id"])
    event = RecordRedriven(quarantined=name, by=printable(owner_name()))
    fact = Fact(derive("redriven", name, str(now)), str(item["subject"]), name, DECIDER, (event,))
    return outgoing(fact, now)
