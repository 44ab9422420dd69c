"""Reads of S3 at a tenth of boto3's cost, by obstore (Apache's ``object_store``, in Rust).

A mail is read once, and asked for its size once: by boto3 these two calls took a quarter of all
that a mail costs. Credentials and addresses stay boto3's. So do errors: what can't be read here
is asked of boto3 again, which tells why.
"""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

import boto3
import obstore
from botocore.exceptions import BotoCoreError
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.exceptions import BaseError
from obstore.store import S3Store

from mailtumble.aws.clients import CONNECT_TIMEOUT_S, READ_TIMEOUT_S, USER_AGENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

ASKED_EVERY: Final = timedelta(minutes=1)
"""How long credentials are used before boto3 is asked again, which renews them in time."""
_KEY: Final = "key"
_UNREADABLE: Final = (BaseError, OSError, ValueError)

logger = logging.getLogger(__name__)


class QuickReads:
    """Reads whole objects and sizes; None where boto3 has to be asked. From any thread."""

    def __init__(self, client: S3Client) -> None:
        """``client`` knows the region and the addresses of buckets."""
        self._client = client
        self._lock = threading.Lock()
        self._stores: dict[str, S3Store | None] = {}

    def get(self, bucket: str, key: str) -> bytes | None:
        """The object's bytes."""
        return self._read(bucket, key, lambda store: obstore.get(store, key).bytes().to_bytes())

    def size(self, bucket: str, key: str) -> int | None:
        """Its length in bytes."""
        return self._read(bucket, key, lambda store: obstore.head(store, key)["size"])

    def _read(self, bucket: str, key: str, read: Callable[[S3Store], T]) -> T | None:
        # obstore takes keys for paths, without a slash at their ends; others of its rules
        # (no empty parts) it keeps by an error.
        store = None if key.strip("/") != key else self._store(bucket)
        if store is None:
            return None
        try:
            return read(store)
        except _UNREADABLE as error:
            logger.debug("%s/%s is asked of boto3: %s", bucket, key, error)
            return None

    def _store(self, bucket: str) -> S3Store | None:
        with self._lock:
            if bucket not in self._stores:
                self._stores[bucket] = self._opened(bucket)
            return self._stores[bucket]

    def _opened(self, bucket: str) -> S3Store | None:
        """A bucket where boto3 finds it; None without credentials, which boto3 will report."""
        try:
            return self._found(bucket)
        except (BotoCoreError, *_UNREADABLE) as error:
            logger.debug("%s is asked of boto3 alone: %s", bucket, error)
            return None

    def _found(self, bucket: str) -> S3Store:
        region = self._client.meta.region_name
        session = boto3.session.Session(region_name=region)
        credentials = Boto3CredentialProvider(session, ttl=ASKED_EVERY)
        url = self._client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": _KEY})
        place = urlsplit(url)
        return S3Store(
            bucket,
            endpoint=f"{place.scheme}://{place.netloc}",
            region=region,
            virtual_hosted_style_request=place.path == f"/{_KEY}",
            credential_provider=credentials,
            client_options={
                "allow_http": place.scheme == "http",
                "connect_timeout": timedelta(seconds=CONNECT_TIMEOUT_S),
                "timeout": timedelta(seconds=READ_TIMEOUT_S),
                "user_agent": USER_AGENT,
            },
            # What is not there at once is left to boto3, which knows what is worth a retry.
            retry_config={"max_retries": 0},
        )
