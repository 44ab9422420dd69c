"""``mailtumble verify``: do the sum and the projections agree with the stream?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from mailtumble.audit.comparison import Difference
from mailtumble.audit.tapes import Progress
from mailtumble.audit.unannounced import Redrive, Unannounced, unannounced
from mailtumble.audit.verification import Verdict, Verification
from mailtumble.cli import state
from mailtumble.cli.output import print_hint, print_json, print_line, progress_bar
from mailtumble.cli.state import state_option
from mailtumble.definition import load_definition
from mailtumble.wiring import Wiring
from mailtumble.worker.views import iso
from processors.audit.balance import Sum
from schemas.errors import BadInput, MailtumbleError
from schemas.values import HOUR_US

SHOWN_MAX: Final = 20
"""Differences, and mails, of which a person is told one by one; JSON has them all."""

STEPS: Final = 1_000
"""Of the progress bar."""


class VerifyFailed(MailtumbleError):  # noqa: N818 - an answer
    """Something is wrong."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="{ok, sum: {opening, received, ended, open, holds}, records, mails, differences, ...}",
)
@click.option("--s3", "with_s3", is_flag=True, help="Look for mails that were never announced too.")
@click.option("--redrive", is_flag=True, help="With --s3: take these mails in, by their headers.")
@state_option
def command(
    *, as_json: bool, with_s3: bool, redrive: bool, state_dir: Path | None, debug: bool
) -> None:
    """Check that every mail has ended or is open, and that what is shown is what happened.

    Reads the whole stream, once a second and shard so that the workers are not slowed down, and
    replays it. Adds up, per target, that open before + received = ended + open; and compares the
    items of mails, throughput, quarantine, suppressed addresses and pauses with the replay's, one
    by one. Mail may come in meanwhile. Exit code 1: something is wrong.

    With --s3, finds mails that SES has put into the bucket and whose notification never came
    (those of the last 5 minutes aside); --redrive takes them in.

    \b
    Example:  mailtumble verify
              mailtumble verify --s3 --redrive
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    if redrive and not with_s3:
        raise BadInput("--redrive takes in what --s3 finds: give both")
    wired = state.wiring(state_dir)
    with _bar() as progress:
        verdict = Verification(
            wired.stream(), wired.store(), wired.settings.generation, wired.clock, progress
        ).run()
    lost = _unannounced(wired, verdict, redrive=redrive) if with_s3 else []
    too_old_at = wired.clock.now() - round(wired.settings.lifetime_h * HOUR_US)
    wrong = wrong_with(verdict, lost)
    if as_json:
        print_json(_plain(verdict, lost, ok=not wrong))
    else:
        tell(verdict)
        if with_s3:
            _tell_of_mails(lost, too_old_at, redrive=redrive)
    if wrong:
        raise VerifyFailed("; ".join(wrong))


@contextmanager
def _bar() -> Iterator[Progress]:
    """Its length is the stream's share that is read."""
    with progress_bar(STEPS, "Reading the stream") as move:
        yield lambda share: move(round(share * STEPS))


def _unannounced(wired: Wiring, verdict: Verdict, *, redrive: bool) -> list[Unannounced]:
    objects, bucket, now = wired.objects(), wired.bucket, wired.clock.now()
    prefix = load_definition().ses.object_prefix
    found = list(unannounced(objects, bucket, prefix, verdict.announced, now))
    if not redrive or not found:
        return [Unannounced(stored=each) for each in found]
    driver = Redrive(objects, bucket, wired.aliases(), wired.stream())
    return [driver.take_in(each, now) for each in found]


def wrong_with(verdict: Verdict, lost: Sequence[Unannounced]) -> list[str]:
    """What is wrong, in words, and what to do about it."""
    wrong: list[str] = []
    if not verdict.sum.holds:
        wrong.append("the sum is wrong")
    if verdict.differences:
        wrong.append(
            f"{_count(len(verdict.differences), 'difference')} between the projections and the "
            "stream, which is right: build a new generation"
        )
    still = [each for each in lost if not each.mails]
    if any(not each.problem for each in still):
        wrong.append(f"{_count(len(still), 'mail')} never announced: give --redrive too")
    elif still:
        wrong.append(f"{_count(len(still), 'mail')} never announced, and not redriven")
    return wrong


def tell(verdict: Verdict) -> None:
    """Print what was found, for a person."""
    read = f"{_count(verdict.records, 'record')} about {_count(verdict.mails, 'mail')}"
    print_line(f"The stream holds {read}.")
    for line in _sum_lines(verdict.sum):
        print_line(line)
    _tell_some([each.told() for each in verdict.differences])
    if not verdict.differences:
        print_line("The projections equal the stream.")
    if verdict.waiting:
        more = _count(verdict.waiting, "more record")
        print_hint(f"core had not read {more} yet: verify again when it has.")
    if verdict.moving:
        items = _count(verdict.moving, "item")
        print_hint(f"{items} changed all the time, and nothing is said of them: verify again.")
    if verdict.unchecked:
        items = _count(verdict.unchecked, "item")
        print_hint(f"{items} began before what the stream still holds: they can't be compared.")


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
            yield f"{status}: {shown.get(status, 0):,}, by the stream {total.due.get(status, 0):,}"
    yield from total.problems[:SHOWN_MAX]


def _kinds(counts: Mapping[str, int]) -> str:
    told = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
    return f" ({told})" if told else ""


def _tell_some(lines: Sequence[str]) -> None:
    for line in lines[:SHOWN_MAX]:
        print_line(line)
    if len(lines) > SHOWN_MAX:
        print_line(f"... and {len(lines) - SHOWN_MAX:,} more: --json has them all")


def _tell_of_mails(lost: Sequence[Unannounced], too_old_at: int, *, redrive: bool) -> None:
    if not lost:
        print_line("Every mail in S3 was announced (those of the last 5 minutes aside).")
    for each in lost if redrive else lost[:SHOWN_MAX]:
        came_at = each.stored.modified_at
        print_line(f"{each.stored.key}, of {iso(came_at)[:19]}: {_fate(each)}")
        for name in each.mails if came_at < too_old_at else ():
            print_line(
                f"  that is too old to be sent; if it shall be: mailtumble mail retry {name}"
            )
    if not redrive and len(lost) > SHOWN_MAX:
        print_line(f"... and {len(lost) - SHOWN_MAX:,} more: --json has them all")


def _fate(mail: Unannounced) -> str:
    if mail.mails:
        pairs = zip(mail.mails, mail.recipients, strict=True)
        return "taken in as " + ", ".join(f"{name} for {whom}" for name, whom in pairs)
    return mail.problem or "never announced"


def _plain(verdict: Verdict, lost: Sequence[Unannounced], *, ok: bool) -> dict[str, Any]:
    total = verdict.sum
    return {
        "ok": ok,
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
        "moving": verdict.moving,
        "unchecked": verdict.unchecked,
        "unannounced": [_mail(each) for each in lost],
    }


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


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
