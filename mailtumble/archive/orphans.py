"""Segments that no head names: leftovers of interrupted writes, and parts of lost chains. Pure.

::

    chain     a ◀── b ◀── c (head)
    leftover        └──── x             a worker died between its object and its transaction,
                                        or head and cursor were set back from x to b
    lost      d ◀── e ◀── f             no head names f: the head was lost
              c ◀── g ◀── h             h follows g, so g had been a head: the head was set back

The names alone do not say how a leftover came about: see :mod:`mailtumble.archive.leftovers`.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailtumble.archive.chain import walk
from mailtumble.archive.heads import Head
from mailtumble.archive.segment import SegmentName


def lost_chains(
    names: Sequence[SegmentName], head: Head
) -> tuple[list[list[SegmentName]], list[SegmentName]]:
    """Divide the segments of a shard that are not in its chain into lost chains and leftovers.

    A segment is written before the transaction that makes it the head. A worker that dies or loses
    the shard in between leaves a single segment that follows the chain. Anything longer was a
    chain.

    Args:
        names: the segments of the shard that the bucket has.
        head: the shard's head.

    Returns:
        The lost chains, each in order, and the single segments that an interrupted write explains.
    """
    chain, _ = walk(head, names)
    in_chain = {each.hash for each in chain}
    orphans = {each.hash: each for each in names if each.hash not in in_chain}
    followed = {each.previous for each in orphans.values()}
    lost: list[list[SegmentName]] = []
    leftovers: list[SegmentName] = []
    visited: set[str] = set()
    for tip in sorted(orphans.values(), key=lambda each: (each.first, each.hash)):
        if tip.hash in followed:
            continue
        run: list[SegmentName] = []
        segment: SegmentName | None = tip
        while segment is not None and segment.hash not in visited:
            visited.add(segment.hash)
            run.append(segment)
            segment = orphans.get(segment.previous)
        run.reverse()
        if _may_be_leftover(run, in_chain, chain):
            leftovers += run
        else:
            lost.append(run)
    return lost, leftovers


def _may_be_leftover(
    run: Sequence[SegmentName], in_chain: set[str], chain: Sequence[SegmentName]
) -> bool:
    if len(run) > 1:
        return False
    (only,) = run
    if only.previous:
        return only.previous in in_chain
    # The first write of a chain was interrupted, and the chain begins no later than this segment.
    return bool(chain) and not chain[0].previous and only.first >= chain[0].first
