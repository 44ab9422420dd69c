"""Which applications the KCL can host, by name."""

from __future__ import annotations

from mailtumble.worker.lane_host import Work


def work_of(application: str) -> type[Work]:
    """Core's or the sender's; only what is used is imported."""
    if application == "sender":
        from mailtumble.worker.sender_host import SenderWork  # noqa: PLC0415

        return SenderWork
    from mailtumble.worker.core_host import CoreWork  # noqa: PLC0415

    return CoreWork


def generation_of(application: str, generation: str) -> str:
    """Which generation's cursors an application keeps; the sender has one for ever."""
    if application == "sender":
        from mailtumble.sender.application import GENERATION  # noqa: PLC0415

        return GENERATION
    return generation
