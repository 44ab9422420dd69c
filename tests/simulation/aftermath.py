"""Compare the tables at the end of a run with what the independent model requires."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtumble.sender import application as sender
from mailtumble.worker import core
from processors.audit.model import Model, Taken
from schemas.events import (
    AddressBounced,
    AddressComplained,
    AddressSuppressed,
    BounceReceived,
    ComplaintReceived,
)
from schemas.ids import mail_of
from schemas.values import PERMANENT
from tests.simulation.readings import Readings, model_of, quarantined, unread_answers

if TYPE_CHECKING:
    from tests.simulation.evidence import Evidence
    from tests.simulation.world import World


Return = BounceReceived | ComplaintReceived


def leftovers(world: World, evidence: Evidence, log: Readings) -> list[str]:
    """Return complaints about missing items, leftover items, and overdue work."""
    if not world.rests:
        return []
    model = Model(core.NAME, quarantined(log, core.NAME))
    returned = _returned(log, model)
    excused = unread_answers(log, core.NAME)
    return [
        *(
            f"due: {subject}: {due.what} (target {due.target})"
            for subject, due in model.due()
            if due.command not in excused
        ),
        *_statuses(world, model),
        *_timers(world, model),
        *_claims(model_of(log, sender.NAME)),
        *_addresses(evidence, returned),
    ]


def _returned(log: Readings, model: Model) -> list[tuple[str, str, Return]]:
    """Pass the log to the model; return which messages to which addresses bounced."""
    found = []
    for records in log.values():
        for record in records:
            envelope = record.envelope
            if record.give(model) is not Taken.ACCEPTED or envelope is None:
                continue
            name = mail_of(envelope.subject) or ""
            for event in envelope.events:
                if isinstance(event, BounceReceived | ComplaintReceived):
                    targets = model.mails[name].targets
                    if 0 <= event.target < len(targets):
                        found.append((name, targets[event.target].address, event))
    return found


def _statuses(world: World, model: Model) -> list[str]:
    shown = {
        name: tuple(str(each["status"]) for each in item["targets"]) or (str(item["status"]),)
        for name, item in world.views().items()
    }
    due = {name: tuple(map(str, mail.statuses)) for name, mail in model.mails.items()}
    return [
        f"view: {name} shows {shown.get(name)}, the log says {due.get(name)}"
        for name in sorted(shown.keys() | due.keys())
        if shown.get(name) != due.get(name)
    ]


def _timers(world: World, model: Model) -> list[str]:
    """Return complaints unless core has exactly the timers that have yet to fire."""
    prefix = f"{core.NAME}#{world.generation}#"
    names = ("subject", "kind", "attempt_id", "number", "due_at")
    stored = {
        tuple(item[name] for name in names)
        for item in world.store.scan("timers")
        if str(item["bucket"]).startswith(prefix)
    }
    wanted = {
        (each.subject, str(each.kind), each.attempt_id, each.number, each.due_at)
        for each in model.timers
    }
    return [f"timer: {each} is {_how(each in wanted)}" for each in sorted(stored ^ wanted)]


def _how(wanted: bool) -> str:  # noqa: FBT001 - in words
    return "missing" if wanted else "left over"


def _claims(model: Model) -> list[str]:
    return [
        f"claim: round {each.round} of {each.attempt_id} has no outcome" for each in model.claims()
    ]


def _addresses(evidence: Evidence, returned: list[tuple[str, str, Return]]) -> list[str]:
    """Check that bounces and complaints count against their address, and suppress it."""
    counted: set[tuple[str, str, type]] = set()
    suppressed: set[str] = set()
    for event in evidence.events():
        match event:
            case AddressBounced() | AddressComplained():
                counted.add((event.mail_id, event.address, type(event)))
            case AddressSuppressed(address=address):
                suppressed.add(address)
            case _:
                pass
    complaints = []
    for name, address, event in returned:
        kind = AddressBounced if isinstance(event, BounceReceived) else AddressComplained
        if (name, address, kind) not in counted:
            complaints.append(f"address: that {name} came back is not counted for {address}")
        bad = isinstance(event, ComplaintReceived) or event.bounce_type == PERMANENT
        if bad and address not in suppressed:
            complaints.append(f"address: {address} is not suppressed, though {name} came back")
    return complaints
