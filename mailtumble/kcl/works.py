"""Which applications the KCL can host, and their names and its workers' names there."""

from __future__ import annotations

import socket

from mailtumble.definition import physical_name
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


def kcl_name(prefix: str, application: str, generation: str) -> str:
    """The KCL's name of an application: that of its lease table, and the start of two others.

    A generation has cursors of its own, so it needs leases of its own.
    """
    return physical_name(prefix, f"kcl-{application}-{generation_of(application, generation)}")


def worker_id(given: str) -> str:
    """The same after a restart: the daemon then takes its own leases up again at once."""
    return given or socket.gethostname()
