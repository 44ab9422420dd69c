"""Objects in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtumble.ports.world import ObjectMissing, StoredObject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class InMemoryObjects:
    """An :class:`mailtumble.ports.world.ObjectStore`; every bucket is there."""

    def __init__(self, now: Callable[[], int] = lambda: 0) -> None:
        """Start empty; ``now`` tells when objects are put, in microseconds UTC."""
        self.now = now
        self._objects: dict[tuple[str, str], tuple[bytes, int]] = {}

    def get(self, bucket: str, key: str) -> bytes:
        """The object's bytes."""
        try:
            return self._objects[bucket, key][0]
        except KeyError:
            message = f"s3://{bucket}/{key} does not exist"
            raise ObjectMissing(message) from None

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """Write the object whole."""
        self._objects[bucket, key] = data, self.now()

    def size(self, bucket: str, key: str) -> int:
        """Its length in bytes."""
        return len(self.get(bucket, key))

    def head(self, bucket: str, key: str, size_bytes: int) -> bytes:
        """Its first bytes."""
        return self.get(bucket, key)[:size_bytes]

    def listed(self, bucket: str, prefix: str = "") -> Iterator[StoredObject]:
        """All objects whose keys begin so, in the order of the keys."""
        for owner, key in sorted(self._objects):
            if owner == bucket and key.startswith(prefix):
                data, at = self._objects[owner, key]
                yield StoredObject(key, len(data), at)

    def keys(self, bucket: str) -> Sequence[str]:
        """The keys in a bucket; for assertions."""
        return [each.key for each in self.listed(bucket)]
