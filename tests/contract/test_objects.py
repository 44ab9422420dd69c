"""The contract of ObjectStore."""

from __future__ import annotations

import pytest

from mailtumble.aws.clients import Clients
from mailtumble.aws.s3 import S3Objects
from mailtumble.ports.world import ObjectMissing, ObjectStore
from schemas.errors import PermanentError
from schemas.values import SECOND_US

BUCKET = "contract-mail"


def test_what_is_put_is_got(objects: ObjectStore, unique: str) -> None:
    """Bytes come back as they were, and their number is told without them."""
    data = bytes(range(256)) * 300
    objects.put(BUCKET, f"inbound/{unique}", data)
    assert objects.get(BUCKET, f"inbound/{unique}") == data
    assert objects.size(BUCKET, f"inbound/{unique}") == len(data)


def test_an_empty_object_is_an_object(objects: ObjectStore, unique: str) -> None:
    """No bytes are not a missing object."""
    objects.put(BUCKET, unique, b"")
    assert objects.get(BUCKET, unique) == b""
    assert objects.size(BUCKET, unique) == 0


def test_putting_again_replaces(objects: ObjectStore, unique: str) -> None:
    """An object is written whole."""
    objects.put(BUCKET, unique, b"first, and longer")
    objects.put(BUCKET, unique, b"second")
    assert objects.get(BUCKET, unique) == b"second"


def test_names_with_odd_characters_are_names(objects: ObjectStore, unique: str) -> None:
    """Keys are text, not paths or URLs."""
    for key in (f"{unique}/a b+c%20d/ü?&=.eml", f"{unique}//empty part", f"{unique}/*~#[|]^"):
        objects.put(BUCKET, key, key.encode())
        assert objects.get(BUCKET, key) == key.encode()
        assert objects.size(BUCKET, key) == len(key.encode())


@pytest.mark.parametrize(("size_bytes", "got"), [(1, 1), (255, 255), (256, 256), (9999, 256)])
def test_the_first_bytes_can_be_had_alone(
    objects: ObjectStore, unique: str, size_bytes: int, got: int
) -> None:
    """As many as there are, up to the number asked for."""
    data = bytes(range(256))
    objects.put(BUCKET, unique, data)
    assert objects.head(BUCKET, unique, size_bytes) == data[:got]


def test_an_empty_object_has_no_first_bytes(objects: ObjectStore, unique: str) -> None:
    """That is no error, though S3 calls the range invalid."""
    objects.put(BUCKET, unique, b"")
    assert objects.head(BUCKET, unique, 100) == b""


def test_objects_are_listed_by_the_beginning_of_their_keys(
    objects: ObjectStore, unique: str
) -> None:
    """In the order of the keys, with their sizes and when they were written, in whole seconds."""
    for size, name in enumerate(("b", "a/2", "a/10", "a/ü", "c", "a/%20 x")):
        objects.put(BUCKET, f"{unique}/{name}", b"x" * size)
    objects.put(BUCKET, f"x{unique}/a/9", b"")
    listed = list(objects.listed(BUCKET, f"{unique}/a/"))
    assert [(each.key, each.size_bytes) for each in listed] == [
        (f"{unique}/a/%20 x", 5),
        (f"{unique}/a/10", 2),
        (f"{unique}/a/2", 1),
        (f"{unique}/a/ü", 3),
    ]
    assert all(each.modified_at % SECOND_US == 0 for each in listed)
    assert list(objects.listed(BUCKET, f"{unique}/nothing")) == []


def test_more_objects_than_a_call_gives_are_listed(objects: ObjectStore, unique: str) -> None:
    """S3 gives a thousand at once."""
    keys = [f"{unique}/{number:04d}" for number in range(1_005)]
    for key in keys:
        objects.put(BUCKET, key, b"")
    assert [each.key for each in objects.listed(BUCKET, f"{unique}/")] == keys


def test_a_missing_object_is_said_to_be_missing(objects: ObjectStore, unique: str) -> None:
    """With its place in the text, by get, head and size alike."""
    with pytest.raises(ObjectMissing, match=unique):
        objects.get(BUCKET, unique)
    with pytest.raises(ObjectMissing, match=unique):
        objects.head(BUCKET, unique, 1)
    with pytest.raises(ObjectMissing, match=unique):
        objects.size(BUCKET, unique)


@pytest.mark.servers
def test_a_missing_bucket_is_no_missing_object(clients: Clients) -> None:
    """A mistake in the set-up must not look as if a mail were gone."""
    objects = S3Objects(clients.s3)
    with pytest.raises(PermanentError, match="no-such-bucket"):
        objects.get("no-such-bucket", "key")
    with pytest.raises(PermanentError, match="no-such-bucket"):
        objects.head("no-such-bucket", "key", 1)
    with pytest.raises(PermanentError, match="no-such-bucket"):
        list(objects.listed("no-such-bucket", ""))
    with pytest.raises(PermanentError, match="no-such-bucket"):
        objects.size("no-such-bucket", "key")
    with pytest.raises(PermanentError, match="no-such-bucket"):
        objects.put("no-such-bucket", "key", b"x")
