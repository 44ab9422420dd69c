"""Safeguards of the product, taken away one at a time: the judge has to notice.

Each mutation is a context manager; while it is open the product runs without that safeguard.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from mailtumble.sender import queue
from mailtumble.sender.claims import Claims
from mailtumble.sender.entry import Entry
from mailtumble.sender.standing import AddressStanding, Standing
from mailtumble.sender.transmission import Transmission
from mailtumble.worker import shard
from mailtumble.worker.cursor import Cursor
from mailtumble.worker.shard import ShardProcessor
from processors.kernel import Judgement, Ledger, judge
from processors.moderation import decider as moderation
from processors.sending import dispatch, orders
from schemas.envelope import EventEnvelope, Head
from schemas.events import SendCancelRequested
from schemas.values import DAY_US, Command, OnExpiry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mailtumble.ports.store import Item
    from mailtumble.ports.stream import StoredRecord
    from mailtumble.sender.transmission import Job, Permission
    from mailtumble.worker.memory import SubjectMemory
    from mailtumble.worker.records import Read
    from processors.kernel import Obeyed
    from processors.moderation.decider import Moderation
    from processors.sending.decider import Moment, Sending
    from processors.sending.dispatch import Attempt
    from schemas.events import CommandGiven, Event


def without_cursor() -> AbstractContextManager[object]:
    """Commits move the cursor without any condition: whoever comes last is right."""
    return patch.object(Cursor, "_mine", lambda _: ())


def without_pending() -> AbstractContextManager[object]:
    """A decision sees the folded state alone; outputs on their way are not remembered."""
    decide = ShardProcessor._decide

    def forgetful(
        self: ShardProcessor,
        memory: SubjectMemory[Any],
        *arguments: Any,  # noqa: ANN401 - passed on
    ) -> None:
        memory.pending = []
        decide(self, memory, *arguments)
        memory.pending = []

    return patch.object(ShardProcessor, "_decide", forgetful)


def without_after() -> AbstractContextManager[object]:
    """Readers accept every decision that is new by its content, whatever it builds on."""

    def trusting(
        ledger: Ledger, record: EventEnvelope, fingerprint: bytes, arrived_at: int
    ) -> tuple[Judgement, Ledger]:
        if record.after is None:
            return judge(ledger, record, fingerprint, arrived_at)
        if fingerprint.hex() in ledger.seen:
            return Judgement.REPEATED, ledger
        heads = {**ledger.heads, record.decider: Head(record.id, fingerprint)}
        seen = {**ledger.seen, fingerprint.hex(): arrived_at}
        return Judgement.ACCEPTED, replace(ledger, heads=heads, seen=seen)

    return patch.object(shard, "judge", trusting)


def without_claim() -> AbstractContextManager[object]:
    """The queue entry goes and the deadline is set, but nobody has to win a claim for it."""

    def unclaimed(self: Claims, entries: Sequence[Entry], now: int) -> set[int]:
        actions = [action for entry in entries for action in self._actions(entry, now)]
        rest = [replace(each, when=()) for each in actions if each.table != "claims"]
        self._store.transact(rest)
        return set()

    return patch.object(Claims, "_transact", unclaimed)


def without_deciding_again() -> AbstractContextManager[object]:
    """Decisions that lost against a rival are dropped; nobody decides their causes again."""

    def forgetful(
        self: ShardProcessor,  # noqa: ARG001
        memory: SubjectMemory[Any],
        record: EventEnvelope,  # noqa: ARG001
        stored: StoredRecord,
        *arguments: Any,  # noqa: ANN401, ARG001
    ) -> None:
        waiting = memory.pending
        won = bool(waiting) and waiting[0].output == stored.data
        memory.pending = shard.without_leading_silence(waiting[1:]) if won else []

    return patch.object(ShardProcessor, "_settle", forgetful)


def without_send_before() -> AbstractContextManager[object]:
    """A call is made however late it has become."""
    carry_out = Transmission.carry_out

    def patient(self: Transmission, job: Job, permission: Permission) -> Event:
        return carry_out(self, replace(job, send_before=job.send_before + DAY_US), permission)

    return patch.object(Transmission, "carry_out", patient)


def without_head_of_quarantined() -> AbstractContextManager[object]:
    """A quarantined decision does not become the head that the next one has to build on."""

    def blind(self: ShardProcessor, read: Read, outputs: object, now: object) -> list[object]:  # noqa: ARG001
        memory = self._memory[read.stored.subject]
        memory.state, writes = self.application.put_aside(memory.subject, memory.state)
        return [*writes, self._memory.put(memory.subject)]

    return patch.object(ShardProcessor, "_go_around", blind)


def without_approval_by_clock() -> AbstractContextManager[object]:
    """A rule whose ``on_expiry`` approves rejects."""
    by_clock = moderation._by_clock

    def strict(state: Moderation) -> Event:
        if state.on_expiry is OnExpiry.APPROVE:
            state = replace(state, on_expiry=OnExpiry.REJECT)
        return by_clock(state)

    return patch.object(moderation, "_by_clock", strict)


def without_suppression() -> AbstractContextManager[object]:
    """Suppressed addresses are sent to."""
    of = Standing.of

    def trusting(self: Standing, addresses: Iterable[str], now: int) -> dict[str, AddressStanding]:
        found = of(self, addresses, now)
        return {name: replace(each, suppressed="") for name, each in found.items()}

    return patch.object(Standing, "of", trusting)


def without_pauses() -> AbstractContextManager[object]:
    """Mail leaves whatever people have paused."""
    return patch.object(Standing, "held_since", lambda *_: None)


def without_cancelling() -> AbstractContextManager[object]:
    """The sender does not hear that an attempt is cancelled."""
    evolve = dispatch._evolve_attempt

    def deaf(attempt: Attempt, event: Event) -> Attempt:
        return attempt if isinstance(event, SendCancelRequested) else evolve(attempt, event)

    return patch.object(dispatch, "_evolve_attempt", deaf)


def without_send_now() -> AbstractContextManager[object]:
    """A person who wants mail sent now is told so, and nothing follows."""
    send_at = orders._send_at

    def idle(sending: Sending, command: CommandGiven, at: int, moment: Moment) -> Obeyed:
        obeyed = send_at(sending, command, at, moment)
        return replace(obeyed, events=()) if command.command is Command.SEND_NOW else obeyed

    return patch.object(orders, "_send_at", idle)


def without_expiry() -> AbstractContextManager[object]:
    """Mail whose time is over is sent all the same."""
    stack = ExitStack()
    stack.enter_context(patch.object(queue, "_is_over", lambda *_: False))
    stack.enter_context(patch.object(Entry, "is_over", lambda self, _: self.cancelled))
    return stack


def without_epoch_of_commit() -> AbstractContextManager[object]:
    """A commit that failed is taken for one's own, whoever has moved the cursor there."""

    def credulous(self: Cursor, item: Item, sequence: str) -> bool:  # noqa: ARG001
        return item.get("sequence") == sequence

    return patch.object(Cursor, "_is_done", credulous)


MUTATIONS: Final[dict[str, Callable[[], AbstractContextManager[object]]]] = {
    "cursor": without_cursor,
    "pending": without_pending,
    "after": without_after,
    "claim": without_claim,
    "deciding-again": without_deciding_again,
    "send-before": without_send_before,
    "head-of-quarantined": without_head_of_quarantined,
    "approval-by-clock": without_approval_by_clock,
    "suppression": without_suppression,
    "pauses": without_pauses,
    "cancelling": without_cancelling,
    "send-now": without_send_now,
    "expiry": without_expiry,
    "epoch-of-commit": without_epoch_of_commit,
}


def mutation(name: str | None) -> AbstractContextManager[object]:
    """The mutation of this name; None: the product as it is."""
    return nullcontext() if name is None else MUTATIONS[name]()
