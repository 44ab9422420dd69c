"""What holds everything together, taken away one at a time: the judge has to notice.

Each mutation is a context manager; while it is open the product runs without that one thing.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from mailtumble.sender.claims import Claims
from mailtumble.worker import shard
from mailtumble.worker.cursor import Cursor
from mailtumble.worker.shard import ShardProcessor
from processors.kernel import Judgement, Ledger, judge
from schemas.envelope import EventEnvelope, Head

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailtumble.sender.entry import Entry
    from mailtumble.worker.memory import SubjectMemory


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


MUTATIONS: Final[dict[str, Callable[[], AbstractContextManager[object]]]] = {
    "cursor": without_cursor,
    "pending": without_pending,
    "after": without_after,
    "claim": without_claim,
}


def mutation(name: str | None) -> AbstractContextManager[object]:
    """The mutation of this name; None: the product as it is."""
    return nullcontext() if name is None else MUTATIONS[name]()
