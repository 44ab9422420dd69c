"""The findings of ``mailtumble verify`` as text for people and as JSON for scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from mailtumble.audit.comparison import Difference, Kind
from mailtumble.audit.overdue import Overdue
from mailtumble.audit.reading import Reading, ShardReading
from mailtumble.audit.unannounced import Unannounced
from mailtumble.audit.verification import Verdict
from mailtumble.cli.output import print_hint, print_line
from mailtumble.story.words import counted
from mailtumble.worker.views import iso
from processors.audit.balance import Sum

SHOWN_MAX: Final = 20
"""How many differences and messages are listed for a person; JSON has all of them."""

PROJECTIONS: Final = "projections"
FOLD: Final = "fold"
SKIPPED: Final = "skipped"

ADVICE: Final = {
    PROJECTIONS: "between the projections and the stream (the stream is right): build a new "
    "generation",
    "queue": "between the queue and the stream: mailtumble mail send-now ID queues a missing entry "
    "again (of a cancelled attempt, put back the item that --json shows); an unexpected entry is "
    "never sent",
    "timers": "between the timers and the stream: put back the items that --json shows, or let "
    "somebody decide (mailtumble moderation approve|reject ID; mailtumble mail expire ID, then "
    "mailtumble mail retry ID)",
    "claims": "between the claims and the stream: put back the items that --json shows, since a "
    "claim keeps its attempt from being sent again",
    FOLD: "between how the workers and the independent model read the stream, which is a fault in "
    "mailtumble that a new generation would repeat: report it, with mailtumble mail show ID",
    SKIPPED: "on the stream: records that were skipped and are not in quarantine",
}
"""What a difference is between, and what to do about it."""


def wrong_with(verdict: Verdict, lost: Sequence[Unannounced]) -> list[str]:
    """Return one sentence per kind of fault: what is wrong, and what to do about it."""
    wrong = [_stalled(each) for each in verdict.reading if each.stalled]
    if not verdict.sum.holds:
        wrong.append("the sum of messages does not add up")
    counts = Counter(map(_between, verdict.differences))
    wrong.extend(
        f"{counted(counts[each], 'difference')} {ADVICE[each]}" for each in ADVICE if counts[each]
    )
    if verdict.overdue:
        wrong.append(
            f"{counted(len(verdict.overdue), 'item')} open past the deadline: check that core and "
            "sender are running, and read their logs"
        )
    still = [each for each in lost if not each.mails]
    if any(not each.problem for each in still):
        wrong.append(f"{_announced(len(still))} never announced: add --redrive to process them")
    elif still:
        wrong.append(f"{_announced(len(still))} never announced, and could not be redriven")
    return wrong


def _announced(number: int) -> str:
    return f"{counted(number, 'message')} {'was' if number == 1 else 'were'}"


def _between(difference: Difference) -> str:
    match difference.kind:
        case Kind.DISPUTED:
            return FOLD
        case Kind.SKIPPED:
            return SKIPPED
        case _:
            return difference.table if difference.table in ADVICE else PROJECTIONS


def _stalled(reading: Reading) -> str:
    where = ", ".join(each.at.shard.id for each in reading.stalled)
    return (
        f"{reading.application} has read {reading.read:,} of {reading.records:,} records and is "
        f"not advancing on {where}: start it, or read its log"
    )


def tell(verdict: Verdict) -> None:
    """Print what was found, for a person."""
    read = f"{counted(verdict.records, 'record')} about {counted(verdict.mails, 'mail')}"
    print_line(f"The stream holds {read}.")
    for line in (*_reading_lines(verdict.reading), *_sum_lines(verdict.sum)):
        print_line(line)
    _tell_some([each.told() for each in verdict.differences])
    _tell_some([each.told() for each in verdict.overdue])
    if not verdict.differences:
        print_line("Projections, timers, queue and claims equal the stream.")
    if verdict.waiting:
        more = counted(verdict.waiting, "more record")
        print_hint(f"core had not read {more} yet: verify again once it has.")
    if verdict.moving:
        items = counted(verdict.moving, "item")
        print_hint(f"{items} kept changing and could not be compared: verify again.")
    if verdict.unchecked:
        items = counted(verdict.unchecked, "item")
        print_hint(
            f"{items} can't be compared, because the stream has dropped their first records."
        )
    if verdict.unreadable:
        states = counted(len(verdict.unreadable), "stored state")
        print_hint(
            f"Not checked, because this release can't read it: {states}. Upgrade this command."
        )


def _reading_lines(readings: Sequence[Reading]) -> Iterator[str]:
    """Say how far each application is: those that have read everything in one line."""
    done = [each.application for each in readings if each.is_running and each.unread_at is None]
    if done:
        verb = "has" if len(done) == 1 else "have"
        yield f"{_listed(done)} {verb} read all records."
    for each in readings:
        if each.unread_at is not None:
            yield (
                f"{each.application} has read {each.read:,} of {each.records:,} records and is "
                f"{_seconds(each.behind_s)} behind."
            )
        for shard in each.awaiting:
            yield (
                f"{each.application} waits for an upgrade on {shard.at.shard.id} since "
                f"{iso(shard.at.awaited_since)}: deploy a release that reads {shard.awaited}"
            )
    absent = [each.application for each in readings if not each.is_running]
    if absent:
        verb = "is" if len(absent) == 1 else "are"
        yield f"{_listed(absent)} {verb} not running."


def _seconds(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds >= 1 else "less than a second"


def _listed(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _sum_lines(total: Sum) -> Iterator[str]:
    ended, still_open = sum(total.ended.values()), sum(total.open.values())
    adds_up = total.opening + total.received == ended + still_open
    yield (
        f"Per target: {total.opening:,} open before + {total.received:,} received "
        f"{'=' if adds_up else 'is not'} {ended:,} ended{_kinds(total.ended)} "
        f"+ {still_open:,} open{_kinds(total.open)}."
    )
    shown = {**total.ended, **total.open}
    for status in sorted({*shown, *total.due}):
        if shown.get(status, 0) != total.due.get(status, 0):
            yield (
                f"{status}: {shown.get(status, 0):,} in the views, "
                f"{total.due.get(status, 0):,} on the stream"
            )
    yield from total.problems[:SHOWN_MAX]


def _kinds(counts: Mapping[str, int]) -> str:
    told = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
    return f" ({told})" if told else ""


def _tell_some(lines: Sequence[str]) -> None:
    for line in lines[:SHOWN_MAX]:
        print_line(line)
    if len(lines) > SHOWN_MAX:
        print_line(f"... and {len(lines) - SHOWN_MAX:,} more: --json shows all of them")


def tell_of_mails(lost: Sequence[Unannounced], too_old_at: int, *, redrive: bool) -> None:
    """Print which messages were never announced, and what happened to them.

    Args:
        lost: the messages.
        too_old_at: mail that arrived before this moment (microseconds UTC) is no longer sent.
        redrive: whether the command was asked to process them.
    """
    if not lost:
        print_line("Every message in S3 was announced, except perhaps those of the last 5 minutes.")
    for each in lost if redrive else lost[:SHOWN_MAX]:
        came_at = each.stored.modified_at
        print_line(f"{each.stored.key}, of {iso(came_at)[:19]}: {_fate(each)}")
        for name in each.mails if came_at < too_old_at else ():
            print_line(
                f"  it is too old to be sent; to send it anyway: mailtumble mail retry {name}"
            )
    if not redrive and len(lost) > SHOWN_MAX:
        print_line(f"... and {len(lost) - SHOWN_MAX:,} more: --json shows all of them")


def _fate(mail: Unannounced) -> str:
    if mail.mails:
        pairs = zip(mail.mails, mail.recipients, strict=True)
        return "received as " + ", ".join(f"{name} for {whom}" for name, whom in pairs)
    return mail.problem or "never announced"


def plain(verdict: Verdict, lost: Sequence[Unannounced], *, ok: bool) -> dict[str, Any]:
    """Return all findings as values that JSON accepts."""
    total = verdict.sum
    return {
        "ok": ok,
        "reading": [_reading(each) for each in verdict.reading],
        "sum": {
            "opening": total.opening,
            "received": total.received,
            "ended": dict(total.ended),
            "open": dict(total.open),
            "holds": total.holds,
            "by_stream": dict(sorted(total.due.items())),
            "problems": list(total.problems),
        },
        "records": verdict.records,
        "waiting": verdict.waiting,
        "mails": verdict.mails,
        "differences": [_difference(each) for each in verdict.differences],
        "overdue": [_overdue(each) for each in verdict.overdue],
        "moving": verdict.moving,
        "unchecked": verdict.unchecked,
        "unreadable": sorted(verdict.unreadable),
        "unannounced": [_mail(each) for each in lost],
    }


def _reading(each: Reading) -> dict[str, Any]:
    return {
        "application": each.application,
        "running": each.is_running,
        "read": each.read,
        "records": each.records,
        "behind_s": each.behind_s,
        "shards": [_shard(one) for one in each.shards],
    }


def _shard(each: ShardReading) -> dict[str, Any]:
    return {
        "shard": each.at.shard.id,
        "state": str(each.at.state),
        "position": each.at.position or None,
        "read": each.read,
        "records": each.records,
        "stalled": each.is_stalled,
        "awaits_upgrade": _awaits(each) if each.awaited else None,
    }


def _awaits(each: ShardReading) -> dict[str, Any]:
    return {"events": each.awaited, "since": iso(each.at.awaited_since)}


def _overdue(each: Overdue) -> dict[str, Any]:
    return {"name": each.name, "what": each.what, "due_at": iso(each.due_at)}


def _difference(each: Difference) -> dict[str, Any]:
    return {
        "kind": str(each.kind),
        "table": each.table,
        "key": each.key,
        "attribute": each.attribute,
        "stored": each.stored,
        "expected": each.expected,
    }


def _mail(each: Unannounced) -> dict[str, Any]:
    return {
        "key": each.stored.key,
        "size_bytes": each.stored.size_bytes,
        "modified_at": iso(each.stored.modified_at),
        "recipients": list(each.recipients),
        "mails": list(each.mails),
        "problem": each.problem or None,
    }
