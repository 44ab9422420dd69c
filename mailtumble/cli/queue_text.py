"""``mailtumble queue status`` as text, from what ``--json`` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from mailtumble.cli.output import print_line, print_table
from mailtumble.pipe import Precision
from mailtumble.story import duration, listed
from processors.fleet.decider import whose_sending
from processors.sending import stops
from schemas.values import SECOND_US

TENANTS_SHOWN: Final = 10
EXACT_S: Final = 10
"""Below this many seconds an estimate has no tenths: it is not that exact."""
STAGES: Final = {
    "in_sqs": "in SQS",
    "receiving": "being received",
    "dead_letters": "dead letters",
    "undecided": "undecided",
    "held": "held by moderation",
    "scheduled": "scheduled",
    "waiting": "waiting",
    "due": "  due now",
    "in_flight": "in flight",
    "unknown": "outcome unknown",
    "done": "done (24 hours)",
}
BEFORE_THE_QUEUE: Final = {
    "in_sqs": "in SQS",
    "receiving": "being received",
    "undecided": "undecided",
    "held": "held by moderation",
    "scheduled": "scheduled",
}


def show(found: Mapping[str, Any]) -> None:
    """Print all of it."""
    print_line(_summary(found))
    rows = [_stage_row(STAGES[name], each) for name, each in found["stages"].items()]
    print_table(("STAGE", "MESSAGES", "AS OF"), rows)
    print_line(_applications(found["applications"]))
    if len(found["tenants"]) > 1:
        _show_tenants(found["tenants"])


def _show_tenants(tenants: list[dict[str, Any]]) -> None:
    rows = sorted(tenants, key=lambda each: (-each["due"], -each["waiting"]))
    print_table(
        ("TENANT", "WAITING", "DUE", "BLOCKED", "EMPTY IN"),
        [_tenant_row(each) for each in rows[:TENANTS_SHOWN]],
    )
    if len(rows) > TENANTS_SHOWN:
        print_line(f"... and {len(rows) - TENANTS_SHOWN} more: --json has all")


def _tenant_row(tenant: Mapping[str, Any]) -> tuple[object, ...]:
    name = f"{tenant['tenant']} (urgent)" if tenant["urgent"] else tenant["tenant"]
    eta_s = tenant["eta_seconds"]
    empty_in = None if not tenant["due"] or eta_s is None else _about(eta_s)
    return name, tenant["waiting"], tenant["due"], tenant["held"], empty_in


def _stage_row(name: str, stage: Mapping[str, Any]) -> tuple[object, ...]:
    age_s = stage["age_seconds"]
    if age_s is None:
        as_of = "not known"
    else:
        as_of = "now" if age_s < 1 else f"{duration(round(age_s * SECOND_US))} ago"
    return name, _counted(stage), as_of


def _counted(stage: Mapping[str, Any]) -> str:
    count = stage["count"]
    if count is None:
        return "not known"
    match stage["precision"]:
        case Precision.APPROXIMATE if count:
            return f"about {count}"
        case Precision.AT_LEAST:
            return f"at least {count}"
        case _:
            return str(count)


def _summary(found: Mapping[str, Any]) -> str:
    """Return what waits, the rate, and everything that blocks or limits sending."""
    told = f"{_waiting(found)} {_pace(found)}"
    before = [
        f"{_counted(found['stages'][name])} {words}"
        for name, words in BEFORE_THE_QUEUE.items()
        if found["stages"][name]["count"]
    ]
    if before:
        told += f" Not in the queue yet: {listed(before)}."
    told = _capital(told)
    if found["unknown"]:
        count = found["unknown"]
        told += f" For {count} message{'' if count == 1 else 's'} it is unknown whether SES has "
        told += "it." if count == 1 else "them."
    for scope, why in found["stopped"].items():
        told += f" SES accepts no mail: {stops.whose_sending(scope)} is stopped ({why})."
    for how in ("paused", "drained"):
        for scope, why in found[how].items():
            told += f" {_capital(whose_sending(scope))} is {how}, by {why}."
            told += _left(found["left"][scope]) if how == "drained" else ""
    return told + _quota(found["quota"])


def _waiting(found: Mapping[str, Any]) -> str:
    waiting, due, blocked = found["waiting"], found["due"], found["held"]
    if not waiting:
        stages = found["stages"]
        elsewhere = any(stages[name]["count"] != 0 for name in BEFORE_THE_QUEUE)
        return "The queue is empty." if elsewhere else "Nothing is waiting."
    some = _counted(found["stages"]["waiting"])
    return f"{some} waiting, {due} due now{f', {blocked} blocked' if blocked else ''}."


def _pace(found: Mapping[str, Any]) -> str:
    rate, eta_s = found["rate_per_second"], found["eta_seconds"]
    if rate is None:
        return "The quota of SES is not known yet."
    if not rate:
        return "SES does not let this account send."
    pace = f"Sending up to {_rate(rate)}/s"
    if not found["due"] or eta_s is None:
        return f"{pace}."
    rest = found["waiting"] > found["due"] or found["stages"]["waiting"]["precision"] != "exact"
    end = "what is due is sent" if rest else "the queue is empty"
    return f"{pace}; {end} in {_about(eta_s)}."


def _rate(rate: float) -> str:
    return f"{rate:.0f}" if rate >= 100 else f"{rate:.3g}"  # noqa: PLR2004 - three digits


def _about(eta_s: int) -> str:
    """Return an estimate in words: no finer than a second."""
    if not eta_s:
        return "less than 1 s"
    return f"about {eta_s} s" if eta_s < EXACT_S else f"about {duration(eta_s * SECOND_US)}"


def _applications(applications: Mapping[str, Mapping[str, Any]]) -> str:
    running = [
        f"{name} by {_behind(each['seconds_behind'])}"
        for name, each in applications.items()
        if each["running"]
    ]
    told = f"Behind the stream: {listed(running)}." if running else "No application is running."
    for name, each in applications.items():
        if not each["running"] and running:
            told += f" {_capital(name)} is not running."
    return told


def _behind(seconds: float | None) -> str:
    if seconds is None:
        return "an unknown time"
    return "0 s" if seconds == 0 else duration(round(seconds * SECOND_US))


def _left(found: Mapping[str, Any]) -> str:
    """Return what is left of a drain, by where it is."""
    places = {
        "due now": found["due"],
        f"due later (the first at {found['next_due_at']})": found["later"],
        "blocked by something else": found["held"],
        "in flight": found["claimed"],
        "of unknown outcome": found["unknown"],
    }
    some = [f"{count} {place}" for place, count in places.items() if count]
    return f" Left to drain: {listed(some)}." if some else " Nothing is left to drain."


def _quota(quota: Mapping[str, Any]) -> str:
    told = ""
    if quota["max_24h"] is not None:
        most = quota["max_24h"]
        limit = f"of {most} allowed" if most >= 0 else "(without a limit)"
        told += f" Sent in the last 24 hours: {quota['sent_24h']} {limit}."
    if quota["frees_at"] is not None:
        told += " The day's quota is used up, except for the reserve for urgent mail;"
        told += f" more can be sent from {quota['frees_at']} on."
    if quota["others_per_second"]:
        told += f" Others who use this account send {quota['others_per_second']:.3g}/s."
    return told


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
