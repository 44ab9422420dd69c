"""``mailtumble local smtp``: the local SES's way in, as a process of its own."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path

import click

from mailtumble.cli import state
from mailtumble.cli.state import state_option
from mailtumble.logs import log_to_stderr
from schemas.errors import MailtumbleError


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--bind",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Where to listen. Whoever reaches it can send mail in: there is no authentication.",
)
@click.option("--port", default=2525, show_default=True, help="0: a free port.")
@state_option
def smtp(bind: str, port: int, state_dir: Path | None, debug: bool) -> None:  # noqa: FBT001
    """Receive mail by SMTP for an AWS that receives none, such as LocalStack.

    Does what SES does with incoming mail: a recipient without a receipt rule is refused; mail is
    stored in the rule's bucket, and its topic is told. The rules are those of the active rule set,
    asked for once, at the start. Runs until SIGTERM or SIGINT.

    \b
    Example:  mailtumble local smtp --port 2525
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    wired = state.wiring(state_dir)
    log_to_stderr(wired.settings.log_level, wired.settings.log_format)
    try:
        from mailtumble.local.ses.inbound import InboundSes  # noqa: PLC0415 - an extra of its own
    except ModuleNotFoundError as error:
        raise MailtumbleError(
            f"{error.name} is not installed: pip install 'mailtumble[local]'"
        ) from error
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    inbound = InboundSes(wired.clients, host=bind, port=port)
    log = logging.getLogger(__name__)
    for rule in inbound.rules:
        log.info("rule %s: %s", rule.name, ", ".join(rule.recipients) or "any recipient")
    with inbound:
        log.info("mail comes in by SMTP at %s:%d", bind, inbound.port)
        stop.wait()
    logging.shutdown()
    sys.stderr.flush()
    # A thread that waits for a call without an answer must not hold the process up.
    os._exit(0)
