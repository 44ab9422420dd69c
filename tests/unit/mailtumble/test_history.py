"""A mail's history comes from the stream, judged as core judges, and leaves the workers room."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mailtumble.history import PAUSE_S, RECORDS_MAX, NoSuchMail, find_mail_id, read_history
from mailtumble.ports.store import Put
from mailtumble.ports.stream import OutgoingRecord
from processors.kernel import Judgement
from schemas import codec
from schemas.envelope import GENESIS
from schemas.errors import BadInput, PermanentError, RetryableError
from schemas.events import MailReceived, RecordQuarantined, RouteNotFound, SendAccepted
from schemas.ids import mail_subject
from tests.samples import decision
from tests.unit.mailtumble.cli.small_world import SmallWorld

if TYPE_CHECKING:
    from mailtumble.history import History
    from mailtumble.ports.stream import Batch

GENERATION = "g1"


@pytest.fixture
def world() -> SmallWorld:
    """Core and sender over fakes."""
    return SmallWorld()


def _read(world: SmallWorld, mail: str, pauses: list[float] | None = None) -> History:
    slept: list[float] = [] if pauses is None else pauses
    return read_history(world.events, world.items, GENERATION, mail, slept.append)


def _kinds(history: History, judgement: Judgement | None) -> list[list[str]]:
    return [
        [type(event).__name__ for event in step.record.events]
        for step in history.steps
        if step.record and step.judgement is judgement
    ]


def _widen(world: SmallWorld, mail: str, **changes: object) -> None:
    """Change the projection's item of a mail."""
    key = f"{GENERATION}#{mail}"
    item = world.items.get("mails", {"mail_key": key}) or {}
    world.items.write(Put("mails", {**item, **changes}))  # type: ignore[dict-item]


def test_it_folds_to_the_state_of_core(world: SmallWorld) -> None:
    """The same status as the projection's, mail by mail, with others' records in between."""
    mails = [world.receive(number) for number in range(4)]
    world.send()
    lost = world.receive(9, "nobody@else.example")
    for mail in (*mails, lost):
        history = _read(world, mail)
        item = world.items.get("mails", {"mail_key": f"{GENERATION}#{mail}"}) or {}
        assert str(history.status) == item["status"]
        assert all(step.judgement is Judgement.ACCEPTED for step in history.steps)


def test_what_comes_second_is_void(world: SmallWorld) -> None:
    """A decision that builds on a head of the past, and a fact told twice."""
    mail = world.receive()
    subject = mail_subject(mail)
    late = decision(RouteNotFound(tried=("x",)), name="late", builds_on=GENESIS, subject=subject)
    world.events.append([OutgoingRecord(subject, codec.encode(late))])
    world.events.repeat(world.events.records()[0].sequence_number)
    world.send()
    history = _read(world, mail)
    assert _kinds(history, Judgement.VOID) == [["RouteNotFound"]]
    assert _kinds(history, Judgement.REPEATED) == [["MailReceived"]]
    assert history.status == "completed"


def test_records_that_core_put_aside_are_not_folded(world: SmallWorld) -> None:
    """Unreadable bytes, and a readable record at which core died: told, but without effect."""
    mail = world.receive()
    subject = mail_subject(mail)
    world.events.append([OutgoingRecord(subject, b"garbage")])
    jobs = world.claim()
    poison = SendAccepted(
        target=0, attempt_id=jobs[0].entry.attempt_id, provider_message_id="p", called_at=0
    )
    world.append(mail, poison, cause="poison")
    number = world.events.records()[-1].sequence_number
    aside = RecordQuarantined(
        application="core",
        shard_id="s",
        sequence_number=number,
        partition_key=subject,
        reason="it ended the worker three times",
        bucket="mail",
        object_key="k",
    )
    world.append(mail, aside, cause="core")
    last = world.events.records()[-1].sequence_number
    spans = _read_spans(world, mail)
    _widen(world, mail, spans=[[spans[0][0], spans[0][1], last]])
    history = _read(world, mail)
    put_aside = [step for step in history.steps if step.judgement is None]
    assert [step.record is None for step in put_aside] == [True, False]
    assert "not msgpack" in put_aside[0].problem
    assert put_aside[1].problem == "it ended the worker three times"
    assert history.mail.sending.targets[jobs[0].entry.target].provider_message_id == ""


def _read_spans(world: SmallWorld, mail: str) -> list[list[str]]:
    item = world.items.get("mails", {"mail_key": f"{GENERATION}#{mail}"}) or {}
    spans: list[list[str]] = item["spans"]  # type: ignore[assignment]
    return spans


def test_it_follows_the_mail_into_a_child_shard() -> None:
    """Every span is read, in the order of the stream."""
    world = SmallWorld()
    mail = world.receive()
    shard_id, first, last = _read_spans(world, mail)[0]
    child = world.events.split(shard_id)
    accepted = SendAccepted(target=0, attempt_id="a", provider_message_id="p", called_at=0)
    world.append(mail, accepted)
    new = world.events.records()[-1].sequence_number
    holder = next(name for name in child if world.events.records(name))
    _widen(world, mail, spans=[[shard_id, first, last], [holder, new, new]])
    steps = _read(world, mail).steps
    assert [step.shard_id for step in steps] == [shard_id] * (len(steps) - 1) + [holder]


def test_it_reads_a_shard_once_a_second(world: SmallWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first read is at once; before each further one lies a second. A throttle costs one."""
    mail = world.receive()
    subject = mail_subject(mail)
    filler = OutgoingRecord(subject, b"x")
    world.events.append([filler] * (2 * RECORDS_MAX))
    world.append(mail, SendAccepted(target=0, attempt_id="a", provider_message_id="", called_at=0))
    shard_id, first, _ = _read_spans(world, mail)[0]
    _widen(world, mail, spans=[[shard_id, first, world.events.records()[-1].sequence_number]])
    pauses: list[float] = []
    history = _read(world, mail, pauses)
    assert len(history.steps) == len(world.events.records(shard_id))
    assert pauses == [PAUSE_S] * 2
    reader = world.events.reader(shard_id, after=None, at=first)
    read, failures = type(reader).read, [RetryableError("throttled")]

    def throttled(self: object, limit: int) -> Batch:
        if failures:
            raise failures.pop()
        return read(self, limit)  # type: ignore[arg-type]

    monkeypatch.setattr(type(reader), "read", throttled)
    pauses = []
    assert _read(world, mail, pauses) == history
    assert pauses == [PAUSE_S] * 3


def test_a_trimmed_beginning_is_a_failure(world: SmallWorld) -> None:
    """Half a history would be judged wrongly: it is not told at all."""
    mail = world.receive()
    shard_id, first, _ = _read_spans(world, mail)[0]
    world.events.trim(shard_id, first)
    with pytest.raises(PermanentError, match=f"mail {mail} can't be told"):
        _read(world, mail)


def test_a_stream_that_does_not_show_the_end_is_a_failure(world: SmallWorld) -> None:
    """It is not waited for without end, and not told as if it were whole."""
    mail = world.receive()
    shard_id, first, _ = _read_spans(world, mail)[0]
    _widen(world, mail, spans=[[shard_id, first, "9" * 64]])
    with pytest.raises(RetryableError, match="try again"):
        _read(world, mail)
    world.events.split(shard_id)
    with pytest.raises(PermanentError, match="any more"):
        _read(world, mail)


def test_an_item_without_spans_is_a_failure(world: SmallWorld) -> None:
    """There is nowhere to read."""
    mail = world.receive()
    _widen(world, mail, spans=[])
    with pytest.raises(PermanentError, match="does not say where"):
        _read(world, mail)


def test_an_unknown_mail_is_named(world: SmallWorld) -> None:
    """With what to do."""
    with pytest.raises(NoSuchMail, match=r"'nowhere'.*mailtumble mail list"):
        _read(world, "nowhere")


def test_a_mail_is_found_by_a_prefix_that_is_its_own(world: SmallWorld) -> None:
    """Four characters at least; several mails are an error, another generation's are none."""
    for name in ("abcd-1", "abcd-2", "wxyz-1"):
        world.items.write(Put("mails", {"mail_key": f"{GENERATION}#{name}"}))
    world.items.write(Put("mails", {"mail_key": "g2#wxyz-2"}))
    assert find_mail_id(world.items, GENERATION, "wxyz") == "wxyz-1"
    assert find_mail_id(world.items, GENERATION, "abcd-1") == "abcd-1"
    with pytest.raises(BadInput, match="any of 2 mails"):
        find_mail_id(world.items, GENERATION, "abcd")
    for unknown in ("wxy", "", "nope"):
        with pytest.raises(NoSuchMail):
            find_mail_id(world.items, GENERATION, unknown)


def test_the_first_event_is_the_receipt(world: SmallWorld) -> None:
    """Another mail's records on the same shard are left out."""
    first, second = world.receive(1), world.receive(2)
    for mail in (first, second):
        steps = _read(world, mail).steps
        assert {step.record.subject for step in steps if step.record} == {mail_subject(mail)}
        assert isinstance(steps[0].record.events[0] if steps[0].record else None, MailReceived)
