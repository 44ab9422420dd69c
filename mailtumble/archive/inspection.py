"""Check that the archive is complete: compare bucket, stream, heads and cursors, shard by shard.

The heads are read before the bucket is listed. A worker may write meanwhile, so segments that the
heads do not explain are checked again with the heads as they are then.

Costs: one scan of the cursors, one listing of the bucket (a thousand keys a call), one read of each
segment (and for each leftover segment, another one of those that overlap with it), and a few reads
of the stream per shard.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mailtumble.archive import heads
from mailtumble.archive.chain import check_joint, check_place, missing_text, walk
from mailtumble.archive.continuity import (
    archived_until,
    break_after,
    break_before_first,
    is_ahead,
)
from mailtumble.archive.findings import (
    RESTORE,
    behind,
    breaks,
    digest,
    only_copy,
    orphaned,
    other_counts,
    set_back,
)
from mailtumble.archive.heads import TABLE, Head
from mailtumble.archive.leftovers import only_in, retained_from
from mailtumble.archive.losses import Acknowledgements, Problem, ProblemKind, read_acknowledged
from mailtumble.archive.orphans import lost_chains
from mailtumble.archive.segment import (
    BEGUN,
    PREFIX,
    ArchiveBroken,
    Segment,
    SegmentName,
    folder,
    name_of,
    unpack,
)
from mailtumble.archive.shard import GENERATION, NAME
from mailtumble.archive.tail import Tail, look_at_tail
from mailtumble.ports.store import Item, ItemStore
from mailtumble.ports.stream import EventStream, Shard
from mailtumble.ports.world import Clock, ObjectMissing, ObjectStore
from mailtumble.story.words import counted
from mailtumble.worker.cursor import cursor_key
from mailtumble.worker.views import iso


@dataclass(slots=True, kw_only=True)
class ShardReport:
    """The findings about one shard's archive.

    Attributes:
        shard: the shard's id.
        is_listed: whether the stream lists the shard.
        state: "archived", "empty" (a worker has the shard, and has written nothing yet), "waiting"
            (for its parents), or "not begun".
        segments: how many segments of the chain were read.
        records: how many records they have.
        spare_segments: segments that an interrupted write left behind; their records are in the
            chain or on the stream.
        on_stream: whether the stream still has the last archived record.
        behind_s: how long ago the oldest record arrived that is not archived yet, in seconds; 0 if
            there is none, None if it is not known.
        problems: what is wrong, acknowledged or not.
    """

    shard: str
    is_listed: bool
    state: str = "archived"
    segments: int = 0
    records: int = 0
    spare_segments: int = 0
    on_stream: bool = False
    behind_s: int | None = None
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The findings about the whole archive.

    ``has_run``: a worker has archived something, or has begun to. If none has, there is no archive,
    and that is not a problem: the archive is optional.
    """

    has_run: bool
    shards: Sequence[ShardReport]
    acknowledged: Acknowledgements

    def open_problems(self, shard: ShardReport) -> list[Problem]:
        """Return the problems of a shard that nobody has acknowledged."""
        known = self.acknowledged.get(shard.shard, {})
        return [each for each in shard.problems if each.id not in known]


@dataclass(frozen=True, slots=True)
class _Seen:
    """The contents of tables, bucket and stream at one look, by shard."""

    heads: Mapping[str, Head]
    cursors: Mapping[str, Item]
    gaps: Mapping[str, int]
    acknowledged: Acknowledgements
    segments: Mapping[str, list[SegmentName]]
    begun: Mapping[str, list[str]]
    listed: Mapping[str, Shard]

    def shards(self) -> list[str]:
        """Return every shard that is mentioned anywhere."""
        parts = (self.heads, self.cursors, self.segments, self.begun, self.listed)
        return sorted(set().union(*parts))


class Inspection:
    """An inspection of the whole archive, or of one shard."""

    def __init__(
        self,
        stream: EventStream,
        store: ItemStore,
        objects: ObjectStore,
        bucket: str,
        clock: Clock,
    ) -> None:
        """Create without I/O.

        Args:
            stream: the stream of events.
            store: the tables, with heads, cursors and acknowledgements.
            objects: the store of the segments.
            bucket: the archive's bucket.
            clock: the time, from which ages are computed.
        """
        self._stream = stream
        self._store = store
        self._objects = objects
        self._bucket = bucket
        self._clock = clock

    def run(
        self, only: str | None = None, expect: Callable[[int], Callable[[], None]] | None = None
    ) -> Report:
        """Inspect every shard that the stream, the bucket or the tables mention.

        Args:
            only: inspect this shard alone.
            expect: receives the number of segments to read, and returns what to call after each.

        Returns:
            The report; shards in the order of their ids.
        """
        seen = self._look()
        chosen = [each for each in seen.shards() if only in (None, each)]
        total = sum(len(seen.segments.get(each, ())) for each in chosen)
        step = expect(total) if expect is not None else _nothing
        has_run = bool(seen.heads or seen.cursors or seen.segments or seen.begun)
        reports = [self._inspect(each, seen, step) for each in chosen] if has_run else []
        return Report(has_run=has_run, shards=reports, acknowledged=seen.acknowledged)

    def _look(self) -> _Seen:
        items = self._store.scan(TABLE)
        prefix = cursor_key(NAME, GENERATION, "")["cursor"]
        segments: dict[str, list[SegmentName]] = defaultdict(list)
        for each in self._objects.listed(self._bucket, f"{PREFIX}/"):
            if (name := name_of(each.key)) is not None:
                segments[name.shard].append(name)
        begun: dict[str, list[str]] = defaultdict(list)
        for each in self._objects.listed(self._bucket, f"{BEGUN}/"):
            shard, _, digest = each.key.removeprefix(f"{BEGUN}/").partition("/")
            begun[shard].append(digest)
        return _Seen(
            heads={each.shard: each for each in heads.among(items)},
            cursors={
                key.removeprefix(prefix): item
                for item in items
                if (key := str(item["cursor"])).startswith(prefix)
            },
            gaps=heads.gaps_among(items),
            acknowledged=read_acknowledged(items),
            segments=segments,
            begun=begun,
            listed={each.id: each for each in self._stream.shards()},
        )

    def _inspect(self, shard: str, seen: _Seen, step: Callable[[], None]) -> ShardReport:
        report = ShardReport(shard=shard, is_listed=shard in seen.listed)
        if noticed_at := seen.gaps.get(shard):
            text = (
                f"the stream may have dropped the last records of {shard} before the worker read "
                f"them: it noticed this at {iso(noticed_at)}"
            )
            report.problems.append(Problem(ProblemKind.FORGOTTEN, f"end:{noticed_at}", text))
        names: Sequence[SegmentName] = seen.segments.get(shard, ())
        head, cursor = seen.heads.get(shard), seen.cursors.get(shard, {})
        is_old = head is None or is_ahead(cursor.get("sequence"), head)
        if is_old and (head := heads.find(self._store, shard)) is not None:
            # The worker may have written a segment after the head was read.
            listed = self._objects.listed(self._bucket, folder(shard))
            names = [name for each in listed if (name := name_of(each.key)) is not None]
        if head is None:
            self._without_head(report, names, seen)
            return report
        tail = (
            look_at_tail(self._stream, self._clock, shard, head.last) if report.is_listed else None
        )
        last = self._chain(report, head, names, seen, step)
        if is_ahead(cursor.get("sequence"), head):
            report.problems.append(set_back(head, str(cursor["sequence"])))
        self._leftovers(report, head, names, tail)
        self._compare_with_stream(report, head, last, cursor, tail)
        return report

    def _chain(
        self,
        report: ShardReport,
        head: Head,
        names: Iterable[SegmentName],
        seen: _Seen,
        step: Callable[[], None],
    ) -> Segment | None:
        """Read the segments of a chain that exist; return the last one, if it is sound."""
        chain, missing = walk(head, names)
        problems = report.problems
        if missing:
            text = missing_text(self._bucket, head.shard, missing)
            problems.append(Problem(ProblemKind.BROKEN, f"missing:{missing}", text))
        last, segment = "", None
        for name in chain:
            segment = None
            try:
                segment = self._read(name)
                check_place(name, segment, last, {**seen.heads, head.shard: head})
            except ArchiveBroken as error:
                subject = f"{name.hash}:{digest(str(error))}"
                problems.append(Problem(ProblemKind.BROKEN, subject, str(error)))
            if segment is not None:
                last = segment.records[-1].sequence_number
                report.segments, report.records = (
                    report.segments + 1,
                    report.records + len(segment.records),
                )
                problems += breaks(name, segment)
            step()
        found = (last, report.segments, report.records)
        if not problems_of(report, ProblemKind.BROKEN) and found != (
            head.last,
            head.segments,
            head.records,
        ):
            problems.append(other_counts(head, *found))
        return segment

    def _read(self, name: SegmentName) -> Segment:
        try:
            data = self._objects.get(self._bucket, name.key)
        except ObjectMissing as error:
            raise ArchiveBroken(str(error)) from error
        return unpack(name, data)

    def _leftovers(
        self, report: ShardReport, head: Head, names: Sequence[SegmentName], tail: Tail | None
    ) -> None:
        """Decide whether the segments that are not in the chain are a problem."""
        lost, leftovers = lost_chains(names, head)
        chain, _ = walk(head, names)
        unsaved = self._unsaved(leftovers, chain, retained_from(tail, head))
        now_head = heads.find(self._store, report.shard) if lost or unsaved else head
        if now_head is not None and now_head.hash != head.hash:
            # The worker has written more since the heads were read: later segments are its own.
            lost = [each for each in lost if each[0].first <= head.last]
            unsaved = [each for each in unsaved if each[0].first <= head.last]
        report.spare_segments = len(leftovers) - len(unsaved)
        report.problems += [orphaned(report.shard, run) for run in lost]
        report.problems += [problem for _, problem in unsaved]

    def _unsaved(
        self,
        leftovers: Iterable[SegmentName],
        chain: Sequence[SegmentName],
        retained: str | None,
    ) -> list[tuple[SegmentName, Problem]]:
        """Return the leftovers that have records which are nowhere else, each with its problem."""
        found: list[tuple[SegmentName, Problem]] = []
        for each in leftovers:
            try:
                if count := only_in(each, chain, retained, self._read):
                    found.append((each, only_copy(each, count)))
            except ArchiveBroken as error:
                subject = f"{each.hash}:{digest(str(error))}"
                found.append((each, Problem(ProblemKind.BROKEN, subject, str(error))))
        return found

    def _without_head(self, report: ShardReport, names: Sequence[SegmentName], seen: _Seen) -> None:
        cursor, begun = seen.cursors.get(report.shard, {}), seen.begun.get(report.shard, [])
        had_chain = bool(begun or cursor.get("sequence") or any(each.previous for each in names))
        if had_chain:
            where = (
                f"no head leads to {counted(len(names), 'segment')} of {report.shard} in "
                f"s3://{self._bucket}/{folder(report.shard)}"
                if names
                else f"{report.shard} was archived, and neither its head nor a segment is left"
            )
            facts = [*sorted(begun), str(cursor.get("sequence")), *sorted(n.hash for n in names)]
            text = f"{where}: {RESTORE}"
            report.problems.append(Problem(ProblemKind.NO_HEAD, digest("\n".join(facts)), text))
            return
        shard = seen.listed.get(report.shard)
        report.state = "empty"
        tail = look_at_tail(self._stream, self._clock, shard.id, None) if shard else None
        unsaved = self._unsaved(names, (), retained_from(tail, None))
        report.spare_segments = len(names) - len(unsaved)
        report.problems += [problem for _, problem in unsaved]
        if shard is None or tail is None:
            return
        report.behind_s = self._age_s(tail)
        if cursor:
            read_until = _read_until(cursor)
            if break_before_first([read_until], self._clock.now()):
                report.problems.append(behind(report.shard, read_until, f"start:{read_until}"))
        elif any(
            not seen.cursors.get(each, {}).get("closed")
            for each in shard.parents
            if each in seen.listed
        ):
            report.state = "waiting"
        else:
            report.state = "not begun"
            if tail.unread is not None:
                text = (
                    f"nobody archives {shard.id}, whose oldest record arrived at "
                    f"{iso(tail.unread.arrived_at)}: start mailtumble worker archive, or read "
                    "its log"
                )
                subject = tail.unread.sequence_number
                report.problems.append(Problem(ProblemKind.NOT_BEGUN, subject, text))

    def _compare_with_stream(
        self,
        report: ShardReport,
        head: Head,
        last: Segment | None,
        cursor: Item,
        tail: Tail | None,
    ) -> None:
        if tail is None:
            if not cursor.get("closed"):
                text = (
                    f"the stream has dropped {report.shard}, and the archive had read it only up "
                    f"to {iso(head.arrived_at)}: later records are lost, if there were any"
                )
                report.problems.append(Problem(ProblemKind.FORGOTTEN, f"shard:{head.last}", text))
            return
        report.behind_s = self._age_s(tail)
        report.on_stream = tail.joint is not None
        if tail.joint is None and not cursor.get("closed"):
            read_until = archived_until(head, cursor.get("sequence"), _read_until(cursor))
            if break_after(head, read_until, self._clock.now()):
                report.problems.append(behind(report.shard, read_until, head.last))
        elif tail.joint is not None and last is not None:
            record = last.records[-1]
            try:
                if record.sequence_number == head.last:
                    check_joint(tail.joint, report.shard, record)
            except ArchiveBroken as error:
                subject = f"joint:{head.last}"
                report.problems.append(Problem(ProblemKind.BROKEN, subject, str(error)))

    def _age_s(self, tail: Tail) -> int:
        if tail.unread is None:
            return 0
        return max(0, self._clock.now() - tail.unread.arrived_at) // 1_000_000


def problems_of(report: ShardReport, kind: ProblemKind) -> list[Problem]:
    """Return the problems of one kind."""
    return [each for each in report.problems if each.kind is kind]


def _read_until(cursor: Item) -> int:
    found = cursor.get("arrived_at")
    return found if isinstance(found, int) else 0


def _nothing() -> None:
    return None
