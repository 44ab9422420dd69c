"""``mailtumble queue``: show where mail is and how fast it leaves; pause, drain, resume sending."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click

from mailtumble.cli import orders, queue_text, state
from mailtumble.cli.checks import checked_domain
from mailtumble.cli.orders import Order, order_options
from mailtumble.cli.output import print_hint, print_json, print_line, printable
from mailtumble.cli.peak import peak
from mailtumble.cli.state import state_option
from mailtumble.day import Day
from mailtumble.drains import Left, UnderWay, left
from mailtumble.holds import of_day, of_pause, of_stop
from mailtumble.outlook import Outlook, in_buckets
from mailtumble.pipe import Stage, read_pipe
from mailtumble.sender.entry import read_entry
from mailtumble.sender.quota import known_quota
from mailtumble.sender.standing import Standing, scopes
from mailtumble.sender.stops import ITEM as STOPS
from mailtumble.sender.stops import read_stops
from mailtumble.wiring import Wiring
from mailtumble.worker.views import iso, paused_at_key
from processors.fleet.decider import AT, EVERYBODY
from processors.sending import stops
from processors.sending.lanes import domain_of
from processors.sending.pacing import RATE_UNIT
from schemas.errors import BadInput, MailtumbleError
from schemas.ids import FLEET_SUBJECT
from schemas.values import SECOND_US, Command

F = TypeVar("F", bound=Callable[..., Any])


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Show where mail is; pause, drain and resume sending."""


@command.command("status")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="{waiting, due, held, later, claimed, unknown, rate_per_second, quota, eta_seconds,"
    " tenants, stopped, paused, drained, left, unreadable, stages, applications}; null: not known."
    " held is what the table calls blocked. unreadable: messages whose state a newer release has"
    " stored. stages: {NAME: {count, precision, age_seconds}}, where NAME is"
    " in_sqs, receiving, dead_letters, undecided, held (by moderation), scheduled, waiting, due,"
    " in_flight, unknown or done, and precision is exact, approximate or 'at least'."
    " applications: {NAME: {running, seconds_behind, shards: {STATE: count}}}.",
)
@state_option
def status(*, as_json: bool, state_dir: Path | None, debug: bool) -> None:
    """Show how much mail is at each stage, how fast it leaves, and when the queue will be empty.

    \b
    Stages, in the order in which mail passes them:
      in SQS         notifications of received mail and feedback that intake has not taken yet
      being received notifications that intake has taken and not finished
      dead letters   notifications that intake failed on too often
      undecided      received messages that core has not read, or whose alias core has to look
                     up again
      held           messages that wait for a moderator
      scheduled      decided, but the sender has not read the decision yet
      waiting        in the sender's queue: due, due later (a retry, a set time), or blocked by a
                     pause, a drain or SES
      in flight      claimed by a sender: the call is being made, or its outcome is not read yet
      unknown        SES may or may not have the message; a report of SES or a timeout decides
      done           accepted by SES in the last 24 hours

    From "scheduled" on, each target of a message counts as one. A count may be approximate (SQS's
    own, up to a minute old; or of unread records, some of which may be repeated) or "at least" so
    many (counting stopped at a bound). AS OF says how old the data is: a view is as old as its
    application is behind the stream.

    For each drain, the command shows what is left of the mail that had come in before it. When
    nothing is left twice in a row, some seconds apart, the drain is finished. Held and undecided
    mail joins the queue only when it is approved or decided.

    The cost is bounded: 768 queries of at most 2,000 items, one GetRecords call of at most 500
    records per shard and application, and 30 other reads per shard at most.

    \b
    Example:  mailtumble queue status --json
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    found = queue_status(state.wiring(state_dir))
    if as_json:
        print_json(found)
    else:
        queue_text.show(found)
        if found["unreadable"]:
            print_hint(
                f"The stored states of {found['unreadable']} messages under way can't be read, so "
                "they count as in flight or unknown: upgrade this command."
            )


def scope_options(function: F) -> F:
    """Add ``--tenant`` and ``--domain``."""
    function = click.option("--domain", help="Only mail to addresses of this domain.")(function)
    return click.option(
        "--tenant", help="Only mail of this tenant. Without either option: all mail."
    )(function)


@command.command("pause")
@scope_options
@order_options
@state_option
def pause(**given: Any) -> None:  # noqa: ANN401
    """Pause sending. Calls under way finish within seconds; mail is still received.

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
    """Send what has come in so far, and block what comes in from now on, until resumed.

    `mailtumble queue status` shows what is left: what waits (also for a later time or another
    try), is in flight, or has an unknown outcome. When it shows twice in a row, some seconds
    apart, that nothing is left, the drain is finished.

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
    """Resume sending that was paused or drained with the same --tenant or --domain.

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
        print_hint("To see what is left: mailtumble queue status")
    if what is Command.RESUME:
        _tell_what_holds(wired, scope)
    elif scope != EVERYBODY and not _is_known(wired, scope):
        kind = "tenant" if domain is None else "domain"
        name = scope.removeprefix(AT)
        print_hint(printable(f"Note: no alias and no waiting message has the {kind} {name}."))


def _tell_what_holds(wired: Wiring, scope: str) -> None:
    """Print what still blocks mail that was resumed: another pause, SES, or the daily quota.

    If SES accepts no mail from a domain, only some mail of the fleet or of a tenant is blocked.
    That is printed only when sending of the whole fleet is resumed.
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
    """Return whether an alias or a waiting message has this scope; True if that can't be asked."""
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
    return any(scope in scopes(read_entry(item).lane) for item in waiting.items)


def _scope(tenant: str | None, domain: str | None) -> str:
    """Return the scope of a pause, as events name it."""
    if tenant is not None and domain is not None:
        raise BadInput("--tenant and --domain exclude each other: give one of them")
    for option, given in (("--tenant", tenant), ("--domain", domain)):
        if given is not None and not given.strip(AT):
            # Perhaps an unset variable in a script.
            raise BadInput(f"{option} is empty: leave it out to mean all mail")
    if tenant is not None and tenant.startswith(AT):
        raise BadInput(f"--tenant {tenant}: no tenant begins with @; use --domain for a domain")
    return AT + checked_domain(domain) if domain else tenant or EVERYBODY


def queue_status(wired: Wiring) -> dict[str, Any]:
    """Return what ``queue status --json`` prints.

    Raises:
        RetryableError: a table or the stream does not answer.
    """
    outlook = Outlook(wired)
    under_way = UnderWay(wired.store(), wired.settings.generation)
    pipe = read_pipe(wired, outlook, under_way)
    quota, rate_milli = outlook.quota, outlook.rate_milli
    now = wired.clock.now()  # Reading took a while: estimates count from now.
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
        "unreadable": under_way.unreadable,
        "stages": {name: _stage(each) for name, each in pipe.stages.items()},
        "applications": {
            each.name: {
                "running": each.is_running,
                "seconds_behind": each.behind_s,
                "shards": {str(state): count for state, count in each.shards.items()},
            }
            for each in pipe.applications
        },
    }


def _stage(found: Stage) -> dict[str, Any]:
    return {
        "count": found.count,
        "precision": str(found.precision),
        "age_seconds": found.age_s,
    }


def _left(found: Left) -> dict[str, Any]:
    return {**asdict(found), "next_due_at": _moment(found.next_due_at)}


def _eta_s(at: int | None, now: int) -> int | None:
    return None if at is None else max(0, round((at - now) / SECOND_US))


def _last(etas_s: Sequence[Any], outlook: Outlook) -> int | None:
    """Return the seconds until all that is due has left; None if unknown, or all is blocked."""
    if None in etas_s:
        return None
    return max(etas_s, default=None if outlook.held_count else 0)


def _moment(at: int | None) -> str | None:
    return None if at is None else iso(at)
