"""What is wrong with an archive, and which losses somebody has acknowledged.

An acknowledgement names the very loss: a digest of what is missing, not only the shard. A new loss
on the same shard is therefore a problem again. Acknowledgements are kept where the heads are, apart
from the bucket.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from mailtumble.archive.heads import TABLE
from mailtumble.ports.store import Condition, ConditionFailed, Equals, Item, ItemStore, Put
from schemas.errors import BadInput, RetryableError

LOSSES_MAX: Final = 100
"""Acknowledged losses of a shard: at about 1 KB each they stay far below DynamoDB's 400 KB."""
REASON_MAX: Final = 500
"""Characters of a reason."""
TEXT_MAX: Final = 1_000
"""Characters of a problem's text that are kept with its acknowledgement."""
_PREFIX: Final = "archive-loss#"


class ProblemKind(enum.StrEnum):
    """What can be wrong with the archive of a shard."""

    BROKEN = "broken"
    """A segment of the chain is missing, changed or out of its place."""
    NO_HEAD = "no-head"
    """The shard was archived, and its head is gone."""
    ORPHANED = "orphaned"
    """Segments that no head leads to, and that no interrupted write explains."""
    RESTARTED = "restarted"
    """The worker began a new chain, since the head of the old one was gone."""
    FORGOTTEN = "forgotten"
    """The stream dropped records before the worker read them."""
    BEHIND = "behind"
    """The worker has read nothing for longer than the stream keeps records."""
    NOT_BEGUN = "not-begun"
    """The stream has a shard with records that nobody archives, though the archive runs."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with the archive of a shard.

    Attributes:
        kind: what sort of problem it is.
        subject: what is lost or in doubt: a segment's hash, a sequence number, or a digest.
        text: what is wrong and what to do, for a person.
    """

    kind: ProblemKind
    subject: str
    text: str

    @property
    def id(self) -> str:
        """The identity of the problem: another loss on the shard has another one."""
        return f"{self.kind.value}:{self.subject}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """A loss that somebody knows of. ``at`` is in microseconds UTC."""

    id: str
    text: str
    reason: str
    at: int


Acknowledgements = Mapping[str, Mapping[str, Acknowledged]]
"""By shard and by the id of the problem."""


def read_acknowledged(items: Iterable[Item]) -> Acknowledgements:
    """Return the acknowledged losses among the items of the cursors' table."""
    return {
        str(item["cursor"]).removeprefix(_PREFIX): {each.id: each for each in _losses(item)}
        for item in items
        if str(item["cursor"]).startswith(_PREFIX)
    }


def acknowledge(
    store: ItemStore, shard: str, problems: Sequence[Problem], reason: str, now: int
) -> list[Acknowledged]:
    """Record that the problems of a shard are known; forget those that are there no longer.

    Args:
        store: the tables.
        shard: the shard's id.
        problems: everything that is wrong with the shard now.
        reason: why that is accepted.
        now: microseconds UTC.

    Returns:
        What was not acknowledged before.

    Raises:
        BadInput: the reason is empty or too long, or there are too many problems.
        RetryableError: somebody else acknowledged losses of the shard at the same time.
    """
    reason = reason.strip()
    if not reason or len(reason) > REASON_MAX:
        raise BadInput(f"a reason has 1 to {REASON_MAX} characters; this one has {len(reason)}")
    if len(problems) > LOSSES_MAX:
        raise BadInput(
            f"{shard} has {len(problems)} problems, and {LOSSES_MAX} can be acknowledged: "
            "restore the bucket's former versions first"
        )
    key = {"cursor": _PREFIX + shard}
    before = store.get(TABLE, key)
    known = {each.id: each for each in _losses(before or {})}
    new = [
        Acknowledged(id=each.id, text=each.text[:TEXT_MAX], reason=reason, at=now)
        for each in problems
        if each.id not in known
    ]
    kept = [known[each.id] for each in problems if each.id in known]
    version: Any = (before or {}).get("version", 0)
    item = {**key, "version": version + 1, "losses": [asdict(each) for each in (*kept, *new)]}
    # Nobody has written since it was read.
    unchanged = Condition(
        exists=before is not None,
        alternatives=((Equals("version", version),),) if before is not None else (),
    )
    try:
        store.write(Put(TABLE, item, when=(unchanged,)))
    except ConditionFailed as error:
        raise RetryableError(
            f"losses of {shard} were acknowledged by somebody else meanwhile: try again"
        ) from error
    return new


def _losses(item: Item) -> list[Acknowledged]:
    plain: Any = item.get("losses", ())
    return [
        Acknowledged(
            id=str(each["id"]),
            text=str(each["text"]),
            reason=str(each["reason"]),
            at=int(each["at"]),
        )
        for each in plain
    ]
