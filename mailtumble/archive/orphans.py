"""Segments that no head leads to: leftovers of interrupted writes, and parts of lost chains. Pure.

::

    chain     a ◀── b ◀── c (head)
    spare           └──── x             a worker died between its object and its transaction
    lost      d ◀── e ◀── f             nothing leads to f: the head was lost
              c ◀── g ◀── h             h follows g, so g had been a head: the head was set back
"""

from __future__ import annotations

from collections.abc import Sequence

from mailtumble.archive.chain import walk
from mailtumble.archive.heads import Head
from mailtumble.archive.segment import SegmentName


def lost_chains(names: Sequence[SegmentName], head: Head) -> tuple[list[list[SegmentName]], int]:
    """Sort what the bucket has of a shard beside its chain.

    A segment is written before the transaction that makes it the head, so a worker that dies, or
    one that was paused, leaves a single segment that follows the chain. Its records are read again.
    Anything longer was a chain.

    Args:
        names: the segments of the shard that the bucket has.
        head: the shard's head.

    Returns:
        The lost chains, each in its order, and the number of spare segments.
    """
    chain, _ = walk(head, names)
    in_chain = {each.hash for each in chain}
    orphans = {each.hash: each for each in names if each.hash not in in_chain}
    followed = {each.previous for each in orphans.values()}
    lost: list[list[SegmentName]] = []
    spare = 0
    visited: set[str] = set()
    for tip in sorted(orphans.values(), key=lambda each: (each.first, each.hash)):
        if tip.hash in followed:
            continue
        run: list[SegmentName] = []
        place: SegmentName | None = tip
        while place is not None and place.hash not in visited:
            visited.add(place.hash)
            run.append(place)
            place = orphans.get(place.previous)
        run.reverse()
        if _is_spare(run, in_chain, chain):
            spare += 1
        else:
            lost.append(run)
    return lost, spare


def _is_spare(run: Sequence[SegmentName], in_chain: set[str], chain: Sequence[SegmentName]) -> bool:
    if len(run) > 1:
        return False
    (only,) = run
    if only.previous:
        return only.previous in in_chain
    # The first write of a chain was interrupted, and the chain begins no later than that.
    return bool(chain) and not chain[0].previous and only.first >= chain[0].first
