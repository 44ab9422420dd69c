"""The problems of an archive, and the losses that somebody has acknowledged.

An acknowledgement identifies the loss by a digest of what is missing, and not only by the shard.
A new loss on the same shard is therefore a new problem. Acknowledgements are kept in the table of
the heads, apart from the bucket.
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
"""The most losses that can be acknowledged per shard. At about 1 KB each, the item stays far below
DynamoDB's limit of 400 KB."""
REASON_MAX: Final = 500
"""The longest reason, in characters."""
TEXT_MAX: Final = 1_000
"""How many characters of a problem's text are kept with its acknowledgement."""
_PREFIX: Final = "archive-loss#"


class ProblemKind(enum.StrEnum):
    """What can be wrong with the archive of a shard."""

    BROKEN = "broken"
    """A segment of the chain is missing, has been changed, or is in the wrong place."""
    NO_HEAD = "no-head"
    """The shard was archived, and its head is gone."""
    ORPHANED = "orphaned"
    """Segments that no head names, and that no interrupted write explains, or whose records are
    nowhere else."""
    SET_BACK = "set-back"
    """The cursor is ahead of the head, although one transaction moves both."""
    RESTARTED = "restarted"
    """The worker began a new chain because the head of the old one was gone."""
    FORGOTTEN = "forgotten"
    """The stream dropped records before the worker read them."""
    BEHIND = "behind"
    """The worker has read nothing for longer than the stream keeps records."""
    NOT_BEGUN = "not-begun"
    """The archive runs, but nobody archives a shard of the stream that has records."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem of the archive of a shard.

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
        """The identity of the problem; another loss on the same shard has a different one."""
        return f"{self.kind.value}:{self.subject}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """An acknowledged loss. ``at`` is when it was acknowledged (microseconds UTC)."""

    id: str
    text: str
    reason: str
    at: int


Acknowledgements = Mapping[str, Mapping[str, Acknowledged]]
"""The acknowledged losses, by shard and by the id of the problem."""


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
    """Acknowledge all current problems of a shard; drop acknowledgements of former problems.

    Args:
        store: the tables.
        shard: the shard's id.
        problems: everything that is wrong with the shard now.
        reason: why that is accepted.
        now: microseconds UTC.

    Returns:
        The problems that were not acknowledged before.

    Raises:
        BadInput: the reason is empty or too long, or there are too many problems.
        RetryableError: somebody else acknowledged losses of the shard at the same time.
    """
    reason = reason.strip()
    if not reason or len(reason) > REASON_MAX:
        raise BadInput(
            f"a reason must have 1 to {REASON_MAX} characters; this one has {len(reason)}"
        )
    if len(problems) > LOSSES_MAX:
        raise BadInput(
            f"{shard} has {len(problems)} problems, and at most {LOSSES_MAX} can be acknowledged: "
            "restore the former versions of the bucket's objects first"
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
    # Nobody has written the item since it was read.
    unchanged = Condition(
        exists=before is not None,
        alternatives=((Equals("version", version),),) if before is not None else (),
    )
    try:
        store.write(Put(TABLE, item, when=(unchanged,)))
    except ConditionFailed as error:
        raise RetryableError(
            f"somebody else acknowledged losses of {shard} at the same time: try again"
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
