"""Writes a process's API calls down, and reads what processes have written."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import obstore
from botocore.client import BaseClient

from tools.aws_calls.grants import Grant, grants
from tools.aws_calls.units import units

FOLDER_VARIABLE: Final = "AWS_CALLS_FOLDER"
INJECT: Final = Path(__file__).with_name("inject")
READS: Final = {"get": "GetObject", "head": "HeadObject"}
"""obstore's functions that the product calls, by S3's operations."""
ROOT: Final = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Call:
    """One API call of a worker: when (seconds since 1970), what it needs, what it costs."""

    worker: str
    at: float
    operation: str
    grants: frozenset[Grant]
    units: Mapping[str, float] = field(default_factory=dict)


def recording(folder: Path) -> dict[str, str]:
    """The environment of a process that is to write its calls into ``folder``."""
    paths = [str(INJECT), str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {
        FOLDER_VARIABLE: str(folder),
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }


def read_calls(folder: Path) -> Iterator[Call]:
    """What was written so far; a line that is just being written is left out."""
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.endswith("\n"):
                told = json.loads(line)
                yield Call(
                    told["worker"],
                    told["at"],
                    told["operation"],
                    frozenset((resource, action) for resource, action in told["grants"]),
                    told["units"],
                )


def made(calls: Iterable[Call]) -> dict[str, set[Grant]]:
    """By worker, what its calls need."""
    found: dict[str, set[Grant]] = {}
    for call in calls:
        found.setdefault(call.worker, set()).update(call.grants)
    return found


def summed(calls: Iterable[Call]) -> Counter[str]:
    """The units of all calls together."""
    total: Counter[str] = Counter()
    for call in calls:
        total.update(call.units)  # type: ignore[arg-type] - halves of read units
    return total


def worker_of(arguments: Sequence[str]) -> str | None:
    """Which worker a process is, by its command line; None for commands and servers."""
    for place, argument in enumerate(arguments[:-1]):
        if argument in {"worker", "mailtumble.kcl.child"}:
            return arguments[place + 1]
    return None


def record_this_process() -> None:
    """From now on, write down each call of this process, if it is a worker's."""
    worker = worker_of(sys.orig_argv)
    if worker is None:
        return
    path = Path(os.environ[FOLDER_VARIABLE]) / f"{worker}-{os.getpid()}.jsonl"
    # Unbuffered and with one write a line: threads don't mix theirs, and a kill loses none.
    lines = path.open("ab", buffering=0)
    original: Any = BaseClient._make_api_call  # type: ignore[attr-defined]  # noqa: SLF001

    def call_and_record(self: Any, operation: str, parameters: dict[str, Any]) -> Any:  # noqa: ANN401
        service = self.meta.service_model.service_name
        given, answer = dict(parameters), None  # botocore puts a stream in a body's place
        try:
            answer = original(self, operation, parameters)
        finally:
            # Also when it fails: AWS wants the permission before it looks at anything else.
            lines.write(_line(worker, service, operation, given, answer or {}) + b"\n")
        return answer

    BaseClient._make_api_call = call_and_record  # type: ignore[attr-defined]  # noqa: SLF001
    for name, operation in READS.items():
        _record_reads(name, operation, lambda *call: lines.write(_line(worker, *call) + b"\n"))


def _record_reads(name: str, operation: str, record: Callable[..., object]) -> None:
    """Hook one of obstore's functions, which is given a bucket's store and a key."""
    original: Any = getattr(obstore, name)

    def read_and_record(store: Any, key: str) -> Any:  # noqa: ANN401
        try:
            return original(store, key)
        finally:
            record("s3", operation, {"Bucket": store.config["bucket"], "Key": key}, {})

    setattr(obstore, name, read_and_record)


def _line(
    worker: str,
    service: str,
    operation: str,
    parameters: Mapping[str, Any],
    answer: Any,  # noqa: ANN401
) -> bytes:
    return json.dumps(
        {
            "worker": worker,
            "at": time.time(),
            "operation": f"{service}:{operation}",
            "grants": sorted(grants(service, operation, parameters)),
            "units": units(service, operation, parameters, answer),
        }
    ).encode()
