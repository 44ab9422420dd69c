"""Objects on S3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mailtumble.aws.errors import Calling, code_of
from mailtumble.ports.world import ObjectMissing

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MISSING: Final = frozenset({"NoSuchKey", "404", "NotFound"})


class S3Objects:
    """An :class:`mailtumble.ports.world.ObjectStore`."""

    def __init__(self, client: S3Client) -> None:
        """Any bucket the role may read and write can be named."""
        self._client = client

    def get(self, bucket: str, key: str) -> bytes:
        """The object's bytes."""
        with Calling(_place(bucket, key)):
            try:
                return self._client.get_object(Bucket=bucket, Key=key)["Body"].read()
            except self._client.exceptions.ClientError as error:
                if code_of(error) in _MISSING:
                    raise _missing(bucket, key) from None
                raise

    def put(self, bucket: str, key: str, data: bytes) -> None:
        """Write the object whole."""
        with Calling(_place(bucket, key)):
            self._client.put_object(Bucket=bucket, Key=key, Body=data)

    def size(self, bucket: str, key: str) -> int:
        """Its length in bytes."""
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
