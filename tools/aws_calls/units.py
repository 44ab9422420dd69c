"""What an API call is billed by: units of DynamoDB, bytes of Kinesis, requests of S3. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

WRITE_UNIT_BYTES: Final = 1024
READ_UNIT_BYTES: Final = 4096
TRANSACTED: Final = 2
"""A transaction's write costs two units where a single one costs one."""

SQS_REQUEST_BYTES: Final = 64 * 1024

INDEX_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "mailtumble-mails": ("received_day", "held"),
}
"""A table's indexes by their partition keys: an item with that attribute is written there too."""


def units(
    service: str, operation: str, parameters: Mapping[str, Any], answer: Mapping[str, Any]
) -> dict[str, float]:
    """The billed units of a call, by name; empty for calls without a price."""
    count = _BY_SERVICE[service](operation, parameters, answer)
    return {name: value for name, value in count.items() if value}


def _dynamodb(
    operation: str, parameters: Mapping[str, Any], answer: Mapping[str, Any]
) -> dict[str, float]:
    match operation:
        case "TransactWriteItems":
            writes = sum(
                _write_units(arguments)
                for entry in parameters["TransactItems"]
                for arguments in entry.values()
            )
            return {"dynamodb_writes": TRANSACTED * writes}
        case "PutItem" | "UpdateItem" | "DeleteItem":
            return {"dynamodb_writes": _write_units(parameters)}
        case "BatchWriteItem":
            requests = [
                each
                for some in parameters["RequestItems"].values()
                for request in some
                for each in request.values()
            ]
            return {"dynamodb_writes": sum(_write_units(each) for each in requests)}
        case "GetItem":
            return {"dynamodb_reads": _read_units(item_bytes(answer.get("Item", {})))}
        case "BatchGetItem":
            # Every item counts for itself, and one that isn't there as the smallest.
            asked = sum(len(each["Keys"]) for each in parameters["RequestItems"].values())
            found = [item for some in answer.get("Responses", {}).values() for item in some]
            missing = asked - len(found)
            return {
                "dynamodb_reads": missing + sum(_read_units(item_bytes(item)) for item in found)
            }
        case "Query" | "Scan":
            # The bytes of all items together, at least one unit a call.
            total = sum(item_bytes(item) for item in answer.get("Items", ()))
            consistent = 1 if parameters.get("ConsistentRead") else 0.5
            return {"dynamodb_reads": consistent * _read_units(total)}
        case _:
            return {}


def _write_units(arguments: Mapping[str, Any]) -> int:
    """Of a put the item's; an update or a delete doesn't tell the item, which is small here."""
    item = arguments.get("Item")
    if item is None:
        return 1
    once = max(1, math.ceil(item_bytes(item) / WRITE_UNIT_BYTES))
    indexes = INDEX_KEYS.get(arguments.get("TableName", ""), ())
    return once * (1 + sum(key in item for key in indexes))


def _read_units(size: int) -> int:
    return max(1, math.ceil(size / READ_UNIT_BYTES))


def item_bytes(item: Mapping[str, Any]) -> int:
    """An item's size as DynamoDB counts it: names and values."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(typed: Mapping[str, Any]) -> int:
    ((kind, value),) = typed.items()
    match kind:
        case "S":
            return len(value.encode())
        case "B":
            return len(value)
        case "N":
            return len(value) // 2 + 2
        case "M":
            return 3 + item_bytes(value) + len(value)
        case "L":
            return 3 + sum(1 + _value_bytes(each) for each in value)
        case "SS" | "NS" | "BS":
            return sum(len(each) for each in value)
        case _:  # NULL and BOOL
            return 1


def _kinesis(
    operation: str, parameters: Mapping[str, Any], answer: Mapping[str, Any]
) -> dict[str, float]:
    if operation == "PutRecords":
        records = parameters["Records"]
        return {
            "kinesis_records": len(records),
            "kinesis_in_kb": sum(
                math.ceil((len(each["Data"]) + len(each["PartitionKey"].encode())) / 1024)
                for each in records
            ),
        }
    if operation == "GetRecords":
        return {
            "kinesis_out_kb": sum(len(each["Data"]) for each in answer.get("Records", ())) / 1024
        }
    return {}


def _s3(
    operation: str,
    parameters: Mapping[str, Any],
    answer: Mapping[str, Any],  # noqa: ARG001
) -> dict[str, float]:
    if operation == "PutObject":
        return {"s3_puts": 1, "s3_put_bytes": len(parameters["Body"])}
    return {"s3_puts" if operation.startswith("List") else "s3_gets": 1}


def _sqs(
    operation: str, parameters: Mapping[str, Any], answer: Mapping[str, Any]
) -> dict[str, float]:
    del operation, parameters
    received = sum(len(each["Body"]) for each in answer.get("Messages", ()))
    return {"sqs_requests": max(1, math.ceil(received / SQS_REQUEST_BYTES))}


def _sesv2(
    operation: str,
    parameters: Mapping[str, Any],
    answer: Mapping[str, Any],  # noqa: ARG001
) -> dict[str, float]:
    if operation != "SendEmail":
        return {}
    to = parameters["Destination"]["ToAddresses"]
    return {
        "ses_sends": len(to),
        "ses_send_bytes": len(parameters["Content"]["Raw"]["Data"]) * len(to),
    }


_BY_SERVICE: Mapping[str, Any] = {
    "dynamodb": _dynamodb,
    "kinesis": _kinesis,
    "s3": _s3,
    "sqs": _sqs,
    "sesv2": _sesv2,
}
