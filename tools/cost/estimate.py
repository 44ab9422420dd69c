"""The estimate, from what was measured and a table of prices. Pure, save for reading both files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mailtumble.definition import load_definition

TERRAFORM: Final = Path(__file__).resolve().parents[2] / "infra/terraform"
PRICES: Final = TERRAFORM / "cost/prices.json"
MEASURED: Final = TERRAFORM / "cost/measured.json"
WORKERS: Final = TERRAFORM / "modules/workers/variables.tf"

MAILS: Final = 1_000_000
HOURS: Final = 730
"""Of a month, as AWS counts."""
GB: Final = 1024**3
KB_OF_GB: Final = 1024**2
MAIL_KEPT_MONTHS: Final = 3.0
"""The default of mail_retention_days, 90."""
KEPT_MONTHS: Final = (168 - 24) / HOURS
"""What the stream's retention is beyond the 24 hours that are in the price."""

_SIZE: Final = re.compile(
    r"\w+\s*= \{ cpu = (\d+), memory_mb = (\d+), tasks_min = (\d+), tasks_max = \d+ \}"
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the bill: how much of what, at which price."""

    service: str
    what: str
    quantity: float
    amount: float


def read(path: Path) -> dict[str, Any]:
    """A JSON object."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def by_mail(measured: Mapping[str, Any]) -> dict[str, float]:
    """Priced quantities of one mail to one target."""
    units: Mapping[str, float] = measured["by_mail"]
    size_gb = measured["mail_bytes"] / GB
    feedback = 2 * units["ses_sends"]  # Send and Delivery
    return {
        "ses_received": 1,
        "ses_sends": units["ses_sends"],
        "ses_send_gb": units["ses_send_bytes"] / GB,
        # SES announces the mail, then each of its events; SNS puts each into the queue.
        "sns_publishes": 1 + feedback,
        "sqs_requests": units["sqs_requests"] + 1 + feedback,
        "kinesis_in_gb": units["kinesis_in_kb"] / KB_OF_GB,
        "kinesis_out_gb": units["kinesis_out_kb"] / KB_OF_GB,
        "kinesis_kept_gb_months": units["kinesis_in_kb"] / KB_OF_GB * KEPT_MONTHS,
        "dynamodb_writes": units["dynamodb_writes"],
        "dynamodb_reads": units["dynamodb_reads"],
        "s3_puts": units["s3_puts"] + 1,  # SES's own
        "s3_gets": units["s3_gets"],
        "s3_gb_months": size_gb * MAIL_KEPT_MONTHS,
    }


def by_month(measured: Mapping[str, Any], sizes: str) -> dict[str, float]:
    """What runs without a single mail: tasks, the stream, polls, alarms."""
    tasks = [tuple(map(int, found)) for found in _SIZE.findall(sizes)]
    idle: Mapping[str, float] = measured["idle_by_second"]
    seconds = HOURS * 60 * 60
    defined = load_definition()
    # Reads and writes of each table; lag and scaling of four workers; see modules/observability.
    alarms = 2 * len(defined.tables) + 3 + 8 + 10
    return {
        "fargate_vcpu_hours": sum(cpu / 1024 * least for cpu, _, least in tasks) * HOURS,
        "fargate_gb_hours": sum(memory / 1024 * least for _, memory, least in tasks) * HOURS,
        "kinesis_stream_hours": HOURS,
        "cloudwatch_alarm_metrics": alarms,
        "cloudwatch_dashboards": 1,
        **{name: idle.get(name, 0) * seconds for name in POLLED},
    }


POLLED: Final = ("dynamodb_reads", "dynamodb_writes", "sqs_requests")


def lines(quantities: Mapping[str, float], prices: Mapping[str, Any]) -> Iterator[Line]:
    """Each quantity at its price."""
    for name, quantity in quantities.items():
        price = prices[name]
        amount = quantity / price["per"] * price["price"]
        yield Line(price["service"], price["what"], quantity, amount)


def table() -> str:
    """The README's part: two tables and where the numbers come from."""
    prices, measured = read(PRICES), read(MEASURED)
    mails = {name: value * MAILS for name, value in by_mail(measured).items()}
    months = by_month(measured, WORKERS.read_text(encoding="utf-8"))
    size_kb = measured["mail_bytes"] / 1024
    place = f"{prices['region']} in {prices['as_of']}, in {prices['currency']}"
    load = f"{measured['mails']} mails of {size_kb:.0f} KB to one target each"
    return "\n".join(
        [
            f"Prices of {place}, without free tiers.",
            f"Measured with {load}, and {measured['shards']} shards.",
            "",
            "For each million mails:",
            "",
            *_rows(list(lines(mails, prices["prices"]))),
            "",
            "Each month, however few mails (the default numbers of tasks, an idle fleet's polls):",
            "",
            *_rows(list(lines(months, prices["prices"]))),
        ]
    )


def _rows(bill: list[Line]) -> Iterator[str]:
    yield "| service | what | quantity | USD |"
    yield "|---|---|---:|---:|"
    for line in bill:
        yield f"| {line.service} | {line.what} | {line.quantity:,.1f} | {line.amount:,.2f} |"
    yield f"| | **together** | | **{sum(line.amount for line in bill):,.2f}** |"
