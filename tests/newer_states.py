"""Stored states as a newer release writes them: in a version that today's release does not know."""

from __future__ import annotations

from typing import Any

import msgpack

from mailtumble.ports.store import ItemStore, Put

VERSION_AT = 5
"""Where the version is in the list that a subject's state is packed as."""


def store_as_newer(store: ItemStore, owner: str, subject: str) -> None:
    """Let a newer release have stored a subject.

    Args:
        store: the tables.
        owner: application and generation, as in ``core#g1``.
        subject: the subject, which must be stored.
    """
    key = {"subject_key": f"{owner}#{subject}"}
    item: Any = store.get("subjects", key)
    plain: Any = msgpack.unpackb(item["state"])
    plain[VERSION_AT] = 99
    store.write(Put("subjects", {**item, "state": msgpack.packb(plain)}))
