"""Objects on S3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from mailtumble.aws.errors import Calling, code_of
from mailtumble.aws.s3_reads import QuickReads
from mailtumble.ports.world import ObjectMissing, StoredObject
from schemas.values import SECOND_US

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MISSING: Final = frozenset({"NoSuchKey", "404", "NotFound"})


class S3Objects:
    """An :class:`mailtumble.ports.world.ObjectStore`."""

    def __init__(self, client: S3Client) -> None:
        """Any bucket the role may read and write can be named."""
        self._client = client
        self._quick = QuickReads(client)

    def get(self, bucket: str, key: str) -> bytes:
        """The object's bytes."""
        found = self._quick.get(bucket, key)
        if found is not None:
            return found
        with Calling(_place(bucket, key)):
            try:
                return self._client.get_object(Bucket=bucket, Key=key)["Body"].read()
            except self._client.exceptions.ClientError as error:
                if code_of(error) in _MISSING:
                    raise _missing(bucket, key) from None
                raise

    def head(self, bucket: str, key: str, size_bytes: int) -> bytes:
        """Its first bytes."""
        whole = f"bytes=0-{size_bytes - 1}"
        with Calling(_place(bucket, key)):
            try:
                return self._client.get_object(Bucket=bucket, Key=key, Range=whole)["Body"].read()
            except self._client.exceptions.ClientError as error:
                if code_of(error) == "InvalidRange":  # an empty object has no first byte
                    return b""
                if code_of(error) in _MISSING:
                    raise _missing(bucket, key) from None
                raise

    def listed(self, bucket: str, prefix: str) -> Iterator[StoredObject]:
        """All objects whose keys begin so, in the order of the keys, a thousand a call."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        with Calling(_place(bucket, prefix)):
            for page in pages:
                for each in page.get("Contents", ()):
                    modified_at = round(each["LastModified"].timestamp()) * SECOND_US
                    yield StoredObject(each["Key"], each["Size"], modified_at)

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """Write the object whole."""
        with Calling(_place(bucket, key)):
            self._client.put_object(Bucket=bucket, Key=key, Body=data)

    def size(self, bucket: str, key: str) -> int:
        """Its length in bytes."""
        found = self._quick.size(bucket, key)
        if found is not None:
            return found
        with Calling(_place(bucket, key)):
            try:
                return self._client.head_object(Bucket=bucket, Key=key)["ContentLength"]
            except self._client.exceptions.ClientError as error:
                if code_of(error) not in _MISSING:
                    raise
            # HEAD has no body to tell a missing object from a missing bucket.
            self._client.head_bucket(Bucket=bucket)
        raise _missing(bucket, key)


def _place(bucket: str, key: str) -> str:
    return f"s3://{bucket}/{key}"


def _missing(bucket: str, key: str) -> ObjectMissing:
    return ObjectMissing(f"{_place(bucket, key)} does not exist")
