"""The applications that read the stream, by their names; only what is used is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mailtumble.worker.lane_host import Work


def work_of(application: str) -> type[Work]:
    """What a host does for core, sender or archive."""
    if application == "archive":
        from mailtumble.worker.archive_host import ArchiveWork  # noqa: PLC0415

        return ArchiveWork
    if application == "sender":
        from mailtumble.worker.sender_host import SenderWork  # noqa: PLC0415

        return SenderWork
    from mailtumble.worker.core_host import CoreWork  # noqa: PLC0415

    return CoreWork


def generation_of(application: str, generation: str) -> str:
    """Which generation's cursors an application keeps; archive and sender have one for ever."""
    if application == "archive":
        from mailtumble.archive.shard import GENERATION as ARCHIVE  # noqa: PLC0415

        return ARCHIVE
    if application == "sender":
        from mailtumble.sender.application import GENERATION as SENDER  # noqa: PLC0415

        return SENDER
    return generation
