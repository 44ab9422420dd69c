"""What a running stack tells of itself: events on the stream; logs, pages, metrics of workers."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence
from typing import Any, TypeVar

from prometheus_client.parser import text_string_to_metric_families

from mailtumble.definition import physical_name
from schemas.codec import decode
from schemas.events import Event
from tests.e2e.conftest import PREFIX, Stack

E = TypeVar("E", bound=Event)

WORKERS = ("intake", "core", "sender")


def told(stack: Stack, kind: type[E]) -> list[E]:
    """Events of a kind on the stream."""
    kinesis, name = stack.client("kinesis"), physical_name(PREFIX, "events")
    found: list[E] = []
    for shard in kinesis.list_shards(StreamName=name)["Shards"]:
        place = kinesis.get_shard_iterator(
            StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        for _ in range(20):
            answer = kinesis.get_records(ShardIterator=place, Limit=10_000)
            for record in answer["Records"]:
                found += [e for e in decode(record["Data"]).events if isinstance(e, kind)]
            place = answer.get("NextShardIterator")
            if not place or (not answer["Records"] and not answer["MillisBehindLatest"]):
                break
    return found


def log_lines(stack: Stack, workers: Sequence[str] = WORKERS) -> list[dict[str, Any]]:
    """All that the workers have logged; each line is JSON."""
    found = []
    for name in workers:
        text = (stack.folder / ".mailtumble" / "logs" / f"{name}.log").read_text(encoding="utf-8")
        found += [json.loads(line) for line in text.splitlines()]
    return found


def page(stack: Stack, worker: str, path: str) -> str:
    """A page of a worker's own."""
    status = stack.folder / ".mailtumble" / f"worker-{worker}.json"
    port = json.loads(status.read_text(encoding="utf-8"))["web_port"]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        body: bytes = answer.read()
    return body.decode()


def metric(stack: Stack, worker: str, name: str) -> float:
    """A metric of a worker, over all its labels, as Prometheus's parser reads it."""
    families = text_string_to_metric_families(page(stack, worker, "/metrics"))
    return sum(
        sample.value for family in families for sample in family.samples if sample.name == name
    )
