"""``mailtumble suppression``: addresses that get no mail, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

from mailtumble.cli import orders, state
from mailtumble.cli.checks import checked_address
from mailtumble.cli.orders import Order, order_options
from mailtumble.cli.output import print_hint, print_json, print_table
from mailtumble.cli.state import state_option
from mailtumble.ports.store import Item, ItemStore
from mailtumble.story.words import instant
from mailtumble.wiring import Wiring
from mailtumble.worker.horizon import number
from mailtumble.worker.views import address_key
from schemas.errors import BadInput
from schemas.ids import address_subject
from schemas.values import Command

HEADINGS: Final = ("ADDRESS", "SUPPRESSED", "UNTIL", "BOUNCES", "DETAIL")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Addresses that get no mail: after a bounce for good, a complaint, or by hand.

    What was stopped by mistake is sent after all by mailtumble mail retry, once the address is
    released.
    """


@command.command("list")
@click.option(
    "--json", "as_json", is_flag=True, help="An array of {address, reason, detail, until, bounces}."
)
@state_option
def list_addresses(*, as_json: bool, state_dir: Path | None, debug: bool) -> None:
    """List addresses with bounces on record. Without a reason, one is sent to.

    \b
    Example:  mailtumble suppression list
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    wired = state.wiring(state_dir)
    rows = addresses(wired.store(), wired.settings.generation, wired.clock.now())
    if as_json:
        print_json(rows)
    elif rows:
        print_table(HEADINGS, [_cells(row) for row in rows])
    else:
        print_hint("No address has a bounce or a complaint on record.")


@command.command("add")
@click.argument("address")
@click.option("--until", metavar="TIME", help="2026-12-24T18:00Z or +90m; for ever if not told.")
@order_options
@state_option
def add(
    address: str,
    *,
    until: str | None,
    by: str | None,
    why: str,
    state_dir: Path | None,
    debug: bool,
) -> None:
    """Send nothing more to an address. One that is suppressed until a time may get another.

    \b
    Example:  mailtumble suppression add joe@example.com --why "asked us to stop"
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    address = checked_address(address)
    wired = state.wiring(state_dir)
    now = wired.clock.now()
    at = 0 if until is None else orders.moment(until, now)
    if until is not None and at <= now:
        raise BadInput(f"--until {until} is over already: leave it out to suppress for ever")
    _order(wired, address, Command.SUPPRESS, at, by, why)


@command.command("remove")
@click.argument("address")
@order_options
@state_option
def remove(address: str, *, by: str | None, why: str, state_dir: Path | None, debug: bool) -> None:
    """Send to an address again, and forget its bounces.

    \b
    Example:  mailtumble suppression remove joe@example.com
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    _order(state.wiring(state_dir), address, Command.RELEASE, 0, by, why)


def _order(wired: Wiring, address: str, what: Command, at: int, by: str | None, why: str) -> None:
    if not all(address.rpartition("@")[::2]):
        raise BadInput(f"{address!r} is no address: give local@domain")
    subject = address_subject(address, wired.settings.address_key)
    order = Order(name=address, subject=subject, command=what, at=at, detail=address)
    orders.carry_out(wired, [order], by, why)


def addresses(store: ItemStore, generation: str, now: int) -> list[dict[str, Any]]:
    """The addresses with something on record, by name; ``now`` in microseconds UTC."""
    own = address_key(generation, "")
    items = store.scan("addresses")
    rows = [_row(item, now) for item in items if str(item["address_key"]).startswith(own)]
    return sorted(rows, key=lambda row: str(row["address"]))


def _row(item: Item, now: int) -> dict[str, Any]:
    until = number(item, "until")
    # A suppression that has run out is not taken off the record: the sender looks at the time.
    over = until != 0 and until <= now
    return {
        "address": item["address"],
        "reason": None if over else item["reason"],
        "detail": item["detail"],
        "until": instant(until) if until else None,
        "bounces": item["bounces"],
    }


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    until = str(row["until"])[:16].replace("T", " ") if row["until"] else None
    return row["address"], row["reason"], until, row["bounces"], row["detail"]
