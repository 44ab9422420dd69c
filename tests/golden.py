"""The golden files: one record for every event type and version, as it was written first.

Files and manifest are append-only. ``python -m tests.golden`` writes those that are missing for
the versions of today, and never touches one that is there. Beside each record lies the same as
JSON, to be read by people and compared with by the tests. Each line of the manifest seals the
lines before it, so that none of them can be changed or taken out by itself.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from schemas.codec import encode
from schemas.envelope import EventEnvelope, Head
from schemas.events import (
    EVENT_TYPES,
    AddressBounced,
    AddressComplained,
    AddressDelivered,
    AddressReleased,
    AddressSuppressed,
    AliasChanged,
    AliasRemoved,
    CommandAnswered,
    CommandGiven,
    Event,
    MailApproved,
    MailCompleted,
    MailExpired,
    MailHeld,
    MailRejected,
    ModerationDecided,
    QuotaObserved,
    RecordQuarantined,
    RecordRedriven,
    RouteDeferred,
    RouteExpired,
    RouteNotFound,
    RouteReopened,
    RouteResolved,
    SendCancelled,
    SendCancelRequested,
    SendExpired,
    SendHeldBack,
    SendingPaused,
    SendingRestored,
    SendingResumed,
    SendingStopped,
    SendParked,
    SendRescheduled,
    SendSuppressed,
    SendTimeSet,
    TargetReopened,
    Versions,
    WorkerStarted,
)
from schemas.ids import derive, fingerprint
from schemas.structure import from_plain, to_plain
from schemas.upcasters import upcast
from schemas.values import (
    Command,
    DeferReason,
    MailSource,
    ModerationAction,
    OnExpiry,
    Schedule,
    SuppressionReason,
    TimerKind,
)
from tests import samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FOLDER: Final = Path(__file__).parent / "fixtures" / "golden"
MANIFEST: Final = "MANIFEST"
_DECIDED: Final = (
    *("RouteResolved", "RouteNotFound", "RouteDeferred", "RouteExpired"),
    *("SendScheduled", "SendCancelRequested", "SendParked", "MailCompleted"),
    *("RouteReopened", "ModerationDecided", "MailHeld", "MailApproved", "MailRejected"),
    *("MailExpired", "TargetReopened", "SendTimeSet", "SendRescheduled", "CommandAnswered"),
)
_BY_NAME: Final = {kind.__name__: kind for kind in EVENT_TYPES}


def _samples() -> tuple[Event, ...]:
    attempt = "2f6f3a1e-0d57-5ab4-9df0-6f2a7c1f9f10"
    return (
        samples.received(subject_line="Grüße aus Köln", dmarc_policy="quarantine"),
        by_routes(samples.resolved("bob@example.org", "carol@example.org")),
        RouteNotFound(tried=("sales@example.com", "@example.com")),
        RouteDeferred(reason="timed out", number=2, retry_at=samples.after(4)),
        RouteExpired(reason="timed out"),
        samples.scheduled(attempt, possible_duplicate=True, number=2, route="relay"),
        SendCancelRequested(target=0, attempt_id=attempt, reason="accepted after all"),
        SendParked(target=1, reason="nobody knows whether SES has the mail"),
        MailCompleted(ended={"completed": 1, "bounced": 1}),
        replace(samples.started(attempt, round_=1), route="relay"),
        samples.accepted(attempt),
        samples.deferred(DeferReason.THROTTLED, attempt),
        samples.failed(attempt),
        samples.unknown(attempt),
        SendExpired(target=0, attempt_id=attempt),
        SendCancelled(target=0, attempt_id=attempt),
        samples.delivered(attempt),
        samples.delayed(attempt),
        samples.bounced(attempt),
        replace(samples.complained(attempt), complaint_subtype="OnAccountSuppressionList"),
        samples.rejected(attempt),
        samples.fired(TimerKind.UNKNOWN, attempt, 1, samples.after(60)),
        QuotaObserved(max_send_rate=13.3, max_24h=50_000),
        RecordQuarantined(
            application="core",
            shard_id="shardId-000000000002",
            sequence_number="49664400000000000000".zfill(64),
            partition_key=samples.SUBJECT,
            reason="not msgpack: Unpack failed",
            bucket="mail",
            object_key="quarantine/core/shardId-000000000002/1",
        ),
        RecordRedriven(quarantined=derive("quarantine", "core", "1"), by="ann"),
        WorkerStarted(
            application="core",
            release="0.1.0",
            settings_digest="0123456789abcdef0123456789abcdef",
            rules_digest="",
        ),
        *moderated(),
        *_ordered(attempt),
        *addresses(),
    )


def by_routes(route: RouteResolved) -> RouteResolved:
    """The first target by a way out of its own."""
    first, *others = route.targets
    return replace(route, targets=(replace(first, route="relay"), *others))


def moderated() -> tuple[Event, ...]:
    """What rules and moderators say."""
    return (
        RouteReopened(by="ann", expires_at=samples.after(60)),
        ModerationDecided(
            action=ModerationAction.HOLD,
            rule="spam",
            reason="SES says so",
            tags=("list",),
            rules_digest="0123456789abcdef0123456789abcdef",
            rule_line=7,
        ),
        MailHeld(
            rule="spam",
            reason="SES says so",
            expires_at=samples.after(60),
            on_expiry=OnExpiry.REJECT,
        ),
        MailApproved(by="ann", why="a customer"),
        MailRejected(by="the rule spam", why="SES says so"),
        MailExpired(by="ann", why="too late"),
    )


def _ordered(attempt: str) -> tuple[Event, ...]:
    return (
        TargetReopened(target=0, by="ann"),
        SendTimeSet(at=samples.after(60), by="ann"),
        SendRescheduled(
            target=0, attempt_id=attempt, due_at=samples.after(60), expires_at=samples.after(600)
        ),
        SendSuppressed(target=0, attempt_id=attempt, reason="it bounced"),
        SendHeldBack(
            target=0, attempt_id=attempt, round=1, rule="breaker", reason="too much came back"
        ),
        CommandGiven(
            command_id=derive("command"),
            command=Command.SEND_AT,
            by="ann",
            why="it is Christmas",
            at=samples.after(60),
            detail="",
        ),
        CommandAnswered(command_id=derive("command"), accepted=True, answer="its time is set"),
        SendingPaused(scope="shop", since=5, by="ann", why="wrong text"),
        SendingResumed(scope="shop", by="ann", why=""),
        SendingStopped(scope="example.com", why="MailFromDomainNotVerified: no MX"),
        SendingRestored(scope="example.com", stopped_at=1_760_000_000_000_000),
        AliasChanged(
            alias="sales@example.com",
            version=3,
            tenant="shop",
            targets=("bob@example.org",),
            moderated=True,
            schedule=Schedule(
                not_before=samples.after(60), delay_us=1, window="Mon-Fri 08:00-18:00 UTC"
            ),
            by="ann",
        ),
        AliasRemoved(alias="sales@example.com", version=4, by="ann"),
    )


def addresses() -> tuple[Event, ...]:
    """What is told of an address."""
    address = "bob@example.org"
    source = MailSource(
        digest="00112233445566778899aabbccddeeff",
        domain_digest="ffeeddccbbaa99887766554433221100",
        spf="PASS",
    )
    return (
        AddressBounced(
            address=address,
            mail_id=samples.MAIL_ID,
            happened_at=samples.after(4),
            bounce_type="Permanent",
            bounce_subtype="NoEmail",
            enhanced_status="5.1.1",
            diagnostic="smtp; 550 5.1.1",
            source=source,
        ),
        AddressComplained(
            address=address,
            mail_id=samples.MAIL_ID,
            happened_at=samples.after(5),
            feedback_type="abuse",
            complaint_subtype="",
            source=source,
        ),
        AddressDelivered(
            address=address, mail_id=samples.MAIL_ID, happened_at=samples.after(6), source=source
        ),
        AddressSuppressed(
            address=address,
            reason=SuppressionReason.PERMANENT,
            detail="smtp; 550 5.1.1",
            until=0,
        ),
        AddressReleased(address=address, detail="ann: a mistake"),
    )


def sample(event: Event) -> EventEnvelope:
    """A record that tells of this event alone, as such records are on the log."""
    name = type(event).__name__
    decided = name in _DECIDED
    return EventEnvelope(
        id=derive("golden", name),
        subject="fleet" if name in ("QuotaObserved", "WorkerStarted") else samples.SUBJECT,
        cause=derive("golden-cause", name),
        after=Head(derive("golden-before"), fingerprint(b"before")) if decided else None,
        recorded_at=samples.after(2) + 123_456,
        decider="mail" if decided else "sender",
        rule_version=1 if decided else 0,
        events=(event,),
    )


def file_name(kind: type[Event]) -> str:
    """Of the record of this event type, in the version that is written today."""
    return f"{kind.__name__}-v{Versions.current[kind]}.msgpack"


def as_json(record: EventEnvelope) -> str:
    """A record for people: its fields, and each event with type, version and payload."""
    after = record.after
    shown: dict[str, Any] = {
        **{name: getattr(record, name) for name in ("id", "subject", "cause")},
        "after": None if after is None else [after.id, after.fingerprint.hex()],
        **{name: getattr(record, name) for name in ("recorded_at", "decider", "rule_version")},
        "events": [
            [type(each).__name__, Versions.current[type(each)], to_plain(each)]
            for each in record.events
        ],
    }
    return json.dumps(shown, indent=2, ensure_ascii=False) + "\n"


def of_json(text: str) -> EventEnvelope:
    """The record that a golden JSON file tells of, its events brought to today's versions."""
    shown = json.loads(text)
    events = shown.pop("events")
    after = shown.pop("after")
    return EventEnvelope(
        **shown,
        after=after and Head(after[0], bytes.fromhex(after[1])),
        events=tuple(_event(*each) for each in events),
    )


def _event(name: str, version: int, payload: dict[str, Any]) -> Event:
    kind = _BY_NAME[name]
    return from_plain(kind, dict(upcast(name, version, Versions.current[kind], payload)))


@dataclass(frozen=True, slots=True)
class Sealed:
    """A line of the manifest: a file, its digest, and the seal over everything up to here."""

    name: str
    digest: str
    seal: str


def sealed(name: str, digest: str, before: str) -> Sealed:
    """The line for a file behind a line whose seal is ``before`` ("" for the first)."""
    return Sealed(name, digest, hashlib.sha256(f"{before} {digest} {name}".encode()).hexdigest())


def manifest(folder: Path = FOLDER) -> list[Sealed]:
    """The lines of a folder's manifest, in order; none where there is no manifest."""
    path = folder / MANIFEST
    if not path.exists():
        return []
    fields = [line.split(" ") for line in path.read_text(encoding="utf-8").splitlines()]
    return [Sealed(name, digest, seal) for seal, digest, name in fields]


def complaints(folder: Path = FOLDER) -> Iterator[str]:
    """What was changed, taken out or put in without the manifest's knowing of it."""
    before = ""
    lines = manifest(folder)
    for line in lines:
        path = folder / line.name
        if not path.exists():
            yield f"{line.name} was removed: records like it still lie in archives"
        elif hashlib.sha256(path.read_bytes()).hexdigest() != line.digest:
            yield f"{line.name} was changed: the bytes in the archives were not"
        if line != sealed(line.name, line.digest, before):
            yield f"{MANIFEST}: a line before {line.name} was changed or removed"
        before = line.seal
    known = {MANIFEST, *(line.name for line in lines)}
    for path in sorted(folder.iterdir()):
        if path.name not in known:
            yield f"{path.name} does not stand in the manifest: run python -m tests.golden"


def write_missing(folder: Path = FOLDER) -> list[str]:
    """Write and seal the files of today's versions that are not there yet; their names."""
    files: dict[str, bytes] = {}
    for event in _samples():
        name, record = file_name(type(event)), sample(event)
        files[name] = encode(record)
        files[name.replace(".msgpack", ".json")] = as_json(record).encode()
    return append(folder, files)


def append(folder: Path, files: Mapping[str, bytes]) -> list[str]:
    """Write and seal those files that the manifest does not know yet; their names."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = manifest(folder)
    known = {line.name for line in lines}
    before = lines[-1].seal if lines else ""
    written = [name for name in files if name not in known]
    for name in written:
        (folder / name).write_bytes(files[name])
        line = sealed(name, hashlib.sha256(files[name]).hexdigest(), before)
        with (folder / MANIFEST).open("a", encoding="utf-8") as out:
            out.write(f"{line.seal} {line.digest} {line.name}\n")
        before = line.seal
    return written


if __name__ == "__main__":
    print("\n".join(write_missing()) or "every event has its golden file")  # noqa: T201 - a tool
