"""``mailtumble queue``: what waits, at what rate it leaves, and until when."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import click

from mailtumble.cli.state import state_option, wiring
from mailtumble.sender.quota import known_quota
from mailtumble.wiring import Wiring
from mailtumble.worker.horizon import number
from processors.sending.pacing import RATE_UNIT, slice_number, target_rate_milli
from schemas.ids import BUCKETS

THREADS: Final = 16


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Look at the sender's queue."""


@command.command("status")
@click.option("--json", "as_json", is_flag=True, help="{waiting, due, rate_per_second, quota, ...}")
@state_option
def status(
    as_json: bool,  # noqa: FBT001 - click gives it by name
    state_dir: Path | None,
    debug: bool,  # noqa: FBT001 - click gives it by name
) -> None:
    """Tell how many mails wait, how fast they leave, and when the last one that is due will.

    \b
    Example:  mailtumble queue status --json
    """  # noqa: D301 - click's own mark for a paragraph that is not to be wrapped
    del debug
    found = queue_status(wiring(state_dir))
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    rate, eta_s = found["rate_per_second"], found["eta_seconds"]
    pace = "the rate is not known yet" if rate is None else f"{rate:g} leave a second"
    end = "" if eta_s is None else f", the last of them in {eta_s} s"
    click.echo(f"{found['waiting']} wait, {found['due']} of them due; {pace}{end}.")


def queue_status(wired: Wiring) -> dict[str, Any]:
    """What waits in all buckets, the rate of the slice of now, and the account's quota."""
    store, now = wired.store(), wired.clock.now()
    with ThreadPoolExecutor(THREADS) as threads:
        pages = threads.map(
            lambda bucket: store.query("queue", f"{bucket:03d}").items, range(BUCKETS)
        )
        entries = [item for page in pages for item in page]
    due = sum(1 for item in entries if number(item, "due_at") <= now)
    quota = known_quota(store)
    key: dict[str, str | int] = {"account": wired.settings.region, "slice": slice_number(now)}
    current = store.get("slices", key)
    rate_milli = None
    if current is not None:
        rate_milli = number(current, "rate_milli")
    elif quota is not None:
        most = quota.max_send_rate_milli / RATE_UNIT
        rate_milli = target_rate_milli(most, wired.settings.rate_fraction)
    eta_s = 0 if not due else None
    if due and rate_milli:
        eta_s = round(due * RATE_UNIT / rate_milli)
    return {
        "waiting": len(entries),
        "due": due,
        "rate_per_second": None if rate_milli is None else rate_milli / RATE_UNIT,
        "quota": {
            "max_send_rate": quota.max_send_rate_milli / RATE_UNIT if quota else None,
            "max_24h": quota.max_24h if quota else None,
            "sent_24h": quota.sent_24h if quota else None,
        },
        "eta_seconds": eta_s,
    }
