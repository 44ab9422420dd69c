"""``mailtumble verify``: check that records are read, tables equal the stream, and mail ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from mailtumble.audit.overdue import GRACE_US
from mailtumble.audit.reading import WATCH_S
from mailtumble.audit.sender import Limits
from mailtumble.audit.tapes import Progress
from mailtumble.audit.unannounced import Redrive, Unannounced, unannounced
from mailtumble.audit.verification import Verdict, Verification
from mailtumble.cli import state
from mailtumble.cli.output import print_json, progress_bar
from mailtumble.cli.state import state_option
from mailtumble.cli.verify_text import plain, tell, tell_of_mails, wrong_with
from mailtumble.definition import load_definition
from mailtumble.wiring import Wiring
from schemas.errors import BadInput, MailtumbleError
from schemas.values import HOUR_US, SECOND_US

STEPS: Final = 1_000
"""Steps of the progress bar."""


class VerifyFailed(MailtumbleError):  # noqa: N818 - an answer
    """A check has failed."""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="{ok, reading: [{application, running, read, records, behind_s, shards}], "
    "sum: {opening, received, ended, open, holds}, records, mails, "
    "differences: [{kind, table, key, attribute, stored, expected}], "
    "overdue: [{name, what, due_at}], ...}",
)
@click.option(
    "--s3", "with_s3", is_flag=True, help="Also find messages in S3 whose notification never came."
)
@click.option(
    "--redrive", is_flag=True, help="With --s3: process these messages, by what their headers say."
)
@click.option(
    "--watch",
    "watch_s",
    type=click.IntRange(2, 3600),
    default=WATCH_S,
    show_default=True,
    metavar="SECONDS",
    help="How long a worker may make no progress while records wait.",
)
@click.option(
    "--grace",
    "grace_s",
    type=click.IntRange(0, 86_400),
    default=GRACE_US // SECOND_US,
    show_default=True,
    metavar="SECONDS",
    help="How long something may be open past its deadline. "
    "The default leaves time for a worker to start, and for a wait for an upgrade.",
)
@state_option
def command(
    *,
    as_json: bool,
    with_s3: bool,
    redrive: bool,
    watch_s: int,
    grace_s: int,
    state_dir: Path | None,
    debug: bool,
) -> None:
    """Check that the workers read, that the tables are right, and that no mail is stuck.

    Reads and replays the whole stream, slowly enough not to delay the workers. Mail may come in
    meanwhile. The exit code is 1 if one of these checks fails:

    *Reading.* Core, sender and archive advance while they have records to read (watched for
    --watch seconds). An application that was never started is named, but does not fail the check.

    *The sum.* Counted per target, open before + received = ended + open.

    *Tables.* Every message, counter, quarantined record, suppressed address, pause, timer, queue
    entry and claim in the tables is what the stream says, and none is missing. Core and an
    independent model read each message, suppression and pause in the same way.

    *Deadlines.* No message, command or timer is open more than --grace seconds past its deadline.

    Costs one read of the stream, a scan of the views, timers and queue, and a read of claims for
    each attempt on the stream. Uses about 10 KB of memory per message.

    With --s3, the command also finds messages that SES has put into the bucket and whose
    notification never came, except those of the last 5 minutes. --redrive processes them.

    \b
    Example:  mailtumble verify
              mailtumble verify --s3 --redrive
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    if redrive and not with_s3:
        raise BadInput("--redrive processes what --s3 finds: give both options")
    wired = state.wiring(state_dir)
    with _bar() as progress:
        verdict = Verification(
            wired.stream(),
            wired.store(),
            wired.settings.generation,
            wired.clock,
            progress,
            limits=limits_of(wired, watch_s, grace_s),
        ).run()
    lost = _unannounced(wired, verdict, redrive=redrive) if with_s3 else []
    too_old_at = wired.clock.now() - round(wired.settings.lifetime_h * HOUR_US)
    wrong = wrong_with(verdict, lost)
    if as_json:
        print_json(plain(verdict, lost, ok=not wrong))
    else:
        tell(verdict)
        if with_s3:
            tell_of_mails(lost, too_old_at, redrive=redrive)
    if wrong:
        raise VerifyFailed("; ".join(wrong))


def limits_of(
    wired: Wiring, watch_s: float = WATCH_S, grace_s: float = GRACE_US / SECOND_US
) -> Limits:
    """Return the limits that the settings and the options of ``verify`` imply.

    Args:
        wired: the composition root, with the settings.
        watch_s: how long a reader may stay where it is while records wait (seconds).
        grace_s: how long something may be open past its deadline (seconds).
    """
    plan = wired.plan()
    return Limits(
        claimed_for_us=plan.times.deadline_us - plan.times.send_us,
        archive_every_us=plan.archive_every_us,
        watch_s=watch_s,
        grace_us=round(grace_s * SECOND_US),
        upgrade_wait_us=plan.upgrade_wait_us,
    )


@contextmanager
def _bar() -> Iterator[Progress]:
    """Show a progress bar; its length is the share of the stream that has been read."""
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
