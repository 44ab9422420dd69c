"""Single segments beside the chain: whether each of their records is also somewhere else.

An interrupted write leaves such a segment, and the worker reads its records again. A restored
table can leave the same picture: if head and cursor are both set back by one segment, that segment
follows the chain, and no head names it. Only the records tell the two cases apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest

from mailtumble.archive.heads import Head
from mailtumble.archive.segment import ArchiveBroken, Segment, SegmentName
from mailtumble.archive.tail import Tail


def retained_from(tail: Tail | None, head: Head | None) -> str | None:
    """Return the sequence number from which on the stream still has every record of a shard.

    Args:
        tail: what follows the archive on the stream; None if the stream has dropped the shard.
        head: the shard's head, if it has one.

    Returns:
        The padded sequence number, or None if the stream has no record that is not archived.
    """
    if tail is None:
        return None
    if tail.joint is not None and head is not None:
        return head.last
    return tail.unread.sequence_number if tail.unread is not None else None


def only_in(
    leftover: SegmentName,
    chain: Sequence[SegmentName],
    retained: str | None,
    read: Callable[[SegmentName], Segment],
) -> int:
    """Count the records of a leftover segment that are neither in the chain nor on the stream.

    This reads the leftover, and the segments of the chain that overlap with it.

    Args:
        leftover: a segment that is not part of the chain.
        chain: the segments of the shard's chain, in order.
        retained: the stream still has every record from this sequence number on; None if it has
            none.
        read: reads and checks a segment.

    Raises:
        ArchiveBroken: the leftover cannot be read.
    """
    numbers = {each.sequence_number for each in read(leftover).records}
    if retained is not None:
        numbers = {each for each in numbers if each < retained}
    # A segment ends before the next one begins.
    for name, following in zip_longest(chain, chain[1:]):
        if not numbers or name.first > max(numbers):
            break
        if following is not None and following.first <= min(numbers):
            continue
        try:
            segment = read(name)
        except ArchiveBroken:
            # The inspection of the chain reports this segment. Its records do not count as safe.
            continue
        numbers -= {each.sequence_number for each in segment.records}
    return len(numbers)
