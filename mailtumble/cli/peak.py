"""``mailtumble queue peak``: the highest rate of any second, beside what SES allowed then.

Seconds are those of the clock, in UTC, as core's counters have them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from mailtumble import throughput
from mailtumble.cli import state
from mailtumble.cli.orders import UNITS_S, moment
from mailtumble.cli.output import print_json, print_line, print_table
from mailtumble.cli.state import state_option
from mailtumble.ports.store import Item
from mailtumble.wiring import Wiring
from mailtumble.worker.horizon import number
from mailtumble.worker.views import iso, quotas_key
from processors.sending.pacing import RATE_UNIT
from processors.throughput.window import Sums, busiest
from schemas.errors import BadInput
from schemas.values import DAY_US, SECOND_US

BY_DEFAULT: Final = "1h"


@dataclass(frozen=True, slots=True)
class Limit:
    """MaxSendRate (a second), as it was from ``at`` on (microseconds UTC); None: not known."""

    at: int
    max_send_rate: float | None


@click.command("peak")
@click.option(
    "--since",
    default=BY_DEFAULT,
    metavar="TIME",
    show_default=True,
    help="90m for the last 90 minutes (s, m, h, d), or ISO 8601; a day ago at most.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="{since, until, peak, limits: [{since, max_send_rate, peak}]}, where a peak is {second, "
    "calls, accepted, refused, deferred, failed, unanswered, max_send_rate}; null: no call, or not "
    "known.",
)
@state_option
def peak(*, since: str, as_json: bool, state_dir: Path | None, debug: bool) -> None:
    """Tell the highest rate of any second, beside the MaxSendRate of that time.

    By the times at which SES was called, whatever it answered, all senders together. A second is
    one of the clock, in UTC. Where MaxSendRate has changed, each of its values has a peak of its
    own.

    \b
    Example:  mailtumble queue peak
              mailtumble queue peak --since 24h --json
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    wired = state.wiring(state_dir)
    now = wired.clock.now()
    found = peaks(wired, beginning(since, now), now)
    if as_json:
        print_json(found)
    else:
        _tell(found)


def beginning(text: str, now: int) -> int:
    """Since when, in microseconds UTC: ISO 8601, or ``90m`` for that long ago.

    Raises:
        BadInput: it is no time, or in the future, or more than a day ago.
    """
    past = text.removeprefix("-")
    if past[-1:] in UNITS_S and past[:-1].isdecimal():
        at = now - int(past[:-1]) * UNITS_S[past[-1]] * SECOND_US
    else:
        at = moment(text, now)
    if at > now:
        raise BadInput(f"--since {text} is in the future: give 90m for the last 90 minutes")
    if at < now - DAY_US:
        raise BadInput(f"--since {text} is more than a day ago: give 24h at most")
    return at


def peaks(wired: Wiring, from_at: int, until_at: int) -> dict[str, Any]:
    """The busiest second of all, and of each value of MaxSendRate, between two moments.

    Reads an item a minute and shard (1,441 a shard for a day) and one of limits.
    """
    store, generation = wired.store(), wired.settings.generation
    shards = [shard.id for shard in wired.stream().shards()]
    # A second is counted whole, or its rate would look lower than it was.
    from_at -= from_at % SECOND_US
    seconds = throughput.by_second(store, generation, shards, from_at, until_at)
    limits = _limits(store.get("fleet", quotas_key(generation)) or {}, from_at)
    return {
        "since": iso(from_at),
        "until": iso(until_at),
        "peak": _peak(seconds, limits),
        "limits": [
            {
                "since": iso(max(limit.at, from_at)),
                "max_send_rate": limit.max_send_rate,
                "peak": _peak(_under(limit, limits, seconds), [limit]),
            }
            for limit in limits
        ],
    }


def _limits(item: Item, from_at: int) -> list[Limit]:
    """The values of MaxSendRate from ``from_at`` on, the one that was known then first."""
    found: list[Limit] = [Limit(0, None)]
    quotas = [each for each in item.values() if isinstance(each, Mapping)]
    for quota in sorted(quotas, key=lambda each: number(each, "at")):
        limit = Limit(number(quota, "at"), number(quota, "max_send_rate_milli") / RATE_UNIT)
        if limit.at <= from_at:
            found = [limit]
        elif limit.max_send_rate != found[-1].max_send_rate:
            found.append(limit)
    return found


def _under(limit: Limit, limits: list[Limit], seconds: Mapping[int, Sums]) -> dict[int, Sums]:
    """The seconds in which that limit held."""
    return {at: sums for at, sums in seconds.items() if _in_force(limits, at) is limit}


def _in_force(limits: list[Limit], at: int) -> Limit:
    """The last limit that was observed by then."""
    return [limit for limit in limits if limit.at <= at or limit is limits[0]][-1]


def _peak(seconds: Mapping[int, Sums], limits: list[Limit]) -> dict[str, Any] | None:
    found = busiest(seconds)
    if found is None:
        return None
    at, sums = found
    return {
        "second": iso(at),
        "calls": sums.calls,
        "accepted": sums.accepted,
        "refused": sums.refused,
        "deferred": sums.deferred,
        "failed": sums.failed,
        "unanswered": sums.unanswered,
        "max_send_rate": _in_force(limits, at).max_send_rate,
    }


def _tell(found: Mapping[str, Any]) -> None:
    highest = found["peak"]
    if highest is None:
        print_line(f"SES was not called since {found['since']}.")
        return
    calls = highest["calls"]
    print_line(
        f"At most {calls} call{'' if calls == 1 else 's'} in a second, at {_second(highest)}; "
        f"{_allowed(highest['max_send_rate'])}."
    )
    if len(found["limits"]) > 1:
        headings = ("SINCE", "MAX SEND RATE", "CALLS", "SECOND", "REFUSED")
        print_table(headings, [_row(limit) for limit in found["limits"]])


def _allowed(rate: float | None) -> str:
    return "what SES allowed then is not known" if rate is None else f"SES allowed {rate:g} then"


def _row(limit: Mapping[str, Any]) -> tuple[object, ...]:
    highest, rate = limit["peak"], limit["max_send_rate"]
    shown = (
        (None, None, None)
        if highest is None
        else (highest["calls"], _second(highest), highest["refused"])
    )
    return (limit["since"], None if rate is None else f"{rate:g}", *shown)


def _second(highest: Mapping[str, Any]) -> str:
    """When it began, without the microseconds, which are none."""
    return str(highest["second"]).replace(".000000", "")
