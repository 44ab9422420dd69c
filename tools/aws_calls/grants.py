"""Which permissions an API call needs, as the service authorization reference has them. Pure.

https://docs.aws.amazon.com/service-authorization/latest/reference/ (one page a service).
A resource is KIND/SHORT-NAME, as in infra/terraform/modules/workers/permissions.json.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from mailtumble.settings import Settings

Grant = tuple[str, str]
"""A resource and an action on it."""

PREFIX: Final = Settings.__dataclass_fields__["prefix"].default
TRANSACTED: Final = {
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}
"""TransactWriteItems is no action of IAM: each entry needs that of the single call."""

LISTING: Final = frozenset({"ListObjectsV2", "HeadBucket"})
"""S3's calls that are about a bucket, with the one action s3:ListBucket; others are on objects."""

_LEASES: Final = re.compile(r"kcl-([a-z]+)-.+")


def grants(service: str, operation: str, parameters: Mapping[str, Any]) -> set[Grant]:
    """What a call of botocore needs.

    Raises:
        KeyError: the call is of a kind that this module doesn't know yet.
    """
    return set(_BY_SERVICE[service](operation, parameters))


def _dynamodb(operation: str, parameters: Mapping[str, Any]) -> Iterator[Grant]:
    if operation == "TransactWriteItems":
        for entry in parameters["TransactItems"]:
            for kind, arguments in entry.items():
                yield table_of(arguments["TableName"]), TRANSACTED[kind]
        return
    if "RequestItems" in parameters:
        tables = list(parameters["RequestItems"])
    else:
        tables = [parameters["TableName"]]
    for table in tables:
        resource = table_of(table)
        if "IndexName" in parameters:
            resource += f"/index/{parameters['IndexName']}"
        yield resource, f"dynamodb:{operation}"


def table_of(physical: str) -> str:
    """A table as a resource; the KCL's tables of an application are one."""
    name = short(physical)
    leases = _LEASES.fullmatch(name)
    return f"leases/{leases[1]}" if leases else f"table/{name}"


def short(physical: str) -> str:
    """A physical name without its prefix."""
    return physical.removeprefix(f"{PREFIX}-")


def _kinesis(operation: str, parameters: Mapping[str, Any]) -> Iterator[Grant]:
    # What goes on by an iterator or a token names no stream; there is one.
    yield f"stream/{short(parameters.get('StreamName', 'events'))}", f"kinesis:{operation}"


def _s3(operation: str, parameters: Mapping[str, Any]) -> Iterator[Grant]:
    bucket = short(parameters["Bucket"])
    if operation in LISTING:
        yield f"bucket/{bucket}", "s3:ListBucket"
        return
    # Reading the head or a range is reading.
    action = {"HeadObject": "GetObject"}.get(operation, operation)
    yield f"objects/{bucket}", f"s3:{action}"


def _sqs(operation: str, parameters: Mapping[str, Any]) -> Iterator[Grant]:
    queue = parameters.get("QueueName") or parameters["QueueUrl"].rpartition("/")[2]
    # Batches are authorised as the single call.
    yield f"queue/{short(queue)}", f"sqs:{operation.removesuffix('Batch')}"


def _sesv2(operation: str, parameters: Mapping[str, Any]) -> Iterator[Grant]:
    if operation == "SendEmail":
        raw = "Raw" in parameters["Content"]
        yield "ses/identities", "ses:SendRawEmail" if raw else "ses:SendEmail"
        return
    yield "ses/account", f"ses:{operation}"


_BY_SERVICE: Final = {
    "dynamodb": _dynamodb,
    "kinesis": _kinesis,
    "s3": _s3,
    "sqs": _sqs,
    "sesv2": _sesv2,
}
