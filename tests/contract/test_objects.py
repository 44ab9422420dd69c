"""The contract of ObjectStore."""

from __future__ import annotations

import pytest

from mailtumble.aws.clients import Clients
from mailtumble.aws.s3 import S3Objects
from mailtumble.ports.world import ObjectMissing, ObjectStore
from schemas.errors import PermanentError

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
    key = f"{unique}/a b+c%20d/ü?&=.eml"
    objects.put(BUCKET, key, b"x")
    assert objects.get(BUCKET, key) == b"x"


def test_a_missing_object_is_said_to_be_missing(objects: ObjectStore, unique: str) -> None:
    """With its place in the text, by get and size alike."""
    with pytest.raises(ObjectMissing, match=unique):
        objects.get(BUCKET, unique)
    with pytest.raises(ObjectMissing, match=unique):
        objects.size(BUCKET, unique)


@pytest.mark.servers
def test_a_missing_bucket_is_no_missing_object(clients: Clients) -> None:
    """A mistake in the set-up must not look as if a mail were gone."""
    objects = S3Objects(clients.s3)
    with pytest.raises(PermanentError, match="no-such-bucket"):
        objects.get("no-such-bucket", "key")
    with pytest.raises(PermanentError, match="no-such-bucket"):
        objects.size("no-such-bucket", "key")
    with pytest.raises(PermanentError, match="no-such-bucket"):
        objects.put("no-such-bucket", "key", b"x")
