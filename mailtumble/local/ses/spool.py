"""What was accepted for sending, on disk: a file for each mail and one index.

``index.jsonl`` has a line of JSON for every mail, in order of acceptance;
``mails/XX/ID.eml`` its raw bytes. Nothing of it is kept in memory.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from mailtumble.local.ses.identifiers import timestamp
from mailtumble.local.ses.send_request import SendRequest

_READ_BYTES = 256 * 1024


class Spool:
    """Appends accepted mails and reads them again, from any thread."""

    def __init__(self, folder: Path) -> None:
        """Use a folder, which is made; what is in it already stays listed."""
        self._mails = folder / "mails"
        self._mails.mkdir(parents=True, exist_ok=True)
        self._path = folder / "index.jsonl"
        self._lock = threading.Lock()
        # Unbuffered: a line is there whole or not at all for whoever reads.
        self._index = self._path.open("ab", buffering=0)
        self._end = self._path.stat().st_size

    def append(
        self, request: SendRequest, message_id: str, accepted_at: datetime, source_ip: str
    ) -> int:
        """Keep a mail; return where in the index it stands (bytes from its start)."""
        path = self._mail_path(message_id)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(request.raw)
        tags: dict[str, str] = dict(request.tags)
        entry = {
            "message_id": message_id,
            "accepted_at": timestamp(accepted_at),
            "from": request.source,
            "to": list(request.recipients),
            "subject": request.subject,
            "size_bytes": len(request.raw),
            "tags": tags,
            "configuration_set": request.configuration_set,
            "source_ip": source_ip,
        }
        line = json.dumps(entry).encode("ascii") + b"\n"
        with self._lock:
            position = self._end
            self._index.write(line)
            self._end += len(line)
        return position

    def entry_at(self, position: int) -> dict[str, Any]:
        """Return the entry that `append` put there."""
        with self._path.open("rb") as index:
            index.seek(position)
            entry: dict[str, Any] = json.loads(index.readline())
        return entry

    def find(self, message_id: str) -> dict[str, Any] | None:
        """Return the entry of a mail; the time it takes grows with the index."""
        key = json.dumps({"message_id": message_id})[:-1].encode("ascii")
        with self._path.open("rb") as index:
            for line in index:
                if line.startswith(key + b",") and line.endswith(b"\n"):
                    entry: dict[str, Any] = json.loads(line)
                    return entry
        return None

    def raw(self, message_id: str) -> bytes:
        """Return the bytes of a mail. Raises FileNotFoundError."""
        return self._mail_path(message_id).read_bytes()

    def lines(self) -> Iterator[bytes]:
        """Give the index as it stands now, in pieces of whole lines."""
        with self._path.open("rb") as index:
            left = self._end
            while left > 0:
                piece = index.read(min(left, _READ_BYTES))
                if not piece.endswith(b"\n"):
                    piece += index.readline()
                left -= len(piece)
                yield piece

    def close(self) -> None:
        """Close the index."""
        self._index.close()

    def _mail_path(self, message_id: str) -> Path:
        if not message_id.replace("-", "").isalnum():
            raise FileNotFoundError(message_id)
        # The last block of the UUID is random; the id begins with the time.
        return self._mails / message_id[-9:-7] / f"{message_id}.eml"
