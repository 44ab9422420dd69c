"""Measures what core computes for a mail's records beside the bare loop in plain Python.

Ours: decode, judge by the ledger, evolve, decide, encode what was decided (schemas.codec,
processors.kernel, processors.mail), without any I/O. The bare loop is the limit of plain Python:
unpack, match the event's name or class, fold, put as many outputs together as ours decides, pack;
once with dicts and once with frozen event classes. It checks nothing, judges nothing, derives no
ids. Two loads: one event of some 20 fields in and one output out, and a mail's whole history.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgpack
from _mails import NOW, decide, life
from _measure import Table, command, measure, show, with_rounds

from processors import kernel, mail
from schemas import codec
from schemas.events import (
    EVENT_TYPES,
    DeliveryConfirmed,
    MailCompleted,
    MailReceived,
    RouteResolved,
    SendAccepted,
    SendScheduled,
    SendStarted,
)
from schemas.ids import fingerprint
from schemas.values import DAY_US

MAILS: Final = 50
"""Histories a portion."""

OURS: Final = "ours"
DICTS: Final = "bare loop, dicts"
CLASSES: Final = "bare loop, frozen event classes"
KINDS: Final[dict[str, Callable[..., Any]]] = {kind.__name__: kind for kind in EVENT_TYPES}

History = Sequence[bytes]
Plain = dict[str, Any]


def fold_ours(history: History) -> list[bytes]:
    """Work one mail's records off; gives the decisions' bytes."""
    state, ledger = mail.INITIAL, kernel.Ledger()
    outputs: list[bytes] = []
    for data in history:
        record = codec.decode(data)
        judgement, ledger = kernel.judge(ledger, record, fingerprint(data), record.recorded_at)
        if judgement is not kernel.Judgement.ACCEPTED:
            continue
        state = mail.fold(state, record.events)
        if not record.is_decision:
            outputs += map(codec.encode, decide(state, ledger, record))
    return outputs


def fold_dicts(history: History) -> list[bytes]:  # noqa: C901 - a bare loop calls nothing
    """The same, bare: plain values all the way."""
    state: Plain = {"status": "received", "attempt": ""}
    outputs: list[bytes] = []
    for data in history:
        record = msgpack.unpackb(data)
        for name, _, payload in record["events"]:
            match name:
                case "MailReceived":
                    state["received"] = payload
                    outputs.append(msgpack.packb(_decision(record, *_scheduling(payload))))
                case "RouteResolved":
                    state["targets"] = payload["targets"]
                case "SendScheduled":
                    state["status"], state["attempt"] = "scheduled", payload["attempt_id"]
                case "SendStarted":
                    state["status"] = "sending"
                case "SendAccepted":
                    state["status"] = "completed"
                    ended = {"ended": {"completed": 1}}
                    outputs.append(msgpack.packb(_decision(record, ["MailCompleted", 1, ended])))
                case "MailCompleted":
                    state["completed"] = True
                case "DeliveryConfirmed":
                    state["delivered"] = payload["happened_at"]
                case _:
                    raise TypeError(name)
    return outputs


def _scheduling(received: Plain) -> tuple[list[Any], list[Any]]:
    """What is decided about a received mail, as plain values."""
    resolved = {
        "alias": received["recipient"],
        "alias_version": 7,
        "tenant": "shop",
        "targets": [{"address": "fulfilment.desk@warehouse.example.org"}],
        "on_unknown": "resend",
    }
    scheduled = {
        "target": 0,
        "address": "fulfilment.desk@warehouse.example.org",
        "number": 1,
        "attempt_id": "2f6f3a1e-0d57-5ab4-9df0-6f2a7c1f9f10",
        "due_at": NOW,
        "expires_at": received["received_at"] + 3 * DAY_US,
        "tenant": "shop",
        "possible_duplicate": False,
    }
    return ["RouteResolved", 1, resolved], ["SendScheduled", 1, scheduled]


def _decision(record: Plain, *events: list[Any]) -> Plain:
    return {
        "id": "629b6c11-1046-570e-b7c7-d43e4fb883cb",
        "subject": record["subject"],
        "cause": record["id"],
        "after": ["", b""],
        "recorded_at": NOW,
        "decider": "mail",
        "rule_version": 1,
        "events": events,
    }


def fold_classes(history: History) -> list[bytes]:  # noqa: C901 - a bare loop calls nothing
    """The same, bare, but each event is made an object of its frozen class."""
    state: Plain = {"status": "received", "attempt": ""}
    outputs: list[bytes] = []
    for data in history:
        record = msgpack.unpackb(data)
        for name, _, payload in record["events"]:
            event = KINDS[name](**payload)
            match event:
                case MailReceived():
                    state["received"] = event
                    outputs.append(msgpack.packb(_decision(record, *_scheduling(payload))))
                case RouteResolved():
                    state["targets"] = event.targets
                case SendScheduled():
                    state["status"], state["attempt"] = "scheduled", event.attempt_id
                case SendStarted():
                    state["status"] = "sending"
                case SendAccepted():
                    state["status"] = "completed"
                    ended = {"ended": {"completed": 1}}
                    outputs.append(msgpack.packb(_decision(record, ["MailCompleted", 1, ended])))
                case MailCompleted():
                    state["completed"] = True
                case DeliveryConfirmed():
                    state["delivered"] = event.happened_at
                case _:
                    raise TypeError(name)
    return outputs


def portion(
    fold: Callable[[History], list[bytes]], histories: Sequence[History]
) -> Callable[[], int]:
    """Fold every history; the units are events."""
    events = sum(len(codec.decode(data).events) for history in histories for data in history)

    def work() -> int:
        for history in histories:
            fold(history)
        return events

    return work


def compare(title: str, histories: Sequence[History], rounds: int, slice_s: float) -> Table:
    """Ours beside the bare loops on one load."""
    folds = {OURS: fold_ours, DICTS: fold_dicts, CLASSES: fold_classes}
    cases = {name: portion(fold, histories) for name, fold in folds.items()}
    rates = measure(cases, rounds=rounds, slice_s=slice_s)
    records, size = len(histories[0]), sum(map(len, histories[0]))
    table = Table(
        f"{title}: records {records}, bytes {size:,}, "
        f"decisions {len(fold_ours(histories[0]))}, a mail",
        ("per CPU-second", "events", "mails", "times ours"),
    )
    events_a_mail = cases[OURS]() / len(histories)
    for name in cases:
        rate = rates.rate(name)
        table.rows.append((name, rate, rate / events_a_mail, rates.ratio(name, OURS)))
    return table


class Step(enum.IntEnum):
    """What ours does with a record, in its order."""

    DECODE = 1
    JUDGE = 2
    EVOLVE = 3
    DECIDE = 4
    ENCODE = 5


def fold_as_far_as(last: Step, history: History) -> None:
    """Ours up to and with one of the steps.

    A step by itself, over ready-made input, would look cheaper than it is on fresh objects.
    """
    state, ledger = mail.INITIAL, kernel.Ledger()
    for data in history:
        record = codec.decode(data)
        if last >= Step.JUDGE:
            _, ledger = kernel.judge(ledger, record, fingerprint(data), record.recorded_at)
        if last >= Step.EVOLVE:
            state = mail.fold(state, record.events)
        if last >= Step.DECIDE and not record.is_decision:
            decided = decide(state, ledger, record)
            if last >= Step.ENCODE:
                for decision in decided:
                    codec.encode(decision)


def as_far_as(last: Step, histories: Sequence[History]) -> Callable[[], int]:
    """A portion of that; the units are mails."""

    def work() -> int:
        for history in histories:
            fold_as_far_as(last, history)
        return len(histories)

    return work


def where(histories: Sequence[History], rounds: int, slice_s: float) -> Table:
    """Where ours spends its time."""
    cases = {step.name.lower(): as_far_as(step, histories) for step in Step}
    rates = measure(cases, rounds=rounds, slice_s=slice_s)
    table = Table("Ours by its steps, for a mail's whole history", ("step", "us a mail", "share"))
    whole = 1e6 / rates.rate(Step.ENCODE.name.lower())
    before = 0.0
    for name in cases:
        cost = 1e6 / rates.rate(name)
        table.rows.append((name, cost - before, f"{(cost - before) / whole:.0%}"))
        before = cost
    table.rows.append(("all of them", whole, "100%"))
    return table


def main() -> None:
    """Measure and print."""
    options = with_rounds(command(__doc__)).parse_args()
    lives = [life(f"fold-{number}") for number in range(MAILS)]
    for history in lives:
        decisions = [data for data in history if codec.decode(data).is_decision]
        if fold_ours(history) != decisions or len(fold_dicts(history)) != len(decisions):
            message = "the loops don't come to the decisions of the history"
            raise AssertionError(message)
    arrivals = [history[:1] for history in lives]
    rounds, slice_s = options.rounds, options.slice_s
    tables = [
        compare("One event in, one decision out", arrivals, rounds, slice_s),
        compare("A mail's whole history", lives, rounds, slice_s),
        where(lives, rounds, slice_s),
    ]
    show(tables, as_json=options.json)


if __name__ == "__main__":
    main()
