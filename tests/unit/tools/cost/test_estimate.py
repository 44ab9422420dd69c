"""The estimate of costs: its arithmetic, and that the README has the one of now."""

from __future__ import annotations

import pytest

from tools.cost.__main__ import BEGIN, END, README, main, placed
from tools.cost.estimate import MEASURED, PRICES, WORKERS, by_mail, by_month, lines, read

MEASUREMENT = {
    "mail_bytes": 1024**3 / 1000,
    "by_mail": {
        "ses_sends": 1.0,
        "ses_send_bytes": 1024**3 / 1000,
        "sqs_requests": 2.0,
        "kinesis_in_kb": 8.0,
        "kinesis_out_kb": 24.0,
        "dynamodb_writes": 60.0,
        "dynamodb_reads": 10.0,
        "s3_puts": 1.0,
        "s3_gets": 2.0,
    },
    "idle_by_second": {"dynamodb_reads": 2.0},
}


def test_a_mails_quantities() -> None:
    """The workers' calls, and what SES and SNS do by themselves beside them."""
    found = by_mail(MEASUREMENT)
    assert found["sns_publishes"] == 3  # received, sent, delivered
    assert found["sqs_requests"] == 2 + 3
    assert found["s3_puts"] == 1 + 1
    assert found["s3_gb_months"] == pytest.approx(3 / 1000)
    assert found["kinesis_in_gb"] == 8 / 1024**2


def test_a_months_quantities() -> None:
    """Tasks by their least number, and what an idle fleet asks for in all its seconds."""
    sizes = """
    core = { cpu = 1024, memory_mb = 2048, tasks_min = 2, tasks_max = 8 }
    intake  = { cpu = 512, memory_mb = 1024, tasks_min = 1, tasks_max = 6 }
    """
    found = by_month(MEASUREMENT, sizes)
    assert found["fargate_vcpu_hours"] == 2.5 * 730
    assert found["fargate_gb_hours"] == 5 * 730
    assert found["dynamodb_reads"] == 2 * 730 * 3600
    assert found["sqs_requests"] == 0


def test_the_amount_is_by_the_price() -> None:
    """A price is per so many."""
    prices = {"s3_puts": {"price": 0.005, "per": 1000, "service": "S3", "what": "writes"}}
    (line,) = lines({"s3_puts": 2_000_000}, prices)
    assert line.amount == pytest.approx(10)


def test_every_quantity_has_its_price_and_every_price_is_used() -> None:
    """Nothing is left out of the bill unseen; the fleet's sizes are found in Terraform's file."""
    measured = read(MEASURED)
    months = by_month(measured, WORKERS.read_text(encoding="utf-8"))
    assert by_mail(measured).keys() | months.keys() == read(PRICES)["prices"].keys()
    assert months["fargate_vcpu_hours"] > 0


def test_the_readme_has_the_costs_of_now() -> None:
    """Generated, and not changed by hand since."""
    text = README.read_text(encoding="utf-8")
    assert text.count(BEGIN) == text.count(END) == 1
    assert main(["--check"]) == 0


def test_what_stands_around_the_table_stays() -> None:
    """Only what is between the marks is written."""
    text = placed(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
