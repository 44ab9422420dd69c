"""What applications and workers are called at the KCL."""

from __future__ import annotations

import socket

from mailtumble.definition import physical_name
from mailtumble.worker.works import generation_of


def kcl_name(prefix: str, application: str, generation: str) -> str:
    """The KCL's name of an application: that of its lease table, and the start of two others.

    A generation has cursors of its own, so it needs leases of its own.
    """
    return physical_name(prefix, f"kcl-{application}-{generation_of(application, generation)}")


def worker_id(given: str) -> str:
    """The same after a restart: the daemon then takes its own leases up again at once."""
    return given or socket.gethostname()
