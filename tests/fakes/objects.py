"""Objects in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtumble.ports.world import ObjectMissing

if TYPE_CHECKING:
    from collections.abc import Sequence


class InMemoryObjects:
    """An :class:`mailtumble.ports.world.ObjectStore`; every bucket is there."""

    def __init__(self) -> None:
        """Start empty."""
        self._objects: dict[tuple[str, str], bytes] = {}

    def get(self, bucket: str, key: str) -> bytes:
        """The object's bytes."""
        try:
            return self._objects[bucket, key]
        except KeyError:
            message = f"s3://{bucket}/{key} does not exist"
            raise ObjectMissing(message) from None

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """Write the object whole."""
        self._objects[bucket, key] = data

    def size(self, bucket: str, key: str) -> int:
        """Its length in bytes."""
        return len(self.get(bucket, key))

    def keys(self, bucket: str) -> Sequence[str]:
        """The names of a bucket's objects in order; for assertions."""
        return sorted(key for owner, key in self._objects if owner == bucket)
