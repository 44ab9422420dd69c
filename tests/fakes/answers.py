"""Errors as botocore makes them of AWS's answers."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError


def error_answer(code: str, status: int = 400, message: str = "said", **more: Any) -> ClientError:  # noqa: ANN401 - fields of the answer
    """What a client raises when AWS answers with this code and HTTP status."""
    answer: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
        **more,
    }
    return ClientError(answer, "Operation")
