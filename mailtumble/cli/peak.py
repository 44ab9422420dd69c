"""``mailtumble queue peak``: the highest rate of any second, beside what SES allowed then.

Seconds are those of the clock, in UTC, as in core's counters. A call counts in the second in which
the sender made it. The local SES counts a call in the second in which it arrives.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from mailtumble import throughput
from mailtumble.cli import state
from mailtumble.cli.orders import UNITS_S, moment
from mailtumble.cli.output import print_json, print_line, print_table
from mailtumble.cli.sent import ask
from mailtumble.cli.state import state_option
from mailtumble.ports.store import Item
from mailtumble.wiring import Wiring
from mailtumble.worker.horizon import number
from mailtumble.worker.views import iso, quotas_key
from processors.sending.pacing import RATE_UNIT
from processors.throughput.window import Sums, busiest
from schemas.errors import BadInput, MailtumbleError
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
    help="{since, until, peak, limits: [{since, max_send_rate, peak}], local_ses}, where a peak is"
    " {second, calls, accepted, refused, deferred, failed, unanswered, max_send_rate} and local_ses"
    " is {second, accepted, within_any_1000_ms, made}: made is what mailtumble counts in the same"
    " way, by the time of the call. null: no call, or not known.",
)
@state_option
def peak(*, since: str, as_json: bool, state_dir: Path | None, debug: bool) -> None:
    """Show the highest rate of any second, beside the MaxSendRate of that time.

    The command counts the calls of all senders to SES, whatever SES answered. Seconds are those of
    the clock, in UTC, and a call counts in the second in which the sender made it. If MaxSendRate
    has changed, the command shows a peak for each of its values.

    With a local stack, the command also shows the peak that the local SES has counted. The local
    SES counts the calls that it accepts, including those of other programs, in the second in which
    they arrive. The two figures differ by at most the calls that arrived in a later second than the
    one in which they were made: few, unless the machine is busy. SES may accept more within any
    1,000 ms, which may span two seconds of the clock, than in either of these seconds.

    \b
    Example:  mailtumble queue peak
              mailtumble queue peak --since 24h --json
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    wired = state.wiring(state_dir)
    now = wired.clock.now()
    from_at = beginning(since, now)
    from_at -= from_at % SECOND_US  # Whole seconds: the rate of a part would look too low.
    found = peaks(wired, from_at, now)
    found["local_ses"] = _at_local_ses(state_dir, from_at, found.pop("made"))
    if as_json:
        print_json(found)
    else:
        _tell(found)


def beginning(text: str, now: int) -> int:
    """Return a moment in microseconds UTC: ISO 8601, or ``90m`` for that long ago.

    Raises:
        BadInput: the text is not a time, or the time is in the future or more than a day ago.
    """
    past = text.removeprefix("-")
    if past[-1:] in UNITS_S and past[:-1].isdecimal():
        at = now - int(past[:-1]) * UNITS_S[past[-1]] * SECOND_US
    else:
        at = moment(text, now)
    if at > now:
        raise BadInput(f"--since {text} is in the future: use 90m for the last 90 minutes")
    if at < now - DAY_US:
        raise BadInput(f"--since {text} is more than a day ago: use at most 24h")
    return at


def peaks(wired: Wiring, from_at: int, until_at: int) -> dict[str, Any]:
    """Return the busiest second of all, and of each value of MaxSendRate, between two moments.

    Reads an item per minute and shard (1,441 per shard for a day) and one with the limits.

    Args:
        wired: the adapters.
        from_at: the beginning of a second (microseconds UTC).
        until_at: the end (microseconds UTC).

    Returns:
        What ``--json`` prints, except that ``made`` is there instead of ``local_ses``: the most
        calls of a second that SES accepted, or may have accepted without an answer.
    """
    store, generation = wired.store(), wired.settings.generation
    shards = [shard.id for shard in wired.stream().shards()]
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
        "made": max((each.accepted + each.unanswered for each in seconds.values()), default=0),
    }


def _at_local_ses(state_dir: Path | None, from_at: int, made: int) -> dict[str, Any] | None:
    """Return what the local SES has counted; None where none runs, answers or has accepted any."""
    local = state.read_state(state_dir or Path(state.DEFAULT_DIR))
    if local is None:
        return None
    try:
        found = json.loads(ask(local.ses_url, f"/_local/peak?since={from_at}"))
    except MailtumbleError:
        return None
    second = found["clock_second"]
    if second is None:
        return None
    return {
        "second": iso(second["begins_us"]),
        "accepted": second["recipients"],
        "within_any_1000_ms": found["within_any"],
        "made": made,
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
        print_line(f"No call to SES was counted since {found['since']}.")
    else:
        _tell_highest(highest)
    if found["local_ses"] is not None:
        print_line(_of_local_ses(found["local_ses"]))
    if len(found["limits"]) > 1:
        headings = ("SINCE", "MAX SEND RATE", "CALLS", "SECOND", "REFUSED")
        print_table(headings, [_row(limit) for limit in found["limits"]])


def _tell_highest(highest: Mapping[str, Any]) -> None:
    calls = highest["calls"]
    print_line(
        f"At most {calls} call{'' if calls == 1 else 's'} in a second, at {_second(highest)}; "
        f"{_allowed(highest['max_send_rate'])}."
    )


def _of_local_ses(local: Mapping[str, Any]) -> str:
    accepted, made, within_any = (
        local[name] for name in ("accepted", "made", "within_any_1000_ms")
    )
    told = (
        f"The local SES accepted at most {accepted} in a second of the clock, at {_second(local)}, "
        f"and {within_any} within any 1,000 ms."
    )
    if accepted != made:
        told += (
            f" By the times of the calls it is {made}: SES counts a call when it arrives, perhaps "
            "in the next second, and calls of other programs too. mailtumble counts it when it is "
            "made, once core has read its outcome."
        )
    return told


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
