"""``mailtumble demo``: real mails through the whole system, each one's story, and the sum."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailtumble.cli.output import print_hint, print_line
from mailtumble.settings import load_settings
from mailtumble.wiring import Wiring
from schemas.errors import MailtumbleError

if TYPE_CHECKING:
    from mailtumble.demo.performance import Items, Part
    from mailtumble.local.stack import LocalStack


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Where logs and what was sent are kept (default: a folder that is removed on success).",
)
@click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
def command(*, state_dir: Path | None, debug: bool) -> None:
    """Run the whole system on this machine, send real mail through it, and show what happened.

    The command starts emulators of AWS and SES and all workers, as mailtumble local does, on free
    ports. It sends messages in by SMTP, reads from the event stream what happened to each, checks
    that received = ended, and stops everything again. It takes less than a minute. The exit code is
    1 if a message did not end as expected.

    \b
    Example:  mailtumble demo
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    # Slow to import: the stack, and all that it starts.
    from mailtumble.demo import performance, summary  # noqa: PLC0415
    from mailtumble.demo.scenes import FIRST_ACT, SCENES, SECOND_ACT  # noqa: PLC0415

    folder = state_dir or Path(tempfile.mkdtemp(prefix="mailtumble-demo-"))
    click.echo("Starting AWS, SES and the workers on this machine ...")
    with _stack(folder) as smtp_port:
        wired = Wiring(load_settings())
        performance.prepare(wired)
        parts = performance.hand_in(FIRST_ACT, smtp_port)
        click.echo(f"{len(FIRST_ACT)} mails are handed in by SMTP, for {len(parts)} recipients.")
        performance.moderate(wired, parts)
        _await(wired, parts)
        click.echo(f"{len(SECOND_ACT)} more: to what bounced, and while SES is used up by others.")
        more = performance.hand_in(SECOND_ACT, smtp_port)
        performance.crowd_out(wired, more)
        parts += more
        items = _await(wired, parts)
        for part, history in performance.stories(wired, [p for p in parts if p.mail_id in items]):
            click.echo()
            for line in performance.told(part, history):
                print_line(line)
        click.echo()
        total = summary.sum_of(parts, items)
        print_line(f"{len(SCENES)} mails: {total.told()}")
        verified = _verify(wired)
    wrong = summary.late(parts, items)
    if wrong or not (total.is_right and verified):
        raise summary.DemoFailed(
            f"{'; '.join(wrong) or 'the sum is not right'}: see the logs in {folder / 'logs'}"
        )
    if state_dir is None:
        shutil.rmtree(folder, ignore_errors=True)
    click.echo("Next: make run, which stays up; it tells what to type.")


def _await(wired: Wiring, parts: list[Part]) -> Items:
    from mailtumble.demo.performance import await_ends  # noqa: PLC0415 - slow to import

    with click.progressbar(length=len(parts), label="Waiting for their ends") as bar:
        return await_ends(wired, parts, lambda done: bar.update(done - bar.pos))


def _verify(wired: Wiring) -> bool:
    """Tell what mailtumble verify says of it all; whether nothing is wrong."""
    from mailtumble.audit.verification import Verification  # noqa: PLC0415 - slow to import
    from mailtumble.cli.verify import limits_of  # noqa: PLC0415
    from mailtumble.cli.verify_text import tell, wrong_with  # noqa: PLC0415

    verdict = Verification(
        wired.stream(),
        wired.store(),
        wired.settings.generation,
        wired.clock,
        limits=limits_of(wired),
    ).run()
    tell(verdict)
    return not wrong_with(verdict, ())


def _watch(stack: LocalStack, stop: threading.Event) -> None:
    # Where the embedded AWS dies, whoever is waiting for it tells.
    with suppress(MailtumbleError):
        stack.watch(stop)


@contextmanager
def _stack(folder: Path) -> Iterator[int]:
    """A local stack on free ports, watched meanwhile; gives its SMTP port."""
    from mailtumble.local.stack import LocalStack, StackOptions  # noqa: PLC0415 - slow to import
    from mailtumble.local.startup import Startup  # noqa: PLC0415

    options = StackOptions(
        state_dir=folder.absolute(), smtp_port=0, rate=14.0, daily_quota=50_000, limiter="debt"
    )
    stack = LocalStack(options, Startup(print_hint))
    stop = threading.Event()
    watching: threading.Thread | None = None
    try:
        state = stack.start()
        os.environ.update(state.environment)
        watching = threading.Thread(target=_watch, args=(stack, stop), daemon=True)
        watching.start()
        yield state.smtp_port
    finally:
        stop.set()
        if watching is not None:
            watching.join()
        stack.stop()
