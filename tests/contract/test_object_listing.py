"""The contract of ObjectStore's listing."""

from __future__ import annotations

from mailtumble.ports.world import ObjectStore

BUCKET = "contract-mail"


def test_objects_are_listed_by_prefix_in_the_order_of_their_keys(
    objects: ObjectStore, unique: str
) -> None:
    """With their sizes, and with when they were put: at about the same time."""
    for name, data in (("b", b"22"), ("a", b"1"), ("c/d", b"")):
        objects.put(BUCKET, f"{unique}/{name}", data)
    objects.put(BUCKET, f"{unique}-other", b"x")
    listed = list(objects.listed(BUCKET, f"{unique}/"))
    assert [(each.key, each.size_bytes) for each in listed] == [
        (f"{unique}/a", 1),
        (f"{unique}/b", 2),
        (f"{unique}/c/d", 0),
    ]
    moments = [each.modified_at for each in listed]
    assert max(moments) - min(moments) < 60_000_000
    assert list(objects.listed(BUCKET, f"{unique}/none")) == []
