"""``mailtumble archive``: what is archived, whether all of it is there, and which loss is known."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

import click

from mailtumble.archive import heads
from mailtumble.archive.heads import Head
from mailtumble.archive.inspection import Inspection, Report, ShardReport
from mailtumble.archive.losses import acknowledge
from mailtumble.cli import state
from mailtumble.cli.output import print_hint, print_json, print_line, print_table, progress_bar
from mailtumble.cli.state import state_option
from mailtumble.wiring import Wiring
from mailtumble.worker.views import iso
from schemas.errors import BadInput, MailtumbleError


class VerifyFailed(MailtumbleError):  # noqa: N818 - an answer
    """Something is wrong with the archive."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Look at the archive, which keeps every record of the stream in S3 for longer than Kinesis.

    `mailtumble worker archive` writes it.
    """


@command.command("list")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="An array of {shard, segments, records, size_bytes, last, arrived_at, hash}.",
)
@state_option
def list_archive(*, as_json: bool, state_dir: Path | None, debug: bool) -> None:
    """List what is archived of each shard, including shards that the stream no longer has.

    \b
    Example:  mailtumble archive list
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    known = heads.every(state.wiring(state_dir).store())
    if as_json:
        print_json([_plain(head) for head in known])
    elif known:
        print_table(
            ("SHARD", "SEGMENTS", "RECORDS", "KB", "UP TO"),
            [
                (each.shard, each.segments, each.records, each.size_bytes // 1000, _until(each))
                for each in known
            ],
        )
    else:
        print_hint("Nothing is archived yet: start mailtumble worker archive.")


@command.command("verify")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="{ok, has_run, shards: [{shard, state, segments, records, spare_segments, on_stream, "
    "behind_s, problem, problems: [{id, kind, text, acknowledged}]}]}",
)
@state_option
def verify(*, as_json: bool, state_dir: Path | None, debug: bool) -> None:
    """Read every segment, and compare bucket, stream, heads and cursors, shard by shard.

    The command checks each segment's hash, its place in the chain and its records. It finds shards
    whose head is gone or was set back, segments that no head leads to, shards that nobody archives,
    and records that the stream may have dropped before they were archived. While the stream still
    has the last record of a shard (on_stream), the command compares it with the archived one.

    The exit code is 1 if there is a problem that nobody has acknowledged. It is 0 if no archive
    worker has ever run.

    \b
    Example:  mailtumble archive verify
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    report = _inspected(state.wiring(state_dir))
    broken = [each.shard for each in report.shards if report.open_problems(each)]
    if as_json:
        shards = [_shard_json(report, each) for each in report.shards]
        print_json({"ok": not broken, "has_run": report.has_run, "shards": shards})
    else:
        for each in report.shards:
            _print_shard(report, each)
        if not report.has_run:
            print_hint("Nothing is archived yet: start mailtumble worker archive.")
    if broken:
        raise VerifyFailed(
            f"the archive of {', '.join(broken)} is broken: repair it, or accept the loss by "
            "mailtumble archive acknowledge SHARD --reason TEXT"
        )


@command.command("acknowledge")
@click.argument("shard")
@click.option("--reason", required=True, help="Why the loss is accepted, at most 500 characters.")
@click.option("--json", "as_json", is_flag=True, help="An array of {id, text, reason, at}.")
@state_option
def acknowledge_losses(
    *, shard: str, reason: str, as_json: bool, state_dir: Path | None, debug: bool
) -> None:
    """Accept all current problems in the archive of a shard, such as a loss by erasure.

    `archive verify` still lists them, with the reason, but no longer fails because of them. A later
    loss on the same shard is not covered. Let the archive worker run first: if it has to begin a
    new chain, this break is then acknowledged with the rest.

    \b
    Example:  mailtumble archive acknowledge shardId-000000000002 --reason "lifecycle rule"
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    wired = state.wiring(state_dir)
    report = _inspected(wired, shard)
    if not report.shards:
        raise BadInput(
            f"the archive has no shard {shard!r}: mailtumble archive verify lists all shards"
        )
    (found,) = report.shards
    if not report.open_problems(found):
        raise BadInput(f"nothing is wrong with {shard}, except what is already acknowledged")
    new = acknowledge(wired.store(), shard, found.problems, reason, wired.clock.now())
    if as_json:
        print_json([{**asdict(each), "at": iso(each.at)} for each in new])
    else:
        for each in new:
            print_line(f"{shard}: acknowledged: {each.text}")


def _inspected(wired: Wiring, only: str | None = None) -> Report:
    with ExitStack() as stack:

        def expect(total: int) -> Callable[[], None]:
            move = stack.enter_context(progress_bar(total, "Reading the archive"))
            done = count(1)
            return lambda: move(next(done))

        inspection = Inspection(
            wired.stream(), wired.store(), wired.objects(), wired.archive_bucket, wired.clock
        )
        return inspection.run(only, expect)


def _shard_json(report: Report, each: ShardReport) -> dict[str, Any]:
    known = report.acknowledged.get(each.shard, {})
    return {
        "shard": each.shard,
        "state": each.state,
        "segments": each.segments,
        "records": each.records,
        "spare_segments": each.spare_segments,
        "on_stream": each.on_stream,
        "behind_s": each.behind_s,
        "problem": "; ".join(problem.text for problem in report.open_problems(each)),
        "problems": [
            {
                "id": problem.id,
                "kind": problem.kind.value,
                "text": problem.text,
                "acknowledged": known[problem.id].reason if problem.id in known else None,
            }
            for problem in each.problems
        ],
    }


def _print_shard(report: Report, each: ShardReport) -> None:
    known = report.acknowledged.get(each.shard, {})
    for problem in each.problems:
        if (accepted := known.get(problem.id)) is None:
            print_line(f"{each.shard}: {problem.kind.value}: {problem.text}")
        else:
            print_line(
                f"{each.shard}: acknowledged on {iso(accepted.at)} ({accepted.reason}): "
                f"{problem.text}"
            )
    if not report.open_problems(each):
        print_line(f"{each.shard}: {_sound(each)}")


def _sound(each: ShardReport) -> str:
    if each.state == "archived":
        where = "is still on the stream" if each.on_stream else "is no longer on the stream"
        known = (
            f"1 record is sound; it {where}"
            if each.records == 1
            else f"{each.records} records are sound; the last of them {where}"
        )
    else:
        known = {
            "empty": "nothing is archived yet",
            "waiting": "waits until its parents are archived",
            "not begun": "has no records yet",
        }[each.state]
    behind = (
        f"; the oldest record that is not archived yet is {each.behind_s} s old"
        if each.behind_s
        else ""
    )
    return known + behind


def _plain(head: Head) -> dict[str, Any]:
    return {**asdict(head), "arrived_at": _until(head)}


def _until(head: Head) -> str:
    return iso(head.arrived_at)
