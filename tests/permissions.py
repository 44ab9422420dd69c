"""What the workers' roles grant, as Terraform reads it too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.aws_calls.grants import Grant

FILE = Path(__file__).parents[1] / "infra/terraform/modules/workers/permissions.json"


@dataclass(frozen=True)
class Permissions:
    """A worker's: its code's calls, those of the KCL beside it, and those that have a reason."""

    calls: frozenset[Grant]
    kcl_calls: frozenset[Grant]
    reasons: Mapping[Grant, str]

    def granted(self) -> frozenset[Grant]:
        """Everything."""
        return self.calls | self.kcl_calls | frozenset(self.reasons)


def read_permissions() -> dict[str, Permissions]:
    """By worker."""
    raw = json.loads(FILE.read_text(encoding="utf-8"))
    return {
        worker: Permissions(
            _pairs(each["calls"]),
            _pairs(each["kcl_calls"]),
            {
                (resource, action): reason
                for resource, reasons in each["reasoned"].items()
                for action, reason in reasons.items()
            },
        )
        for worker, each in raw.items()
    }


def _pairs(actions: Mapping[str, list[str]]) -> frozenset[Grant]:
    return frozenset((resource, action) for resource, some in actions.items() for action in some)
