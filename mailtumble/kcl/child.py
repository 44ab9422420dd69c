"""The child process of the MultiLangDaemon: ``child core|sender FOLDER``.

Its standard output is the protocol, where one stray line breaks the shard: so the very first
thing is to take it away from everybody else, and what is printed goes to standard error. Nothing
of ours is imported before.
"""

from __future__ import annotations

import os
import sys
from typing import TextIO


def take_protocol() -> tuple[TextIO, TextIO]:
    """Standard input and output for the protocol alone; their places are taken by others."""
    incoming, outgoing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return (
        open(incoming, encoding="utf-8", newline="\n"),  # noqa: PTH123 - by number
        open(outgoing, "w", encoding="utf-8", newline="\n"),  # noqa: PTH123
    )


def main() -> None:
    """Serve one shard until the daemon closes the protocol or is gone."""
    incoming, outgoing = take_protocol()
    from mailtumble.parent import watch  # noqa: PLC0415 - after the protocol is safe
    from mailtumble.worker.heaps import keep_few_heaps  # noqa: PLC0415

    keep_few_heaps()
    # By a thread: Linux's own way would end this process with the daemon's *thread* that
    # started it, and those come and go.
    watch(os.getppid())
    from mailtumble.kcl.serving import serve  # noqa: PLC0415

    serve(sys.argv[1], sys.argv[2], incoming, outgoing)


if __name__ == "__main__":
    main()
