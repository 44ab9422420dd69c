"""``mailtumble worker``: one worker in this process."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import click

from mailtumble.cli.state import state_option, wiring
from mailtumble.local.ministack import free_port
from mailtumble.logs import about, log_to_stderr
from mailtumble.settings import variable_of
from mailtumble.wiring import Wiring
from mailtumble.worker import starts
from mailtumble.worker.emf import EmbeddedMetrics
from mailtumble.worker.heaps import keep_few_heaps
from schemas.errors import BadInput


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name", type=click.Choice(["core", "sender", "archive", "intake"]))
@click.option(
    "--host",
    type=click.Choice(["embedded", "kcl"]),
    default="embedded",
    show_default=True,
    help="How the stream is read: embedded drives every shard in this one process, kcl shares "
    "them with other machines (needs Java and the extra kcl).",
)
@click.option(
    "--check",
    "only_check",
    is_flag=True,
    help="Start nothing; say what the host has found, or what is missing.",
)
@click.option(
    "--status-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write {name, pid, web_port} there as soon as the worker is at work.",
)
@state_option
def command(
    name: str,
    host: str,
    only_check: bool,  # noqa: FBT001 - click gives it by name
    status_file: Path | None,
    state_dir: Path | None,
    debug: bool,  # noqa: FBT001 - click gives it by name
) -> None:
    """Run one worker until SIGTERM or SIGINT.

    core decides where mails go and what follows from each outcome; sender makes the calls to
    SES at their instants; archive keeps every record of the stream in S3; intake takes SES's
    notifications from the queue to the stream.

    Its health is at http://127.0.0.1:PORT/health, its metrics at /metrics (MAILTUMBLE_WEB_PORT).

    \b
    Example:  mailtumble worker core
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    keep_few_heaps()
    if debug:
        os.environ[variable_of("log_level")] = "debug"  # for the KCL's children too
    wired = wiring(state_dir)
    log_to_stderr(wired.settings.log_level, wired.settings.log_format)
    if host == "kcl" and name == "intake":
        raise BadInput("intake reads no stream: the host kcl is for core, sender and archive")
    if only_check:
        _check(name, host, wired)
        return
    with about(application=name):
        asyncio.run(_serve(name, host, wired, status_file))
    logging.shutdown()
    sys.stderr.flush()
    # Threads that wait for a call without an answer must not hold the process up.
    os._exit(0)


def _check(name: str, kind: str, wired: Wiring) -> None:
    if kind == "kcl":
        from mailtumble.kcl.supervisor import check  # noqa: PLC0415

        for line in check(name, wired):
            click.echo(line)
    click.echo(f"{name} can be started with --host {kind}")


async def _serve(name: str, kind: str, wired: Wiring, status_file: Path | None) -> None:
    web_port = wired.settings.web_port or free_port()
    host = _host(name, kind, wired, web_port)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def ready() -> None:
        logging.getLogger(__name__).info("%s is at work; health on port %d", name, web_port)
        if status_file is not None:
            plain = {"name": name, "pid": os.getpid(), "web_port": web_port}
            draft = status_file.with_suffix(".draft")
            draft.write_text(json.dumps(plain), encoding="utf-8")
            draft.replace(status_file)

    if wired.settings.cloudwatch_metrics == "on":
        embedded = EmbeddedMetrics(host.vitals, wired.clock.now)
        host.faust.timer(wired.settings.cloudwatch_every_s, embedded.tell)
    # Half a million objects of botocore's models live as long as the process: not looking at them
    # again spares a fifth of the CPU (benchmarks/pipeline.py).
    gc.collect()
    gc.freeze()
    if name not in starts.SILENT:
        _announce(name, wired, stop)
    try:
        await host.run(stop, ready)
    finally:
        if status_file is not None:
            status_file.unlink(missing_ok=True)  # noqa: ASYNC240 - a local file, at the end


def _announce(name: str, wired: Wiring, stop: asyncio.Event) -> None:
    """Say on the log what the worker was started with; beside its work, on a thread of its own."""
    fact = starts.started(name, wired.settings, wired.rules_file().digest, wired.clock.now())
    arguments = (fact, wired.stream(), wired.clock.now, stop.is_set)
    Thread(target=starts.announce, args=arguments, name="start", daemon=True).start()


def _host(name: str, kind: str, wired: Wiring, web_port: int) -> Any:  # noqa: ANN401 - one of five
    if kind == "kcl":
        from mailtumble.kcl.supervisor import KclHost  # noqa: PLC0415 - only what is used

        return KclHost(name, wired, web_port=web_port)
    ports, plan = wired.ports(name), wired.plan()
    if name == "intake":
        from mailtumble.worker.intake_host import IntakeHost  # noqa: PLC0415 - only what is used

        ports = replace(
            ports, verifier=wired.verifier(), dead_letters=wired.queue("intake-dead-letters")
        )
        return IntakeHost(ports, plan, web_port=web_port)
    from mailtumble.worker.host import EmbeddedHost  # noqa: PLC0415
    from mailtumble.worker.works import work_of  # noqa: PLC0415

    poll_s = wired.settings.poll_interval_s
    return EmbeddedHost(work_of(name), ports, plan, web_port=web_port, poll_interval_s=poll_s)
