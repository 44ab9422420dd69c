"""Every reader passes the same judgement: the first decision wins, facts hold once."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from processors.kernel import REMEMBERED_US, Judgement, Ledger, judge
from schemas.codec import encode
from schemas.envelope import GENESIS, EventEnvelope, Head
from schemas.events import SendParked
from schemas.ids import fingerprint
from schemas.values import DAY_US
from tests import samples

EMPTY = Ledger()
EVENT = SendParked(target=0, reason="because")


def _fact(name: str, at: int = samples.RECEIVED_AT) -> EventEnvelope:
    return samples.fact(EVENT, name=name, at=at)


def _decision(name: str, builds_on: Head, decider: str = "mail") -> EventEnvelope:
    return samples.decision(EVENT, name=name, builds_on=builds_on, decider=decider)


def _print(record: EventEnvelope) -> bytes:
    return fingerprint(encode(record))


def _head(record: EventEnvelope) -> Head:
    return Head(record.id, _print(record))


def _read(records: list[EventEnvelope], ledger: Ledger = EMPTY) -> tuple[list[Judgement], Ledger]:
    """Judge a stream from its start, as any reader does."""
    judgements = []
    for record in records:
        judgement, ledger = judge(ledger, record, _print(record), record.recorded_at)
        judgements.append(judgement)
    return judgements, ledger


def _accepted(records: list[EventEnvelope], ledger: Ledger = EMPTY) -> list[str]:
    judgements, _ = _read(records, ledger)
    return [
        record.id
        for record, judgement in zip(records, judgements, strict=True)
        if judgement is Judgement.ACCEPTED
    ]


@given(st.permutations(["a", "b", "c", "d"]))
def test_the_first_on_the_stream_wins(names: list[str]) -> None:
    """Of several decisions that build on the same one, the first stands and the rest are void."""
    judgements, ledger = _read([_decision(name, GENESIS) for name in names])
    assert judgements == [Judgement.ACCEPTED, *[Judgement.VOID] * 3]
    assert ledger.head("mail") == _head(_decision(names[0], GENESIS))


def test_a_chain_is_accepted_whole() -> None:
    """Each builds on the one before."""
    one = _decision("one", GENESIS)
    two = _decision("two", _head(one))
    three = _decision("three", _head(two))
    assert _accepted([one, two, three]) == ["one", "two", "three"]


@given(st.integers(1, 4), st.data())
def test_repeats_and_old_decisions_change_nothing(length: int, data: st.DataObject) -> None:
    """However often records of a chain come again after they were accepted, they stay void."""
    chain: list[EventEnvelope] = []
    for number in range(length):
        chain.append(_decision(f"d{number}", _head(chain[-1]) if chain else GENESIS))
    again = data.draw(st.lists(st.sampled_from(chain), max_size=6))
    judgements, ledger = _read([*chain, *again])
    assert set(judgements[length:]) <= {Judgement.VOID}
    assert ledger.head("mail") == _head(chain[-1])


def test_the_same_id_with_other_content_is_another_head() -> None:
    """The head is id and hash: a zombie's other decision on the cause is another head."""
    mine = _decision("one", GENESIS)
    zombies = replace(mine, recorded_at=mine.recorded_at + 1)
    next_of_zombie = _decision("two", _head(zombies))
    assert _accepted([mine, zombies, next_of_zombie]) == ["one"]


def test_deciders_do_not_stand_in_each_others_way() -> None:
    """Each decider has a head of its own on a subject."""
    records = [_decision("one", GENESIS), _decision("two", GENESIS, decider="moderation")]
    assert _accepted(records) == ["one", "two"]


def test_a_void_decision_and_a_repeat_leave_no_trace() -> None:
    """Whoever folds only accepted records has the very same ledger."""
    one, fact = _decision("one", GENESIS), _fact("f")
    _, clean = _read([one, fact])
    _, noisy = _read([one, _decision("other", GENESIS), fact, one, fact])
    assert noisy == clean


@given(st.lists(st.sampled_from("abcde"), max_size=12))
def test_a_fact_is_accepted_once(names: list[str]) -> None:
    """Each id once, at its first place, in whatever order and however often they come."""
    assert _accepted([_fact(name) for name in names]) == list(dict.fromkeys(names))


def test_facts_are_never_void_and_do_not_move_the_head() -> None:
    """What happened holds, whatever was decided before."""
    one = _decision("one", GENESIS)
    judgements, ledger = _read([one, _fact("f"), _decision("two", _head(one))])
    assert judgements == [Judgement.ACCEPTED] * 3
    assert ledger.head("mail").id == "two"


STREAMS = st.lists(
    st.tuples(
        st.sampled_from(["fact", "decision"]), st.sampled_from("abcd"), st.integers(0, 20 * DAY_US)
    ),
    max_size=12,
)


def _stream(steps: list[tuple[str, str, int]]) -> list[EventEnvelope]:
    records: list[EventEnvelope] = []
    decisions = [GENESIS]
    for kind, name, number in steps:
        if kind == "fact":
            records.append(_fact(name, samples.RECEIVED_AT + number))
        else:
            record = _decision(name, decisions[number % len(decisions)])
            records.append(record)
            decisions.append(_head(record))
    return records


@given(STREAMS, st.integers(0, 12))
def test_every_reader_judges_alike(steps: list[tuple[str, str, int]], cut: int) -> None:
    """One who reads from the start, and one who goes on from a stored ledger, see the same."""
    records = _stream(steps)
    whole, end = _read(records)
    first, ledger = _read(records[:cut])
    second, resumed = _read(records[cut:], ledger)
    assert (first + second, resumed) == (whole, end)


@given(STREAMS)
def test_what_is_accepted_is_a_chain(steps: list[tuple[str, str, int]]) -> None:
    """Accepted decisions always build on the accepted one before: no fork is ever seen."""
    records = _stream(steps)
    judgements, _ = _read(records)
    head = GENESIS
    for record, judgement in zip(records, judgements, strict=True):
        if record.is_decision and judgement is Judgement.ACCEPTED:
            assert record.after == head
            head = _head(record)


@given(st.lists(st.integers(0, 3 * DAY_US), max_size=20), st.integers(0, REMEMBERED_US))
def test_an_id_is_known_for_fifteen_days(gaps: list[int], wait: int) -> None:
    """Whatever comes in between, a fact told again within 15 days is recognised."""
    at = samples.RECEIVED_AT
    records = [_fact("first", at)]
    for number, gap in enumerate(gaps):
        if at + gap - samples.RECEIVED_AT > wait:
            break
        at += gap
        records.append(_fact(f"f{number}", at))
    records.append(_fact("first", samples.RECEIVED_AT + wait))
    judgements, _ = _read(records)
    assert judgements[-1] is Judgement.REPEATED


def test_ids_are_forgotten_in_the_end() -> None:
    """So the ledger of a subject that lives for years stays small."""
    later = samples.RECEIVED_AT + REMEMBERED_US + 1
    _, ledger = _read([_fact("old"), _fact("kept", samples.RECEIVED_AT + 1), _fact("new", later)])
    assert set(ledger.seen) == {"kept", "new"}


def test_a_writer_whose_clock_is_ahead_makes_nothing_forgotten() -> None:
    """Ids are forgotten by the stream's time; ``recorded_at`` plays no part."""
    at = samples.RECEIVED_AT
    ahead = _fact("ahead", at + 16 * DAY_US)
    ledger = EMPTY
    for record, arrived_at in ((_fact("first", at), at), (ahead, at + 1_000)):
        judgement, ledger = judge(ledger, record, _print(record), arrived_at)
        assert judgement is Judgement.ACCEPTED
    again = _fact("first", at)
    judgement, _ = judge(ledger, again, _print(again), at + 2_000)
    assert judgement is Judgement.REPEATED


def test_arrival_time_never_goes_back() -> None:
    """A record that the stream stamps earlier than the one before counts as arrived with it."""
    at = samples.RECEIVED_AT
    ledger = EMPTY
    for name, arrived_at in (("one", at + 5_000), ("two", at)):
        record = _fact(name)
        _, ledger = judge(ledger, record, _print(record), arrived_at)
    assert ledger.seen == {"one": at + 5_000, "two": at + 5_000}
    decision = _decision("d", GENESIS)
    _, ledger = judge(ledger, decision, _print(decision), at + 9_000)
    assert ledger.arrived_at == at + 9_000


def test_a_record_that_is_not_accepted_does_not_move_the_arrival_time() -> None:
    """Such a record is not stored, so a reader that goes on from the store can't know its time."""
    at = samples.RECEIVED_AT
    one, other = _decision("one", GENESIS), _decision("other", GENESIS)
    _, before = judge(EMPTY, one, _print(one), at)
    _, after = judge(before, other, _print(other), at + 16 * DAY_US)
    assert after == before


def test_ids_are_remembered_longer_than_any_queue_delivers() -> None:
    """SQS keeps messages for 14 days at most."""
    assert REMEMBERED_US > 14 * DAY_US
