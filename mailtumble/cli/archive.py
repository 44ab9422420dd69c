"""``mailtumble archive``: what is archived, and whether all of it is there, as it was written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any

import click

from mailtumble.archive import heads
from mailtumble.archive.chain import check_joint, read
from mailtumble.archive.heads import Head
from mailtumble.archive.segment import ArchiveBroken
from mailtumble.cli import state
from mailtumble.cli.output import print_hint, print_json, print_line, print_table, progress_bar
from mailtumble.cli.state import state_option
from mailtumble.wiring import Wiring
from mailtumble.worker.views import iso
from schemas.errors import MailtumbleError


class VerifyFailed(MailtumbleError):  # noqa: N818 - an answer
    """Something is wrong with the archive."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Look at the archive: every record of the stream, kept in S3 for longer than Kinesis does.

    It is written by mailtumble worker archive.
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
    """List what is archived of each shard, also of those that the stream has no more.

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
    "--json", "as_json", is_flag=True, help="{ok, shards: [{shard, records, on_stream, problem}]}"
)
@state_option
def verify(*, as_json: bool, state_dir: Path | None, debug: bool) -> None:
    """Read every segment, and check its hash, its place in the chain and its records.

    Each shard's last record is compared with the stream's, while the stream has it (on_stream).
    Exit code 1: a segment is missing or was changed.

    \b
    Example:  mailtumble archive verify
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    wired = state.wiring(state_dir)
    known = heads.every(wired.store())
    with progress_bar(sum(each.segments for each in known), "Reading the archive") as move:
        done = count(1)

        def step() -> None:
            move(next(done))

        found = [_verified(wired, head, known, step) for head in known]
    broken = [each for each in found if each["problem"]]
    if as_json:
        print_json({"ok": not broken, "shards": found})
    else:
        for each in found:
            print_line(f"{each['shard']}: {each['problem'] or _sound(each)}")
        if not found:
            print_hint("Nothing is archived yet: start mailtumble worker archive.")
    if broken:
        names = ", ".join(str(each["shard"]) for each in broken)
        raise VerifyFailed(f"the archive of {names} is broken")


def _verified(
    wired: Wiring, head: Head, known: Sequence[Head], step: Callable[[], None]
) -> dict[str, Any]:
    objects, bucket = wired.objects(), wired.archive_bucket
    records, on_stream, problem = 0, False, ""
    try:
        last = None
        for segment in read(objects, bucket, head, {each.shard: each for each in known}):
            records += len(segment.records)
            last = segment.records[-1]
            step()
        on_stream = last is not None and check_joint(wired.stream(), head, last)
    except ArchiveBroken as error:
        problem = str(error)
    return {"shard": head.shard, "records": records, "on_stream": on_stream, "problem": problem}


def _sound(found: dict[str, Any]) -> str:
    where = "which the stream has too" if found["on_stream"] else "which the stream has no more"
    return f"{found['records']} records are sound, the last of them {where}"


def _plain(head: Head) -> dict[str, Any]:
    return {**asdict(head), "arrived_at": _until(head)}


def _until(head: Head) -> str:
    return iso(head.arrived_at)
