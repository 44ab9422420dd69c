"""Ids follow from causes: the same causes, the same id, in every process and for ever."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from schemas import ids

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x1f"), max_size=12)


def test_ids_do_not_change() -> None:
    """These stand on logs: another namespace or separator would make every repeat a new thing."""
    assert ids.mail_id("m", "a@example.com") == "75a3f0eb-96f1-5269-a15c-379921116d89"
    assert ids.decision_id("c", "mail", "mail:1") == "1ff221a1-d180-54fd-8ae3-ab11454e2b8f"
    assert ids.attempt_id("d", 0, 1) == "d4fa90c6-e929-5aa0-b024-94cac3b8b08c"
    assert ids.timer_id("mail:1", "lookup", "", 1, 5) == "4342078b-131d-5931-9eaf-000eef8609e6"
    assert ids.fingerprint(b"abc").hex() == "cf4ab791c62b8d2b2109c90275287816"


@given(st.lists(WORDS, min_size=1, max_size=4), st.lists(WORDS, min_size=1, max_size=4))
def test_other_causes_give_another_id(one: list[str], other: list[str]) -> None:
    """Parts don't run together: ("ab", "c") is not ("a", "bc")."""
    assert (ids.derive(*one) == ids.derive(*other)) is (one == other)


@given(WORDS)
def test_an_id_is_a_uuid_of_version_5(word: str) -> None:
    """As RFC 9562 has them: from a name, not from a clock or chance."""
    assert UUID(ids.derive(word)).version == 5


def test_case_of_the_recipient_does_not_make_another_mail() -> None:
    """Two receipt rules, or a redelivery, may spell the recipient differently."""
    assert ids.mail_id("m", "Sales@Example.COM") == ids.mail_id("m", "sales@example.com")


def test_a_mail_is_one_message_and_one_recipient() -> None:
    """Another recipient of the same message is another mail."""
    assert ids.mail_id("m", "a@example.com") != ids.mail_id("m", "b@example.com")


@given(WORDS)
def test_the_mail_can_be_read_off_its_subject(name: str) -> None:
    """Subjects of other kinds, and one without a name, are no mail's."""
    assert ids.mail_of(ids.mail_subject(name)) == (name or None)
    assert ids.mail_of(f"quarantine:{name}") is None


@given(st.text(max_size=30))
def test_the_bucket_is_the_first_byte_of_the_hash_key(subject: str) -> None:
    """Kinesis's MD5 decides which shard, and so which bucket, a subject belongs to."""
    key = ids.hash_key(subject)
    assert 0 <= key < ids.HASH_KEY_SPACE
    assert ids.bucket(subject) == f"{key // (ids.HASH_KEY_SPACE // ids.BUCKETS):03d}"


def test_the_hash_key_is_the_one_of_kinesis() -> None:
    """RFC 1321's own test vector: MD5("abc") as a big-endian number."""
    assert f"{ids.hash_key('abc'):032x}" == "900150983cd24fb0d6963f7d28e17f72"


@given(st.integers(0, 10**56 - 1), st.integers(0, 10**56 - 1))
def test_padded_sequence_numbers_sort_as_numbers(one: int, other: int) -> None:
    """Text of equal length compares as the numbers do."""
    assert (ids.padded(str(one)) < ids.padded(str(other))) is (one < other)
