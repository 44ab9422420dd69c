"""Stream, tables, buckets and queues: there, and of the shape that the definition has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mailtumble.definition import Index, KeyAttribute, Queue, Table
from mailtumble.doctor.findings import APPLY, Finding, Setup, fail, ok, warn

ACTIVE: Final = "ACTIVE"
SERVES: Final = frozenset({ACTIVE, "UPDATING"})
WAIT: Final = "wait until it is ACTIVE, and run this again"


def stream(setup: Setup) -> Iterator[Finding]:
    """Active, with shards, and kept for as long as the definition says."""
    defined = setup.definition.stream
    name = setup.named(defined.name)
    found = setup.survey.stream(name)
    if found is None:
        yield fail("stream", f"there is no stream {name}", APPLY)
        return
    told = f"{name}: {found.status}, {found.shards} shards, kept for {found.retention_hours} h"
    if found.status not in SERVES:
        yield fail("stream", told, WAIT)
    elif found.retention_hours < defined.retention_hours:
        yield warn(
            "stream",
            f"{told}: less than {defined.retention_hours} h",
            "raise its retention (terraform apply): what is older than that can't be replayed",
        )
    else:
        yield ok("stream", told)


def table(setup: Setup, defined: Table) -> Iterator[Finding]:
    """Active, with the definition's keys, indexes and expiry."""
    name = setup.named(defined.name)
    if defined.name == "aliases":
        if setup.settings.lookup != "dynamodb":
            return
        name = setup.settings.lookup_table or name
        if setup.settings.lookup_endpoint_url:
            return  # at another DynamoDB: the look-up itself is checked
    part = f"table {defined.name}"
    found = setup.survey.table(name)
    if found is None:
        yield fail(part, f"there is no table {name}", APPLY)
        return
    if found.status not in SERVES:
        yield fail(part, f"{name} is {found.status}", WAIT)
        return
    if _keys(found.shape) != _keys(defined):
        yield fail(
            part,
            f"{name} has the key {_told(_keys(found.shape))}, not {_told(_keys(defined))}",
            "make the table anew (a key can't be changed): terraform apply -replace",
        )
        return
    yield from _besides(part, name, found.shape, defined)


def _besides(part: str, name: str, found: Table, defined: Table) -> Iterator[Finding]:
    missing = [
        index.name for index in defined.indexes if _form(index) not in map(_form, found.indexes)
    ]
    if missing:
        yield fail(part, f"{name} lacks the index {', '.join(missing)}", "terraform apply")
    elif defined.ttl and found.ttl != defined.ttl:
        yield warn(
            part,
            f"{name} never forgets: no expiry by {defined.ttl}",
            "let DynamoDB expire its items (terraform apply), or it grows for ever",
        )
    else:
        yield ok(part, f"{name}: {_told(_keys(found))}")


def bucket(setup: Setup, name: str) -> Iterator[Finding]:
    """There."""
    physical = setup.named(name)
    if setup.survey.bucket(physical):
        yield ok(f"bucket {name}", physical)
    else:
        yield fail(f"bucket {name}", f"there is no bucket {physical}", APPLY)


def queue(setup: Setup, defined: Queue) -> Iterator[Finding]:
    """There, with its dead-letter queue."""
    part, name = f"queue {defined.name}", setup.named(defined.name)
    found = setup.survey.queue(name)
    if found is None:
        yield fail(part, f"there is no queue {name}", APPLY)
    elif defined.redrive is not None:
        wanted = setup.named(defined.redrive.queue)
        if found.dead_letters == wanted:
            yield ok(part, f"{name}: {found.waiting} waiting")
        else:
            yield fail(
                part,
                f"{name} moves dead letters to {found.dead_letters or 'nowhere'}",
                f"set its redrive policy to {wanted} (terraform apply), or a message that can't"
                " be taken in comes back until it is forgotten",
            )
    elif found.waiting and _is_dead_letters(setup, defined):
        yield warn(
            part,
            f"{name}: {found.waiting} waiting",
            "let intake run: it puts them into the quarantine (mailtumble quarantine list)",
        )
    else:
        yield ok(part, f"{name}: {found.waiting} waiting")


def _is_dead_letters(setup: Setup, queue: Queue) -> bool:
    return any(
        each.redrive is not None and each.redrive.queue == queue.name
        for each in setup.definition.queues
    )


def _keys(shape: Table | Index) -> tuple[KeyAttribute, KeyAttribute | None]:
    return shape.partition_key, shape.sort_key


def _form(index: Index) -> tuple[str, KeyAttribute, KeyAttribute | None]:
    return index.name, *_keys(index)


def _told(keys: tuple[KeyAttribute, KeyAttribute | None]) -> str:
    return " + ".join(f"{key.name} ({key.type})" for key in keys if key is not None)
