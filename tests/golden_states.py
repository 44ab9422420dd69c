"""The golden states: one stored item for every aggregate and version, as it was written first.

As with the golden records (:mod:`tests.golden`), files and manifest are append-only, and
``python -m tests.golden_states`` writes those that are missing for the versions of today. The
msgpack file is the item's attribute ``state`` as it is stored; the JSON file shows the state alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from mailtumble.ports.store import Item
from mailtumble.sender.application import DispatchAggregate
from mailtumble.worker.aggregates import AddressAggregate, FleetAggregate, MailAggregate, Undecided
from mailtumble.worker.application import Aggregate, Span
from mailtumble.worker.memory import Pending, SubjectMemory, packed, read_subject
from processors import mail
from processors.bounces.decider import SuppressionRules
from processors.kernel import Ledger
from processors.states import VERSIONS
from schemas.codec import encode
from schemas.envelope import Head
from schemas.events import (
    AddressBounced,
    AddressSuppressed,
    Event,
    MailApproved,
    QuotaObserved,
    SendingPaused,
)
from schemas.structure import to_plain
from schemas.values import SuppressionReason
from tests import golden, samples

FOLDER: Final = Path(__file__).parent / "fixtures" / "golden-states"
SPANS: Final = (Span("shardId-000000000000", "1".zfill(64), "9".zfill(64)),)
LEDGER: Final = Ledger(
    heads={"mail": Head("head-1", b"0123456789abcdef")},
    seen={"fact-1": samples.after(1)},
    arrived_at=samples.after(2),
)
PENDING: Final = (
    Pending(encode(samples.fact(samples.received(), name="cause-1")), None),
    Pending(
        encode(samples.fact(samples.received(), name="cause-2")),
        encode(
            samples.decision(
                MailApproved(by="ann", why=""), name="output-2", builds_on=LEDGER.heads["mail"]
            )
        ),
    ),
)

AGGREGATES: Final[Mapping[str, Aggregate[Any]]] = {
    each.name: each
    for each in (
        MailAggregate(mail.Rules()),
        AddressAggregate(SuppressionRules()),
        FleetAggregate(),
        DispatchAggregate(),
        Undecided(),
    )
}


def _of_mail() -> Sequence[Event]:
    attempt = "attempt-1"
    moderated = golden.moderated()
    return (
        samples.received(dmarc_policy="quarantine"),
        golden.by_routes(samples.resolved("bob@example.org", "carol@example.org")),
        *moderated,
        samples.scheduled(attempt, route="relay"),
        samples.scheduled("attempt-2", target=1, address="carol@example.org"),
        samples.started(attempt),
        samples.accepted(attempt),
        samples.bounced(attempt),
        samples.started("attempt-2", target=1),
        samples.unknown("attempt-2", target=1),
    )


def _events(aggregate: str) -> Sequence[Event]:
    """What happened to the subject whose state is kept."""
    match aggregate:
        case "mail" | "dispatch":
            return _of_mail()
        case "address":
            bounced = {type(each): each for each in golden.addresses()}
            return (
                bounced[AddressBounced],
                AddressSuppressed(
                    address="bob@example.org",
                    reason=SuppressionReason.PERMANENT,
                    detail="smtp; 550 5.1.1",
                    until=0,
                ),
            )
        case "fleet":
            return (
                QuotaObserved(max_send_rate=14.0, max_24h=50_000),
                SendingPaused(scope="shop", since=5, by="ann", why="wrong text"),
            )
        case _:
            return ()


def sample(name: str) -> SubjectMemory[Any]:
    """A subject of an aggregate, with everything that can be stored of it."""
    aggregate = AGGREGATES[name]
    state = aggregate.initial
    for event in _events(name):
        state = aggregate.evolve(state, event)
    return SubjectMemory(samples.SUBJECT, aggregate, LEDGER, state, list(PENDING), SPANS)


def read(name: str, data: bytes) -> SubjectMemory[Any]:
    """Read a golden item."""
    item: Item = {"subject_key": "k", "state": data}
    return read_subject(samples.SUBJECT, item, AGGREGATES[name])


def file_name(aggregate: str) -> str:
    """The name of the golden item of an aggregate, in the version that is stored today."""
    return f"{aggregate}-v{VERSIONS[aggregate]}.msgpack"


def as_json(subject: SubjectMemory[Any]) -> str:
    """A state for people."""
    name = subject.aggregate.name
    shown = {"aggregate": name, "version": VERSIONS[name], "state": to_plain(subject.state)}
    return json.dumps(shown, indent=2, ensure_ascii=False) + "\n"


def write_missing(folder: Path = FOLDER) -> list[str]:
    """Write and seal the files of today's versions that are not there yet; their names."""
    files: dict[str, bytes] = {}
    for name in sorted(VERSIONS):
        subject = sample(name)
        files[file_name(name)] = packed(subject)
        files[file_name(name).replace(".msgpack", ".json")] = as_json(subject).encode()
    return golden.append(folder, files)


if __name__ == "__main__":
    print("\n".join(write_missing()) or "every state has its golden file")  # noqa: T201 - a tool
