"""``mailtumble queue``: what waits, at what rate it leaves, and until when."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from mailtumble.cli import orders, state
from mailtumble.cli.orders import Order, order_options
from mailtumble.cli.output import print_json, print_line
from mailtumble.cli.peak import peak
from mailtumble.cli.state import state_option
from mailtumble.ports.store import Item, ItemStore
from mailtumble.sender.application import GENERATION, NAME
from mailtumble.sender.quota import KnownQuota, aimed_rate_milli, known_quota
from mailtumble.sender.standing import Standing
from mailtumble.sender.stops import ITEM as STOPS
from mailtumble.sender.stops import read_stops
from mailtumble.story import duration
from mailtumble.wiring import Wiring
from mailtumble.worker.horizon import number
from processors.fleet.decider import AT, EVERYBODY, whose_sending
from processors.sending.pacing import RATE_UNIT, slice_number
from schemas.errors import BadInput
from schemas.ids import BUCKETS, FLEET_SUBJECT
from schemas.values import SECOND_US, Command, TimerKind

F = TypeVar("F", bound=Callable[..., Any])

THREADS: Final = 16


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Look at the sender's queue; stop it, and let it go on."""


@command.command("status")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="{waiting, due, claimed, rate_per_second, quota, eta_seconds, stopped, paused,"
    " drained};"
    " null: not known.",
)
@state_option
def status(*, as_json: bool, state_dir: Path | None, debug: bool) -> None:
    """Tell how much waits, how fast it leaves, and when the last one that is due will have left.

    One target of one mail counts as one. What is claimed is on its way to SES, or was within the
    last seconds: a claim is kept until its deadline, whatever came of it.

    \b
    Example:  mailtumble queue status --json
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    found = queue_status(state.wiring(state_dir))
    if as_json:
        print_json(found)
    else:
        print_line(_told(found))


def scope_options(function: F) -> F:
    """Add ``--tenant`` and ``--domain``."""
    function = click.option("--domain", help="Only what goes to addresses of this domain.")(
        function
    )
    return click.option(
        "--tenant", help="Only what belongs to this tenant; without either, the whole fleet."
    )(function)


@command.command("pause")
@scope_options
@order_options
@state_option
def pause(**given: Any) -> None:  # noqa: ANN401
    """Let nothing more leave. Calls under way end within seconds; mail is taken in all the same.

    \b
    Example:  mailtumble queue pause --why "wrong text in the newsletter"
              mailtumble queue pause --tenant house
              mailtumble queue pause --domain example.com --why "their servers are down"
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    _order(Command.PAUSE, **given)


@command.command("drain")
@scope_options
@order_options
@state_option
def drain(**given: Any) -> None:  # noqa: ANN401
    """Let what has come in leave, and hold what comes in from now on, until it is resumed.

    Once `mailtumble queue status` tells that nothing is due, nothing of it is on its way.

    \b
    Example:  mailtumble queue drain --why "we move to another region"
              mailtumble queue drain --tenant house
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    _order(Command.DRAIN, **given)


@command.command("resume")
@scope_options
@order_options
@state_option
def resume(**given: Any) -> None:  # noqa: ANN401
    """Let mail leave again that was paused or drained, by the same --tenant or --domain.

    \b
    Example:  mailtumble queue resume
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    _order(Command.RESUME, **given)


command.add_command(peak)


def _order(
    what: Command,
    *,
    tenant: str | None,
    domain: str | None,
    by: str | None,
    why: str,
    state_dir: Path | None,
    debug: bool,
) -> None:
    del debug
    scope = _scope(tenant, domain)
    wired = state.wiring(state_dir)
    order = Order(
        name=domain or tenant or "fleet",
        subject=FLEET_SUBJECT,
        command=what,
        at=wired.clock.now() if what is Command.DRAIN else 0,
        detail=scope,
    )
    orders.tell(orders.give(wired, [order], by, why), as_json=False)


def _scope(tenant: str | None, domain: str | None) -> str:
    """What is paused, as the log names it."""
    if tenant is not None and domain is not None:
        raise BadInput("--tenant and --domain: give one of them")
    for option, given in (("--tenant", tenant), ("--domain", domain)):
        if given is not None and not given.strip(AT):
            # A variable in somebody's script that was not set.
            raise BadInput(f"{option} is empty: leave it out for the whole fleet")
    if tenant is not None and tenant.startswith(AT):
        raise BadInput(f"--tenant {tenant}: no tenant begins with @; a domain is given by --domain")
    return AT + domain.removeprefix(AT).lower() if domain else tenant or EVERYBODY


def queue_status(wired: Wiring) -> dict[str, Any]:
    """What waits in all buckets, the rate of the slice of now, and the account's quota."""
    store = wired.store()
    waiting = _in_buckets(store, "queue", str)
    timers = _in_buckets(store, "timers", lambda bucket: f"{NAME}#{GENERATION}#{bucket}")
    now = wired.clock.now()
    due = sum(1 for item in waiting if number(item, "due_at") <= now)
    quota = known_quota(store)
    key: dict[str, str | int] = {"account": wired.settings.region, "slice": slice_number(now)}
    rate_milli = _rate_milli(store.get("slices", key), quota, wired.settings.rate_fraction)
    standing = Standing(store, wired.settings.generation, wired.settings.address_key)
    standing.poll()
    paused = standing.paused
    stops = store.get("fleet", STOPS)
    eta_s = None if due else 0
    if due and rate_milli:
        eta_s = round(due * RATE_UNIT / rate_milli)
    return {
        "waiting": len(waiting),
        "due": due,
        "claimed": sum(1 for item in timers if item["kind"] == TimerKind.CLAIM),
        "rate_per_second": None if rate_milli is None else rate_milli / RATE_UNIT,
        "quota": {
            "max_send_rate": quota.max_send_rate_milli / RATE_UNIT if quota else None,
            "max_24h": quota.max_24h if quota else None,
            "sent_24h": quota.sent_24h if quota else None,
        },
        "eta_seconds": eta_s,
        "stopped": {scope: each.why for scope, each in read_stops(stops).items()},
        "paused": {scope: each.told for scope, each in paused.items() if not each.drains},
        "drained": {scope: each.told for scope, each in paused.items() if each.drains},
    }


def _in_buckets(store: ItemStore, table: str, partition: Callable[[str], str]) -> list[Item]:
    """The items of all buckets, several buckets at a time."""
    names = [partition(f"{bucket:03d}") for bucket in range(BUCKETS)]
    with ThreadPoolExecutor(THREADS) as threads:
        pages = threads.map(lambda name: store.query(table, name).items, names)
        return [item for page in pages for item in page]


def _rate_milli(current: Item | None, quota: KnownQuota | None, fraction: float) -> int | None:
    """The rate of the slice under way; where none was begun, the one it would be begun with."""
    if current is not None:
        return number(current, "rate_milli")
    return None if quota is None else aimed_rate_milli(quota, fraction)


def _told(found: dict[str, Any]) -> str:
    waiting, due, rate, eta_s = (
        found[name] for name in ("waiting", "due", "rate_per_second", "eta_seconds")
    )
    if rate is None:
        pace = "SES's quota is not known yet"
    elif not rate:
        pace = "SES does not let this account send"
    else:
        pace = f"{rate:g} may leave a second"
    if not waiting:
        told = f"Nothing waits; {pace}."
    else:
        end = f", the last of them in {duration(eta_s * SECOND_US)}" if eta_s else ""
        told = f"{waiting} {'wait' if waiting > 1 else 'waits'}, {due} due now; {pace}{end}."
    for scope, why in found["stopped"].items():
        whose = f"from {scope}" if scope else "of the whole account"
        told += f" SES lets nothing out: sending {whose} is stopped ({why})."
    for how in ("paused", "drained"):
        for scope, why in found[how].items():
            told += f" {_capital(whose_sending(scope))} is {how}, by {why}."
    if found["quota"]["max_24h"] is not None:
        most = found["quota"]["max_24h"]
        limit = f"of {most}" if most >= 0 else "(without a limit)"
        told += f" In the last 24 hours {found['quota']['sent_24h']} {limit} were sent."
    return told


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
