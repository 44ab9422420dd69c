"""``mailtumble queue``: what waits, at what rate it leaves, and until when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from mailtumble.cli import orders, state
from mailtumble.cli.checks import checked_domain
from mailtumble.cli.orders import Order, order_options
from mailtumble.cli.output import print_hint, print_json, print_line, print_table, printable
from mailtumble.cli.peak import peak
from mailtumble.cli.state import state_option
from mailtumble.day import Day
from mailtumble.drains import Left, UnderWay, left
from mailtumble.holds import of_day, of_pause, of_stop
from mailtumble.outlook import Outlook, in_buckets
from mailtumble.sender.entry import read_entry
from mailtumble.sender.quota import known_quota
from mailtumble.sender.standing import Standing, scopes
from mailtumble.sender.stops import ITEM as STOPS
from mailtumble.sender.stops import read_stops
from mailtumble.story import duration, listed
from mailtumble.wiring import Wiring
from mailtumble.worker.views import iso, paused_at_key
from processors.fleet.decider import AT, EVERYBODY, whose_sending
from processors.sending import stops
from processors.sending.lanes import domain_of
from processors.sending.pacing import RATE_UNIT
from schemas.errors import BadInput, MailtumbleError
from schemas.ids import FLEET_SUBJECT
from schemas.values import SECOND_US, Command

F = TypeVar("F", bound=Callable[..., Any])

TENANTS_SHOWN: Final = 10


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Look at the sender's queue; stop it, and let it go on."""


@command.command("status")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="{waiting, due, held, later, claimed, unknown, rate_per_second, quota, eta_seconds,"
    " tenants, stopped, paused, drained, left}; null: not known.",
)
@state_option
def status(*, as_json: bool, state_dir: Path | None, debug: bool) -> None:
    """Tell how much waits, how fast it leaves, and when the last one that is due will have left.

    One target of one mail counts as one. What waits is due now, is due later (a retry, a time
    that was set), or is held: by a pause, a drain, or SES. What is claimed is on its way to SES,
    or was within the last seconds: a claim is kept until its outcome is on the stream, or its
    deadline is over. What is unknown waits for SES's word of whether it has the mail.

    Of each drain it tells what is left: of what had come in before, all that waits, is claimed
    or is unknown. Nothing of it is on its way once nothing is left twice, some seconds apart.
    What a moderator holds, or what is still looked up, joins it only when it is let go.

    \b
    Example:  mailtumble queue status --json
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    found = queue_status(state.wiring(state_dir))
    if as_json:
        print_json(found)
        return
    print_line(_told(found))
    if len(found["tenants"]) > 1:
        rows = sorted(found["tenants"], key=lambda each: (-each["due"], -each["waiting"]))
        print_table(
            ("TENANT", "WAITING", "DUE", "HELD", "LAST IN"),
            [_row(each) for each in rows[:TENANTS_SHOWN]],
        )
        if len(rows) > TENANTS_SHOWN:
            print_line(f"... and {len(rows) - TENANTS_SHOWN} more: --json has all")


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

    `mailtumble queue status` tells what is left of it: what waits (also for a later time, or for
    another try), is claimed, or is of unknown outcome. Nothing of it is on its way any more once it
    tells so twice, some seconds apart.

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
        at=orders.aws_time(wired) if what is Command.DRAIN else 0,
        detail=scope,
    )
    orders.carry_out(wired, [order], by, why)
    if what is Command.DRAIN:
        print_hint("What is left of it: mailtumble queue status")
    if what is Command.RESUME:
        _tell_what_holds(wired, scope)
    elif scope != EVERYBODY and not _is_known(wired, scope):
        kind = "tenant" if domain is None else "domain"
        name = scope.removeprefix(AT)
        print_hint(
            printable(f"Nothing is known of a {kind} {name}: no alias and no waiting mail has it.")
        )


def _tell_what_holds(wired: Wiring, scope: str) -> None:
    """What was resumed may be held by something else: the fleet's pause, SES, or a day's quota.

    A domain that SES does not let mail go out from holds some of the fleet's, and of a tenant's
    perhaps: that is told where all is resumed.
    """
    store, generation = wired.store(), wired.settings.generation
    standing = Standing(store, generation, wired.plan().rules.address_key)
    standing.poll()
    begun = store.get("fleet", paused_at_key(generation)) or {}
    held = [
        of_pause(each, pause, begun)
        for each, pause in standing.paused.items()
        if EVERYBODY in {each, scope}
    ]
    stopped = read_stops(store.get("fleet", STOPS))
    told = [each for each in stopped.values() if scope == EVERYBODY or each.scope == stops.ACCOUNT]
    held += map(of_stop, told)
    day = Day(wired, known_quota(store), wired.clock.now())
    if not day.has_room(urgent=False):
        held.append(of_day(day, urgent=False))
    for each in held:
        print_line(f"but {each.told}")


def _is_known(wired: Wiring, scope: str) -> bool:
    """Whether an alias, or mail that waits, is of this scope; where that can't be asked, it is."""
    try:
        aliases = wired.aliases().list()
    except MailtumbleError:
        return True
    of_aliases = (
        {each.tenant, *(AT + domain_of(target) for target in each.targets)} for each in aliases
    )
    if any(scope in each for each in of_aliases):
        return True
    waiting = in_buckets(wired.store(), "queue", str)
    return any(scope in scopes(read_entry(item).lane) for item in waiting)


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
    return AT + checked_domain(domain) if domain else tenant or EVERYBODY


def queue_status(wired: Wiring) -> dict[str, Any]:
    """What waits in all buckets, by tenant, when it leaves, the rate, and the account's quota."""
    outlook = Outlook(wired)
    under_way = UnderWay(wired.store(), wired.settings.generation)
    quota, rate_milli = outlook.quota, outlook.rate_milli
    now = wired.clock.now()  # when it is told; to read all that took its time
    tenants = [
        {
            "tenant": group.tenant,
            "urgent": group.urgent,
            "waiting": group.waiting,
            "due": group.due,
            "held": group.held,
            "eta_seconds": _eta_s(outlook.last_leaves_at(group), now),
        }
        for group in outlook.groups.values()
    ]
    return {
        "waiting": len(outlook.entries),
        "due": outlook.due,
        "held": outlook.held_count,
        "later": len(outlook.entries) - outlook.due - outlook.held_count,
        "claimed": under_way.claimed,
        "unknown": under_way.unknown,
        "rate_per_second": None if rate_milli is None else rate_milli / RATE_UNIT,
        "quota": {
            "max_send_rate": quota.max_send_rate_milli / RATE_UNIT if quota else None,
            "max_24h": quota.max_24h if quota else None,
            "sent_24h": quota.sent_24h if quota else None,
            "others_per_second": quota.others_milli / RATE_UNIT if quota else None,
            "frees_at": _moment(outlook.frees_at),
        },
        "eta_seconds": _last([each["eta_seconds"] for each in tenants if each["due"]], outlook),
        "tenants": tenants,
        "stopped": {scope: each.why for scope, each in outlook.stops.items()},
        "paused": {scope: p.told for scope, p in outlook.paused.items() if not p.drains},
        "drained": {scope: p.told for scope, p in outlook.paused.items() if p.drains},
        "left": {
            scope: _left(left(outlook, under_way, scope, p))
            for scope, p in outlook.paused.items()
            if p.drains
        },
    }


def _left(found: Left) -> dict[str, Any]:
    return {**asdict(found), "next_due_at": _moment(found.next_due_at)}


def _eta_s(at: int | None, now: int) -> int | None:
    return None if at is None else max(0, round((at - now) / SECOND_US))


def _last(etas_s: Sequence[Any], outlook: Outlook) -> int | None:
    """Seconds until all that is due has left; None where that can't be said, or all is held."""
    if None in etas_s:
        return None
    return max(etas_s, default=None if outlook.held_count else 0)


def _row(tenant: dict[str, Any]) -> tuple[object, ...]:
    name = f"{tenant['tenant']} (urgent)" if tenant["urgent"] else tenant["tenant"]
    eta_s = tenant["eta_seconds"]
    last = "-" if not tenant["due"] or eta_s is None else duration(eta_s * SECOND_US)
    return name, tenant["waiting"], tenant["due"], tenant["held"], last


def _told(found: dict[str, Any]) -> str:
    waiting, due, held, rate, eta_s = (
        found[name] for name in ("waiting", "due", "held", "rate_per_second", "eta_seconds")
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
        them = "what is due" if held else "them"
        end = f", the last of {them} in {duration(eta_s * SECOND_US)}" if eta_s else ""
        of_it = f"{due} due now, {held} held" if held else f"{due} due now"
        told = f"{waiting} {'wait' if waiting > 1 else 'waits'}, {of_it}; {pace}{end}."
    if found["unknown"]:
        told += f" Of {found['unknown']} it is not known yet whether SES has them."
    for scope, why in found["stopped"].items():
        told += f" SES lets nothing out: {stops.whose_sending(scope)} is stopped ({why})."
    for how in ("paused", "drained"):
        for scope, why in found[how].items():
            told += f" {_capital(whose_sending(scope))} is {how}, by {why}."
            told += _left_told(found["left"][scope]) if how == "drained" else ""
    return told + _quota_told(found["quota"])


def _left_told(found: dict[str, Any]) -> str:
    """What is left of a drain, by where it is."""
    next_at = found["next_due_at"]
    places = {
        "due now": found["due"],
        f"due later (the first at {next_at})": found["later"],
        "held by something else": found["held"],
        "claimed": found["claimed"],
        "of unknown outcome": found["unknown"],
    }
    some = [f"{count} {place}" for place, count in places.items() if count]
    return f" Of it are left: {listed(some)}." if some else " Nothing of it is left."


def _quota_told(quota: dict[str, Any]) -> str:
    told = ""
    if quota["max_24h"] is not None:
        most = quota["max_24h"]
        limit = f"of {most}" if most >= 0 else "(without a limit)"
        told += f" In the last 24 hours {quota['sent_24h']} {limit} were sent."
    if quota["frees_at"] is not None:
        told += " The day's quota is used up, but for what is kept for urgent mail:"
        told += f" it frees from {quota['frees_at']} on."
    if quota["others_per_second"]:
        told += f" Others who use this account send {quota['others_per_second']:.3g} a second."
    return told


def _moment(at: int | None) -> str | None:
    return None if at is None else iso(at)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
