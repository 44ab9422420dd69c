"""Runs MiniStack in this process: ``python -m mailtumble.local.ministack_server``.

MiniStack's Kinesis looks at every stored record (for those whose retention is over) and at every
iterator of the last five minutes on each call; with 250,000 records an empty GetRecords costs it
81 ms. Here both happen once in a while instead; so does SQS's look for messages whose retention is
over, and the rest of its walks is cut short (:mod:`mailtumble.local.ministack_queues`). It is
served by uvicorn, with a native parser and event loop: its own server, in Python, took half the
time of a call. And MiniStack must not outlive whoever started it.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from typing import Any, Final

from mailtumble.local.ministack_queues import hasten
from mailtumble.parent import die_with

EXPIRE_EVERY_S: Final = 60.0
COLLECTED_AT: Final = (10_000, 50, 100_000)
"""When each generation is looked through for garbage: the oldest practically never."""
KEEP_ALIVE_S: Final = 75
PARENT_VARIABLE: Final = "MAILTUMBLE_MINISTACK_PARENT"


def main() -> None:
    """Serve until told to stop, or until the parent is gone."""
    die_with(int(os.environ.get(PARENT_VARIABLE) or os.getppid()))
    # Imported here: it takes a second or two, and the parent must be watched before.
    import uvicorn  # noqa: PLC0415
    from ministack.app import app  # noqa: PLC0415
    from ministack.services import kinesis, sqs  # noqa: PLC0415

    expiring = ((kinesis, "_expire_records"), (kinesis, "_expire_iterators"))
    for module, name in (*expiring, (sqs, "_expire_retained")):
        setattr(module, name, at_most_every(EXPIRE_EVERY_S, getattr(module, name)))
    hasten(sqs)
    # It keeps what it is given for good: to look through millions of items for garbage, again and
    # again, finds none, and holds up everybody for a second.
    gc.set_threshold(*COLLECTED_AT)
    uvicorn.run(
        app,
        host=os.environ["BIND_HOST"],
        port=int(os.environ["GATEWAY_PORT"]),
        loop="uvloop",
        # The KCL speaks HTTP/2 to Kinesis.
        http="zttp",
        http2=True,
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        # Nobody stands between: nothing of a call has to be put right.
        proxy_headers=False,
        # MiniStack sets its own, as AWS does.
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
    )


def at_most_every(
    seconds: float,
    function: Callable[..., None],
    monotonic: Callable[[], float] = time.monotonic,
) -> Callable[..., None]:
    """``function``, but calls that come too soon after the last one do nothing."""
    last = float("-inf")

    def wrapper(*arguments: Any) -> None:  # noqa: ANN401 - whatever the function takes
        nonlocal last
        if monotonic() - last >= seconds:
            last = monotonic()
            function(*arguments)

    return wrapper


if __name__ == "__main__":
    main()
