"""In-memory stand-ins for the ports: deterministic, single-threaded, without faults of their own.

They behave as the services do wherever the contract suite (tests/contract) can tell; faults are
injected by whoever wraps them.
"""

from __future__ import annotations

from tests.fakes.aliases import InMemoryAliases
from tests.fakes.clock import VirtualClock
from tests.fakes.items import InMemoryItems
from tests.fakes.objects import InMemoryObjects
from tests.fakes.provider import (
    AcceptedMail,
    DebtBucket,
    FixedWindow,
    InMemoryProvider,
    Limiter,
    SlidingWindow,
)
from tests.fakes.queues import InMemoryQueue
from tests.fakes.stream import InMemoryStream

__all__ = [
    "AcceptedMail",
    "DebtBucket",
    "FixedWindow",
    "InMemoryAliases",
    "InMemoryItems",
    "InMemoryObjects",
    "InMemoryProvider",
    "InMemoryQueue",
    "InMemoryStream",
    "Limiter",
    "SlidingWindow",
    "VirtualClock",
]
